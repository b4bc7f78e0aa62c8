"""Runs one call: resolve ▸ validate ▸ isolate ▸ lease ▸ run ▸ record ▸ reply. The only road to tool code."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Final

from toolwright.domain.call import ExecutionRequest, Isolation, Operation, ToolCall
from toolwright.domain.isolation import IsolationPolicy
from toolwright.domain.limits import Limits, LimitsRequest
from toolwright.domain.outcome import Execution, Outcome, Provenance, Status, Timing
from toolwright.domain.source import ToolSource, all_parts
from toolwright.domain.tool import ToolState
from toolwright.errors import (
    CallCancelled,
    DeadlineExceeded,
    InvalidInput,
    NotReady,
    Overloaded,
    SandboxUnavailable,
)
from toolwright.execution.arguments import check_arguments, parse_arguments
from toolwright.execution.composition import Compositions
from toolwright.execution.evidence import Evidence
from toolwright.execution.idempotency import OnceOnly
from toolwright.execution.known_results import Asked, KnownResults
from toolwright.execution.lot import lot_of
from toolwright.execution.record import Record, begun
from toolwright.execution.result_cache import ResultCache
from toolwright.execution.watch import NoWatch, Watch
from toolwright.registry.base import Store
from toolwright.registry.signing import Keyring
from toolwright.sandbox.base import Cancellation, Lease, SandboxInfo, SandboxKey, SandboxPool
from toolwright.sandbox.verdict import LOAD_TIME_LIMIT

SHORTEST_S: Final = 0.002
"""Seconds within which no call can be answered. gRPC counts deadlines in whole milliseconds and rounds up, so one that
was past when the call arrived may still seem to be ahead: no sandbox is given away for that."""


@dataclass(frozen=True, slots=True)
class _Target:
    """What will run, once it is known and allowed."""

    name: str
    source: ToolSource
    digest: str
    verification_id: str = ""
    family: str = ""
    """The tool's name without version, for rules; of bare source that of the tool that it may become."""
    limits: LimitsRequest | None = None
    """The version's own limits, below the ceilings of all calls."""


@dataclass(frozen=True, slots=True)
class _Job:
    """A call that was found to be in order."""

    request: ExecutionRequest
    target: _Target
    limits: Limits
    isolation: Isolation
    deadline: float | None
    cancellation: Cancellation
    record: Record


@dataclass(frozen=True, slots=True)
class _Ran:
    """A call that was run, and what it took."""

    outcome: Outcome | None
    """None if it was cancelled while it ran."""
    info: SandboxInfo
    hurried: bool
    """Whether the caller's deadline came before the limit on wall time."""
    queue_ms: float
    acquire_ms: float
    run_ms: float


