"""Settings → engine, image and policy → a pool, and a check of what its containers really are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from typing import Final

import docker
from docker.errors import ImageNotFound

from toolwright.attacks.case import Case
from toolwright.attacks.matrix import Tell, fire_matrix, known_runtimes
from toolwright.attacks.report import Report
from toolwright.domain.call import Isolation, ToolCall
from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Status
from toolwright.domain.source import ToolSource
from toolwright.errors import EngineUnavailable, ImageMissing, InvalidInput, NotFound, SandboxUnavailable
from toolwright.images.catalog import find_image
from toolwright.images.recipe import images_root
from toolwright.sandbox.base import Cancellation, Lease, SandboxInfo, SandboxKey, SandboxPool
from toolwright.sandbox.budget import MemoryRules
from toolwright.sandbox.docker_pool import open_pool, require
from toolwright.sandbox.engine import ENGINE_FAULTS, Engine, find_engine
from toolwright.sandbox.host.check import HostCheck, check_host
from toolwright.sandbox.host.facts import EngineFacts, engine_facts
from toolwright.sandbox.policy import SandboxPolicy, load_seccomp_profile
from toolwright.sandbox.pool import PoolSize
from toolwright.sandbox.selfcheck.check import SelfCheck, check_sandbox
from toolwright.settings import PoolSettings, Profile, SandboxSettings, Settings

PolicyOf = Callable[[SandboxSettings, str], SandboxPolicy]
"""(settings, image id) → what every container gets."""
FactsOf = Callable[[Engine, str], EngineFacts]
"""(engine, runtime that tools run under) → what there is to know of the host."""

_OURS: Final = "toolwright-sandbox-"
_SPARE_PROCESSES: Final = 32
"""For the agent, beside those of a call, so that a fork bomb does not keep it from killing."""

_PROOF: Final = ToolSource('def ready() -> str:\n    """Answer."""\n    return "ready"\n', "ready")
_PROOF_TENANT: Final = "toolwright-start"
_PROOF_WAIT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Sandboxes:
    """What tools run in."""

    pool: SandboxPool
    check: SelfCheck | None
    """What the start-up check found. None: the pool examines its first container itself, before it lends it."""
    host: HostCheck | None
    """What is to be said of the host. None: a server of the caller's own in development, where nothing is."""
    trouble: Callable[[], str] = str
    """Says why no call can be served now; empty if one can."""

    @property
    def refusal(self) -> str:
        """Why no tool is ever run here; empty if tools may run."""
        return _refusal(self.host, self.check)


def _refusal(host: HostCheck | None, check: SelfCheck | None) -> str:
    return ". And ".join(found.refusal for found in (host, check) if found and found.refusal)


@dataclass(frozen=True, slots=True)
class NoPool:
    """Stands for a pool where no sandbox can be trusted: there is none to lend."""

    info: SandboxInfo
    refusal: str

    def lease(
        self,
        key: SandboxKey,  # noqa: ARG002 - as `SandboxPool.lease`
        *,
        timeout_s: float,  # noqa: ARG002 - as above
        cancellation: Cancellation,  # noqa: ARG002 - as above
    ) -> AbstractContextManager[Lease]:
        """Refuse; see `SandboxPool.lease`."""
        raise SandboxUnavailable(self.refusal)

    def close(self) -> None:
        """Do nothing: there is nothing to destroy."""


def sandbox_policy(settings: SandboxSettings, image: str) -> SandboxPolicy:
    """Return the policy that the settings ask for, with the image `image` (`sha256:…`)."""
    limits = settings.limits.limits
    return SandboxPolicy(
        image_id=image,
        seccomp_profile=load_seccomp_profile(images_root()),
        runtime=settings.runtime,
        limits=limits,
        container_processes=limits.processes + _SPARE_PROCESSES,
        max_calls=settings.max_calls,
        max_age_s=settings.max_age_s,
    )


@contextmanager
def open_sandboxes(
    settings: Settings, *, attack: bool, policy_of: PolicyOf = sandbox_policy, facts_of: FactsOf = engine_facts
) -> Iterator[Sandboxes]:
    """Find the engine and the image, and keep a pool of sandboxes as the settings ask.

    Args:
        settings: see `settings.load_settings`.
        attack: attack each layer first, which takes two seconds; there is no pool unless all hold. Else the pool's
            own first container is looked at and tried, which takes 40 ms of the first call.
        policy_of: what containers get.
        facts_of: what the engine says of itself and of the host.

    Raises:
        EngineUnavailable, ImageMissing: as they say.
        SandboxUnavailable: the engine lacks the runtime or cannot enforce a limit, or no container starts.
        InvalidInput: the image has no usable name, or not one container fits into the memory that they may have.
    """
    with _found(settings, policy_of) as (engine, policy):
        host = _host(settings, facts_of(engine, policy.runtime)) if attack or _production(settings) else None
        check = check_sandbox(engine, policy) if attack else None
        if refusal := _refusal(host, check):
            yield Sandboxes(NoPool(SandboxInfo("", policy.image_id, policy.runtime), refusal), check, host)
            return
        size, memory = _pool(settings.sandbox.pool)
        with closing(open_pool(engine, policy, size, memory, proven=check is not None)) as pool:
            yield Sandboxes(pool, check, host, lambda: pool.trouble)


