"""Settings and a pool of sandboxes → what the services stand on, put together from the registry up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Self

from toolwright.calling.models import Models
from toolwright.domain.cost_report import HitRates
from toolwright.execution.base import Executor
from toolwright.execution.evidence import Evidence
from toolwright.execution.executor import SandboxExecutor
from toolwright.lifecycle.monitor import Monitor
from toolwright.lifecycle.outcomes import Outcomes
from toolwright.lifecycle.porter import Porter
from toolwright.lifecycle.reverify import Reverifier, StartUpVerification
from toolwright.lifecycle.solves import KeepingSolver
from toolwright.lifecycle.steward import Steward
from toolwright.making.pipeline import Maker
from toolwright.registry.admission import Admission
from toolwright.registry.base import Store
from toolwright.registry.open import open_store
from toolwright.registry.signing import Keyring, PublicKey, Signer
from toolwright.sandbox.base import SandboxPool
from toolwright.server.configured import ConfiguredMaker, ConfiguredReverifier, ConfiguredSolver
from toolwright.server.feedback import open_cache, watching
from toolwright.server.models import open_models
from toolwright.server.workshop import open_workshop
from toolwright.services.costs import CostReports
from toolwright.services.endpoint import Parts
from toolwright.settings import Settings
from toolwright.solving.group_maker import GroupMaker
from toolwright.solving.misses import MissDesk
from toolwright.solving.solver import Solver


@contextmanager
def open_parts(settings: Settings, pool: SandboxPool, *, adopt: bool = True) -> Iterator[Parts]:
    """Put the parts together; at the end each is closed before what it stands on.

    Args:
        settings: see `settings.load_settings`.
        pool: where code runs; it may still be filling. Closed at the end.
        adopt: take up any making of the registry, or only those that were asked for here.

    Raises:
        StoreUnavailable, StoreCorrupt: the registry.
        InvalidInput: a key, or what models are read from.
    """
    with ExitStack() as stack:
        store = _open_registry(settings)
        stack.callback(store.close)
        # Before the store: a call that is killed now is still recorded.
        stack.callback(pool.close)
        models = stack.enter_context(open_models(settings))
        trust = _Trust.of(settings, store)
        monitor = Monitor(store, settings.feedback.policy)
        executor = _executor(settings, pool, store, trust, monitor)
        pipeline = _pipeline(settings, models, executor, store, trust)
        workshop = stack.enter_context(open_workshop(pipeline, store, settings.making, models, adopt=adopt))
        maker = ConfiguredMaker(workshop, pipeline, models)
        group_maker = stack.enter_context(
            GroupMaker(models=models, store=store, maker=maker, settings=settings.dispatch)
        )
        desk = MissDesk(store.misses, settings.dispatch, notify=group_maker.notify)
        solver = _solver(settings, models, executor, store, maker, desk, monitor)
        quarantine = stack.enter_context(watching(monitor, store, maker, settings.feedback.policy))
        reverifier = Reverifier(
            store=store, jury=pipeline.jury, models=models, admission=trust.admission, quarantine=quarantine
        )
        reverifying = ConfiguredReverifier(reverifier, models)
        yield Parts(
            executor=executor,
            store=store,
            maker=maker,
            solver=ConfiguredSolver(solver, models),
            steward=Steward(store, settings.trust.approval),
            porter=Porter(store, maker, trust.keyring),
            costs=_costs(settings, models, store),
            source_allowed=settings.source_allowed,
            desk=desk,
            reporting=Outcomes(store, monitor.reported),
            reverifying=reverifying,
            verification=StartUpVerification(
                store,
                reverifying,
                info=pool.info,
                ceilings=settings.sandbox.limits.limits,
                trusts=trust.keyring.check,
            ),
        )


@dataclass(frozen=True, slots=True)
class _Trust:
    """Whose word counts for a version."""

    keyring: Keyring
    admission: Admission

    @classmethod
    def of(cls, settings: Settings, store: Store) -> Self:
        signer = Signer.open(settings.signing_key)
        keyring = Keyring((signer.public, *map(PublicKey.parse, settings.trust.trusted_keys)))
        return cls(keyring, Admission(store, signer, settings.trust.approval))


def _open_registry(settings: Settings) -> Store:
    return open_store(settings.store_url or settings.state_dir / "registry.db", durability=settings.store_durability)


def _executor(settings: Settings, pool: SandboxPool, store: Store, trust: _Trust, monitor: Monitor) -> Executor:
    return SandboxExecutor(
        pool,
        store,
        settings.sandbox.limits.limits,
        queue_s=settings.sandbox.pool.queue_timeout_s,
        isolation=settings.isolation.policy,
        watch=monitor,
        cache=open_cache(settings.cache),
        evidence=Evidence(store, trust.keyring),
    )


def _pipeline(settings: Settings, models: Models, executor: Executor, store: Store, trust: _Trust) -> Maker:
    return Maker(
        models=models,
        executor=executor,
        store=store,
        verify_s=settings.making.verify_s,
        admission=trust.admission,
        gates=settings.making.gates.policy,
        merge=settings.making.merge,
    )


def _solver(  # noqa: PLR0913, PLR0917 - all that answering stands on
    settings: Settings,
    models: Models,
    executor: Executor,
    store: Store,
    maker: ConfiguredMaker,
    desk: MissDesk,
    monitor: Monitor,
) -> KeepingSolver:
    solver = Solver(
        models=models,
        executor=executor,
        store=store,
        maker=maker,
        settings=settings.dispatch,
        embedder=models.embedder,
        desk=desk,
        max_calls=settings.solving.max_calls,
        watch=monitor,
    )
    return KeepingSolver(solver, store, kept_answers=settings.feedback.kept_answers)


def _costs(settings: Settings, models: Models, store: Store) -> CostReports:
    def hit_rates() -> HitRates:
        counts = store.feedback.hit_counts()
        return HitRates(counts.solves, counts.hits, counts.executions, counts.exact_hits)

    return CostReports(store, models.prices, price_max_age_days=settings.ledger.price_max_age_days, hit_rates=hit_rates)
