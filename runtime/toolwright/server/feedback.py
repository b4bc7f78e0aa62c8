"""Settings → what watches tools in use, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from toolwright.domain.feedback_policy import FeedbackPolicy
from toolwright.execution.result_cache import ResultCache
from toolwright.lifecycle.monitor import Monitor
from toolwright.lifecycle.quarantine import Quarantine
from toolwright.lifecycle.remake import Remaker, ToolMaker
from toolwright.lifecycle.reverify import StartUpVerification
from toolwright.registry.base import Store
from toolwright.settings import CacheSettings


def open_cache(settings: CacheSettings) -> ResultCache | None:
    """Return an empty cache, or None where results are not given out again."""
    if not settings.enabled:
        return None
    return ResultCache(max_entries=settings.max_entries, max_bytes=settings.max_bytes)


@contextmanager
def watching(monitor: Monitor, store: Store, maker: ToolMaker, policy: FeedbackPolicy) -> Iterator[Quarantine]:
    """Have `monitor` hold versions back, and `maker` make them anew, as long as the block lasts."""
    with ExitStack() as stack:
        remaker = Remaker(store, maker, policy) if policy.remake else None
        if remaker is not None:
            remaker.start()
            stack.callback(remaker.close)
        quarantine = Quarantine(store, remaker)
        monitor.start(quarantine.hold)
        stack.callback(monitor.close)
        yield quarantine


@contextmanager
def verifying_again(verification: StartUpVerification | None) -> Iterator[None]:
    """Verify anew, while the block lasts, what was verified in another image, under higher limits, or by others."""
    if verification is None:
        yield
        return
    verification.start()
    try:
        yield
    finally:
        verification.close()
