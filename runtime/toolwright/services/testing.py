"""Stand-ins for what the services call, and a server around them, for tests. The gRPC between is real.

with serving(parts(executor=ScriptedExecutor(lambda request, scope: sample_execution()))) as address:
    Client(address).execute("add", {"a": 1})
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from toolwright.domain.call import ExecutionRequest, Isolation
from toolwright.domain.events import MakingEvent, SolveEvent
from toolwright.domain.job import Budget, Job
from toolwright.domain.lifecycle import NO_ORIGIN, Origin
from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Execution, Outcome, Output, Provenance, Status, Timing, Usage
from toolwright.domain.record import DEFAULT_TENANT
from toolwright.domain.source import ToolSource
from toolwright.domain.task import Task
from toolwright.domain.tool import RegisteredTool
from toolwright.lifecycle.porter import Porter
from toolwright.lifecycle.steward import Steward
from toolwright.llm.prices import PriceList
from toolwright.registry.base import Store
from toolwright.registry.memory import MemoryStore
from toolwright.registry.signing import Keyring
from toolwright.sandbox.base import Cancellation, SandboxInfo
from toolwright.services.batch import BatchBounds
from toolwright.services.calls import CallScope
from toolwright.services.costs import CostReports
from toolwright.services.endpoint import Endpoint, Parts
from toolwright.settings import GrpcSettings


def sample_execution(**changes: Any) -> Execution:
    """Return an execution in which every field has a value of its own; `changes` go into its outcome."""
    outcome: dict[str, Any] = {
        "status": Status.SUCCESS,
        "result_json": '{"sum":3}',
        "stdout": Output(b"out\xff", 9),
        "stderr": Output(b"err", 3),
        "usage": Usage(1.5, 1.25, 12_345_678),
    }
    return Execution(
        execution_id="e" * 32,
        outcome=Outcome(**outcome | changes),
        limits=Limits(2.5, 1_000_000, 7, 4096, 2048, 8192),
        timing=Timing(0.25, 0.5, 2.0, 0.125),
        provenance=Provenance(
            "sha256:" + "1" * 64, "sha256:" + "2" * 64, "runc", "c" * 64, "v-1", Isolation.CALL, "d" * 32
        ),
    )


@dataclass
class ScriptedExecutor:
    """Answers calls as `behaviour` does; keeps what it was asked."""

    behaviour: Callable[[ExecutionRequest, CallScope], Execution] = lambda _request, _scope: sample_execution()
    asked: list[ExecutionRequest] = field(default_factory=list)
    scopes: list[CallScope] = field(default_factory=list)

    @property
    def info(self) -> SandboxInfo:
        """An image and a runtime that are not there."""
        return SandboxInfo("", "sha256:" + "2" * 64, "scripted")

    def execute(
        self,
        request: ExecutionRequest,
        *,
        deadline_s: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> Execution:
        """Answer one call."""
        scope = CallScope(deadline_s, cancellation or Cancellation())
        self.asked.append(request)
        self.scopes.append(scope)
        return self.behaviour(request, scope)


@dataclass
class ScriptedMaker:
    """Makes tools by giving out `events`; keeps what it was asked."""

    events: Callable[[Task], Iterator[MakingEvent]] = lambda _task: iter(())
    registered: Callable[[Task, ToolSource], RegisteredTool] | None = None
    asked: list[tuple[Task, int]] = field(default_factory=list)
    tenants: list[str] = field(default_factory=list)
    wished: list[tuple[Budget, int]] = field(default_factory=list)
    """Budgets and numbers of candidates that came with them."""
    store: Store = field(default_factory=MemoryStore)
    """Where makings are followed and cancelled."""

    def make(  # noqa: PLR0913 - as in `ToolMaking`
        self,
        task: Task,
        *,
        attempts: int,
        budget: Budget | None = None,
        candidates: int = 0,
        cancellation: Cancellation | None = None,
        tenant: str = DEFAULT_TENANT,
    ) -> Generator[MakingEvent, None, None]:
        """Give out the events."""
        self.asked.append((task, attempts))
        self.tenants.append(tenant)
        self.wished.append((budget or Budget(), candidates))
        yield from self.events(task)

    def follow(self, making_id: str, *, cancellation: Cancellation | None) -> Generator[MakingEvent, None, None]:
        """Give out the events of the making that was kept."""
        yield from self.events(self.store.jobs.get(making_id).task)

    def cancel(self, making_id: str, reason: str) -> Job:
        """Cancel in the store."""
        return self.store.jobs.cancel(making_id, reason)

    @property
    def running(self) -> int:
        """Nothing goes on by itself."""
        return 0

    def register(  # noqa: PLR0913 - what is asked, and by whom
        self,
        task: Task,
        source: ToolSource,
        *,
        cancellation: Cancellation | None = None,
        deadline_s: float | None = None,
        tenant: str,
        origin: Origin = NO_ORIGIN,
        uses: Sequence[str] | None = None,
    ) -> RegisteredTool:
        """Register as told."""
        self.tenants.append(tenant)
        assert self.registered is not None, "the test did not expect this"  # noqa: S101 - a test's stand-in
        return self.registered(task, source)


@dataclass
class ScriptedSolver:
    """Answers questions by giving out `events`; keeps what it was asked."""

    events: Callable[[str, CallScope], Iterator[SolveEvent]] = lambda _question, _scope: iter(())
    asked: list[tuple[str, str]] = field(default_factory=list)
    narrowed: list[tuple[tuple[str, ...], bool]] = field(default_factory=list)
    """Of each question, what the dispatcher was to be offered, and whether it alone was asked."""
    tenants: list[str] = field(default_factory=list)
    bypassed: list[bool] = field(default_factory=list)

    def solve(  # noqa: PLR0913 - the fields of the request
        self,
        question: str,
        *,
        tool: str = "",
        among: Sequence[str] = (),
        dispatch_only: bool = False,
        cancellation: Cancellation | None = None,
        deadline_s: float | None = None,
        tenant: str = DEFAULT_TENANT,
        bypass_cache: bool = False,
    ) -> Generator[SolveEvent, None, None]:
        """Give out the events."""
        self.narrowed.append((tuple(among), dispatch_only))
        self.asked.append((question, tool))
        self.tenants.append(tenant)
        self.bypassed.append(bypass_cache)
        yield from self.events(question, CallScope(deadline_s, cancellation or Cancellation()))


def parts(**changes: Any) -> Parts:
    """Return parts that do nothing, with `changes` in their place."""
    store = changes.get("store") or MemoryStore()
    maker = changes.get("maker") or ScriptedMaker()
    usual: dict[str, Any] = {
        "executor": ScriptedExecutor(),
        "store": store,
        "maker": maker,
        "solver": ScriptedSolver(),
        "steward": Steward(store),
        "porter": Porter(store, maker, Keyring()),
    } | changes
    return Parts(**{"costs": CostReports(usual["store"], PriceList({}))} | usual)


@contextmanager
def endpoint(
    given: Parts,
    *,
    address: str | None = None,
    reflect: bool = True,
    candid: bool = True,
    batch_bounds: BatchBounds | None = None,
    **bounds: int,
) -> Iterator[tuple[str, Endpoint]]:
    """Serve `given` on `address`, or on a socket in a directory of its own; give the address and the server."""
    with tempfile.TemporaryDirectory(prefix="toolwright-") as directory:
        served = Endpoint(
            given,
            grpc_settings=GrpcSettings(**bounds),
            batch_bounds=batch_bounds,
            reflect=reflect,
            candid=candid,
        )
        place = served.listen(address or f"unix:{directory}/server.sock")
        served.ready()
        try:
            yield place, served
        finally:
            served.drain(0)


@contextmanager
def serving(
    given: Parts,
    *,
    address: str | None = None,
    reflect: bool = True,
    candid: bool = True,
    batch_bounds: BatchBounds | None = None,
    **bounds: int,
) -> Iterator[str]:
    """Serve `given`; give the address."""
    served = endpoint(given, address=address, reflect=reflect, candid=candid, batch_bounds=batch_bounds, **bounds)
    with served as (place, _):
        yield place