class SandboxExecutor:
    """Implements `execution.base.Executor` over a pool and a store."""

    def __init__(  # noqa: PLR0913 - each is somebody else's to decide
        self,
        pool: SandboxPool,
        store: Store,
        ceilings: Limits,
        *,
        queue_s: float = 30.0,
        isolation: IsolationPolicy | None = None,
        watch: Watch | None = None,
        cache: ResultCache | None = None,
        evidence: Evidence | None = None,
    ) -> None:
        """Run calls in sandboxes of `pool`.

        Args:
            pool: where calls run.
            store: where tools are looked up and executions are kept.
            ceilings: the most that any call gets.
            queue_s: longest wait for a sandbox, in seconds.
            isolation: how far calls share sandboxes; by default those of one tenant's one tool do.
            watch: is told how calls of registered tools end.
            cache: results that may be given out again without a run; None to run every call.
            evidence: decides which registered versions may run; by default no key is trusted, so none may.
        """
        self._pool = pool
        self._store = store
        self._ceilings = ceilings
        self._queue_s = queue_s
        self._isolation = isolation or IsolationPolicy()
        self._evidence = evidence or Evidence(store, Keyring())
        self._compositions = Compositions(store)
        self._once = OnceOnly()
        self._watch = watch or NoWatch()
        self._known = None if cache is None else KnownResults(cache, store)

    @property
    def info(self) -> SandboxInfo:
        """Image and runtime that calls run under."""
        return self._pool.info

    def execute(
        self,
        request: ExecutionRequest,
        *,
        deadline_s: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> Execution:
        """Run one call to its end and keep its record; see `execution.base.Executor`."""
        deadline = None if deadline_s is None else time.monotonic() + deadline_s
        limits = self._ceilings.lowered(request.limits)
        target = self._resolve(request)
        if target.limits is not None:
            limits = _own_limits(self._ceilings.capped(target.limits), target.name, request.limits)
        isolation = self._isolation.level(request.tenant, target.family, request.isolation)
        cancellation = cancellation or Cancellation()

        def run() -> Execution:
            record = Record(self._store, begun(request, target.name, target.digest, target.verification_id))
            return self._answer(_Job(request, target, limits, isolation, deadline, cancellation, record))

        if not request.idempotency_key:
            return run()
        return self._once.run(request, run, deadline=deadline, cancellation=cancellation)

    def _resolve(self, request: ExecutionRequest) -> _Target:
        """Find what to run, and check the arguments before a sandbox is used."""
        if isinstance(request.target, ToolSource):
            parse_arguments(request.arguments_json)
            return _Target("", request.target, request.target.digest, family=request.candidate_for)
        tool = self._store.get_tool(request.target, lot=lot_of(request))
        if tool.state is not ToolState.ACTIVE:
            raise NotReady(f"{tool.reference} is {tool.state.value}, so it is not run; use an active version")
        if request.operation is Operation.CALL:
            check_arguments(tool.version.description.parameters, request.arguments_json)
        version, source = tool.version, self._compositions.source(tool)
        return _Target(tool.reference, source, version.digest, tool.verification_id, version.name, version.limits)

    def _answer(self, job: _Job) -> Execution:
        """Run the call, or give out what is known of it; bare source is neither known nor watched."""
        target, request = job.target, job.request
        if not target.verification_id:
            return self._run(job)
        if self._known is None:
            execution = self._run(job)
        else:
            asked = Asked(request, target.digest, target.verification_id, job.limits, job.record.entry)
            execution = self._known.answer(asked, lambda: self._run(job))
        self._watch.ended(target.digest, request, execution.outcome.status)
        return execution

    def _run(self, job: _Job) -> Execution:
        try:
            ran = self._run_leased(job)
        except BaseException:
            job.record.give_up()
            raise
        ended_at = time.monotonic()
        job.record.end(ran.outcome)
        if ran.outcome is None:
            raise CallCancelled("The call was cancelled; its processes are dead.")
        if ran.hurried and _ran_out_of_time(ran.outcome):
            raise DeadlineExceeded("The caller's deadline passed; the tool was killed.")
        timing = Timing(ran.queue_ms, ran.acquire_ms, ran.run_ms, collect_ms=(time.monotonic() - ended_at) * 1000)
        info = ran.info
        target = job.target
        provenance = Provenance(
            target.digest, info.image_digest, info.runtime, info.container_id, target.verification_id, job.isolation
        )
        return Execution(job.record.execution_id, ran.outcome, job.limits, timing, provenance)

    def _run_leased(self, job: _Job) -> _Ran:
        # By source, not by version: a verified tool finds the containers that its verification warmed.
        key = SandboxKey.of(job.isolation, job.request.tenant, job.target.source.digest, job.request.replica)
        for last in (False, True):
            with self._lease(key, job.deadline, job.cancellation) as lease:
                if job.cancellation.cancelled:
                    raise CallCancelled("The call was cancelled while it waited; the tool did not run.")
                call, hurried = _prepare(job)
                info = lease.sandbox.info
                self._check_evidence(job.target, info)
                job.record.begin(info)
                begun_at = time.monotonic()
                outcome: Outcome | None = None
                try:
                    outcome = lease.sandbox.run(call, job.cancellation)
                except SandboxUnavailable:
                    # The container died between two calls: nothing was sent, so another one may have the call.
                    if last:
                        raise
                    continue
                except CallCancelled:
                    pass
                run_ms = (time.monotonic() - begun_at) * 1000
                return _Ran(outcome, info, hurried, lease.queue_ms, lease.acquire_ms, run_ms)
        raise AssertionError("the second try returns or raises")

    def _check_evidence(self, target: _Target, container: SandboxInfo) -> None:
        if not target.name:  # bare source makes no claim; who may run it is decided elsewhere
            return
        self._evidence.check(target.name, target.digest, target.verification_id, container)
        for part in all_parts(target.source.modules):
            self._evidence.check_part(target.name, part.tool_digest, container)

    @contextmanager
    def _lease(self, key: SandboxKey, deadline: float | None, cancellation: Cancellation) -> Iterator[Lease]:
        timeout_s = self._queue_s
        if deadline is not None:
            timeout_s = min(timeout_s, deadline - time.monotonic())
            if timeout_s <= SHORTEST_S:
                raise DeadlineExceeded("The deadline had passed, or nothing could meet it; the tool did not run.")
        with ExitStack() as stack:
            try:
                lease = stack.enter_context(self._pool.lease(key, timeout_s=timeout_s, cancellation=cancellation))
            except Overloaded:
                if deadline is not None and time.monotonic() >= deadline:
                    raise DeadlineExceeded("The deadline passed in the queue; the tool did not run.") from None
                raise
            yield lease


def _own_limits(own: Limits, tool: str, asked: LimitsRequest) -> Limits:
    """Return what is in force for a call of `tool`: a request may lower the tool's own limits and never raise them."""
    try:
        return own.lowered(asked)
    except InvalidInput as fault:
        raise InvalidInput(
            fault.field, f"{fault.problem} of {tool}, which has limits of its own", fault.limit
        ) from None


def _ran_out_of_time(outcome: Outcome) -> bool:
    """Whether the limit on wall time ended the call, and not that on loading, which no deadline of a caller lowers."""
    failure = outcome.failure
    return outcome.status is Status.TIMEOUT and failure is not None and failure.type != LOAD_TIME_LIMIT


def _prepare(job: _Job) -> tuple[ToolCall, bool]:
    """Return the call, and whether the caller's deadline comes before the limit on wall time."""
    hurried = False
    request, limits = job.request, job.limits
    if job.deadline is not None:
        left = job.deadline - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded("The deadline passed before a sandbox came free; the tool did not run.")
        if hurried := left < limits.wall_time_s:
            limits = replace(limits, wall_time_s=left)
    return ToolCall(job.target.source, request.arguments_json or "{}", limits, request.operation), hurried
