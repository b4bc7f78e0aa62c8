"""Joins pool and Docker: checks that the engine can keep the policy, sweeps what a killed server left."""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import replace

import structlog
from docker.errors import APIError, ImageNotFound

from toolwright.errors import EngineUnavailable, ImageMissing, SandboxUnavailable
from toolwright.sandbox.base import SandboxInfo
from toolwright.sandbox.budget import Budget, MemoryRules
from toolwright.sandbox.container import DockerSandbox, Keeping
from toolwright.sandbox.engine import ENGINE_FAULTS, Engine
from toolwright.sandbox.leftovers import Leftovers
from toolwright.sandbox.owner import is_orphan, owner_label
from toolwright.sandbox.policy import LABEL_OWNER, SandboxPolicy
from toolwright.sandbox.pool import PoolSize, WarmPool
from toolwright.sandbox.selfcheck.check import examine
from toolwright.sandbox.uids import CALLS, UidRanges

log = structlog.get_logger(__name__)


class DockerLauncher:
    """Starts containers under one policy, each with user ids of its own."""

    def __init__(self, engine: Engine, policy: SandboxPolicy, *, proven: bool = True) -> None:
        """Start containers of `policy` on `engine`.

        Args:
            engine: where.
            policy: all of their options.
            proven: whether the start-up check has passed. Else each container is examined, until one has passed.
        """
        self._proven = proven
        self._engine = engine
        self.policy = replace(policy, max_calls=min(policy.max_calls, CALLS))
        """The policy in force: a call beyond its range of user ids would get one of another container's."""
        self._uids = UidRanges(remapped=engine.remaps_users)
        self._owner = owner_label()
        self._leftovers = Leftovers(engine)
        self.info = SandboxInfo("", policy.image_id, policy.runtime)

    def launch(self) -> DockerSandbox:
        """Start one container; see `pool.Launcher.launch`."""
        sandbox = self._start()
        if self._proven:
            return sandbox
        try:
            refusal = examine(self._engine, sandbox, self.policy).refusal
        except BaseException:
            sandbox.destroy()
            raise
        if refusal:
            sandbox.destroy()
            raise SandboxUnavailable(refusal)
        self._proven = True
        return sandbox

    def close(self) -> None:
        """Remove what could not be removed before, if the engine answers now."""
        self._leftovers.close()

    def _start(self) -> DockerSandbox:
        uid_base = self._uids.take()
        name = f"toolwright-{secrets.token_hex(8)}"
        left = False

        def gone() -> None:
            self._uids.give_back(uid_base)

        def on_left(unsettled: bool) -> None:  # noqa: FBT001 - as `Keeping` calls it
            nonlocal left
            left = True
            self._leftovers.add(name, gone, unsettled=unsettled)

        try:
            return DockerSandbox.start(
                self._engine,
                self.policy,
                uid_base=uid_base,
                owner=self._owner,
                keeping=Keeping(name, gone, on_left),
            )
        except BaseException:
            if not left:  # else its user ids are in use until it is gone
                gone()
            raise


class DockerPool(WarmPool):
    """A warm pool of Docker sandboxes."""

    def __init__(self, launcher: DockerLauncher, size: PoolSize, budget: Budget) -> None:
        """Start filling in the background; see `WarmPool`."""
        self._docker = launcher
        super().__init__(launcher, size, budget)

    def close(self) -> None:
        """Destroy every sandbox, and what was left of earlier ones; see `WarmPool.close`."""
        super().close()
        self._docker.close()


def open_pool(
    engine: Engine, policy: SandboxPolicy, size: PoolSize, memory: MemoryRules | None = None, *, proven: bool = True
) -> WarmPool:
    """Return a pool of Docker sandboxes, already filling.

    Args:
        engine: where.
        policy: all options of its containers.
        size: bounds.
        memory: what containers may take of the memory of the engine's machine; None: as much as is usual.
        proven: whether `check_sandbox` has passed for this engine and policy. Else the pool's own first container
            is examined before it is lent; leases fail with SandboxUnavailable as long as none passes.

    Raises:
        ImageMissing: the image is not in the engine.
        SandboxUnavailable: the engine does not have the runtime, or cannot enforce a limit of the policy. There
            is no fall-back to a weaker one.
        EngineUnavailable: it does not answer.
        InvalidInput: not one container fits into that memory.
    """
    require(engine, policy)
    budget = Budget.of(engine, policy.limits.memory_bytes, memory or MemoryRules())
    sweep_orphans(engine)
    return DockerPool(DockerLauncher(engine, policy, proven=proven), size, budget)


def sweep_orphans(engine: Engine) -> int:
    """Remove containers whose server is surely dead; return how many.

    Raises:
        EngineUnavailable: the engine does not answer.
    """
    removed = 0
    try:
        for container in engine.client.containers.list(all=True, filters={"label": LABEL_OWNER}, ignore_removed=True):
            if not is_orphan(container.labels.get(LABEL_OWNER, "")):
                continue
            with suppress(APIError):  # another server's sweep, or its own auto-removal, was faster
                container.remove(force=True, v=True)
                removed += 1
    except ENGINE_FAULTS as fault:
        raise EngineUnavailable(f"The engine does not list its containers: {fault}") from fault
    if removed:
        log.info("orphans_removed", count=removed)
    return removed


def require(engine: Engine, policy: SandboxPolicy) -> None:
    """Check that the engine has what the policy names, by its own account.

    Raises:
        ImageMissing, SandboxUnavailable, EngineUnavailable: as `open_pool`.
    """
    if policy.runtime not in engine.runtimes:
        raise SandboxUnavailable(
            f"The engine at {engine.address} has no runtime {policy.runtime!r}, only {', '.join(engine.runtimes)}. "
            "Install it, or set sandbox.runtime; there is no fall-back to a weaker one."
        )
    missing = [name for key, name in _ENFORCED.items() if not engine.info.get(key)]
    if "seccomp" not in " ".join(engine.info.get("SecurityOptions") or ()):
        missing.append("seccomp")
    if missing:
        raise SandboxUnavailable(
            f"The engine at {engine.address} cannot enforce: {', '.join(missing)}. "
            "Tools are not run without these limits."
        )
    try:
        engine.client.images.get(policy.image_id)
    except ImageNotFound:
        raise ImageMissing(
            f"The sandbox image {policy.image_id} is not in the engine at {engine.address}. "
            "Build it with `toolwright images build`."
        ) from None
    except ENGINE_FAULTS as fault:
        raise EngineUnavailable(f"The engine at {engine.address} does not answer: {fault}") from fault


_ENFORCED = {"MemoryLimit": "memory limit", "PidsLimit": "process limit", "CpuCfsQuota": "CPU limit"}