def _pool(asked: PoolSettings) -> tuple[PoolSize, MemoryRules]:
    size = PoolSize(ready=asked.min_ready, most=asked.max_containers, queue=asked.max_queue, idle_s=asked.idle_s)
    return size, MemoryRules(asked.memory_share, asked.memory_reserve_bytes)


def _production(settings: Settings) -> bool:
    return settings.profile is Profile.PRODUCTION


def _host(settings: Settings, facts: EngineFacts) -> HostCheck:
    return check_host(facts, production=_production(settings), accepted=settings.accepted_risks)


def check_sandboxes(settings: Settings) -> SelfCheck:
    """Check what a server with these settings would check before it serves.

    Raises:
        EngineUnavailable, ImageMissing, InvalidInput, SandboxUnavailable: as `open_sandboxes`.
    """
    with _found(settings, sandbox_policy) as (engine, policy):
        return check_sandbox(engine, policy)


def attack_sandboxes(settings: Settings, cases: Sequence[Case], seed: int, tell: Tell, *, everywhere: bool) -> Report:
    """Fire attacks at sandboxes as a server with these settings would have them.

    Args:
        settings: see `settings.load_settings`.
        cases: what to fire.
        seed: draws their order.
        tell: told of each result.
        everywhere: fire under every runtime of the engine that cases know, and not only under the settings' own.

    Raises:
        EngineUnavailable, ImageMissing, InvalidInput, SandboxUnavailable: as `open_sandboxes`.
    """
    with _found(settings, sandbox_policy) as (engine, policy):
        runtimes = known_runtimes(engine) if everywhere else (policy.runtime,)
        return fire_matrix(engine, [replace(policy, runtime=one) for one in runtimes], cases, seed, tell)


@contextmanager
def _found(settings: Settings, policy_of: PolicyOf) -> Iterator[tuple[Engine, SandboxPolicy]]:
    engine = find_engine(settings.docker_host or None)
    with closing(engine.client):
        policy = policy_of(settings.sandbox, image_id(engine.client, settings.sandbox.image))
        require(engine, policy)
        yield engine, policy


def image_id(client: docker.DockerClient, name: str) -> str:
    """Return the id of the image that `name` means now; from here on nothing else is run.

    Args:
        client: a connected client.
        name: of a recipe of ours (`python`, `toolwright-sandbox-python`), or an image named by content.

    Raises:
        ImageMissing: it is not in the engine.
        InvalidInput: the name is neither.
        EngineUnavailable: the engine does not answer.
    """
    if "sha256:" not in name:
        try:
            return find_image(client, name.removeprefix(_OURS)).image_id
        except NotFound as fault:
            limit = "an image of ours, name@sha256:… or an image id"
            raise InvalidInput("sandbox.image", f"{name!r} is none of ours ({fault})", limit) from None
    try:
        return str(client.images.get(name).id)
    except ImageNotFound:
        raise ImageMissing(f"the sandbox image {name} is not in the engine; load it, or build one") from None
    except ENGINE_FAULTS as fault:
        raise EngineUnavailable(f"the engine does not tell about the image {name}: {fault}") from fault


def prove(pool: SandboxPool, limits: Limits) -> None:
    """Run one good call, so that what is called healthy has worked once.

    Raises:
        SandboxUnavailable: the call did not give its result.
        Overloaded: no sandbox came up in time.
    """
    call = ToolCall(_PROOF, limits=limits)
    key = SandboxKey(_PROOF_TENANT, _PROOF.digest, Isolation.CALL)  # nobody will ever have a use for that one again
    cancellation = Cancellation()
    with pool.lease(key, timeout_s=_PROOF_WAIT_S, cancellation=cancellation) as lease:
        outcome = lease.sandbox.run(call, cancellation)
    if outcome.status is not Status.SUCCESS or outcome.result_json != '"ready"':
        why = f": {outcome.failure.message}" if outcome.failure else ""
        raise SandboxUnavailable(f"a first call in the sandbox ended with {outcome.status}{why}; nothing is served")
