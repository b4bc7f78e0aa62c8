"""Settings → the workshop, where tools are made as jobs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from toolwright.calling.models import Models
from toolwright.domain.job import Budget, Job
from toolwright.making.pipeline import Maker
from toolwright.making.rules import Rules
from toolwright.making.workshop import Workshop
from toolwright.registry.base import Store
from toolwright.server.role_model import are_configured
from toolwright.services.log import service_log
from toolwright.settings import MakingSettings

_TOLD_CHARS: Final = 500
_log: Final = service_log("toolwright.services")


@contextmanager
def open_workshop(
    maker: Maker, store: Store, making: MakingSettings, models: Models, *, adopt: bool
) -> Iterator[Workshop]:
    """Return the workshop of the settings, at work until the end.

    Args:
        maker: does the work.
        store: holds the jobs.
        making: bounds.
        models: without a maker and a user among them nothing is taken up.
        adopt: take up any job of the registry, as a server for all does; a process of its own only what it asked for.
    """
    rules = Rules(
        budget=Budget(making.attempts, making.max_tokens, making.max_cost_usd, making.max_seconds),
        candidates=making.candidates,
        max_running=making.max_running,
        max_queue=making.max_queue,
        lease_s=making.lease_s,
        adopt=adopt,
    )
    workshop = Workshop(maker, store, rules=rules, on_fault=_tell)
    if adopt and are_configured(models.maker, models.user):
        workshop.start()
    try:
        yield workshop
    finally:
        workshop.close()


def _tell(job: Job, fault: Exception) -> None:
    text = str(fault)[:_TOLD_CHARS]
    _log.warning("making ended early", making=job.making_id, reason=type(fault).__name__, text=text)
