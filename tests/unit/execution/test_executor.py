"""One call, from request to reply: what is refused before a sandbox is used, what runs, and what is kept of it."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from toolwright.domain.call import ExecutionRequest, Operation, ToolCall
from toolwright.domain.limits import Limits, LimitsRequest
from toolwright.domain.outcome import Outcome, Output, Status, Usage
from toolwright.domain.record import ExecutionEntry
from toolwright.domain.source import ToolSource
from toolwright.domain.tool import RegisteredTool, ToolState
from toolwright.errors import (
    CallCancelled,
    DeadlineExceeded,
    InvalidInput,
    NotFound,
    NotReady,
    Overloaded,
    RecordLost,
    SandboxUnavailable,
    StoreUnavailable,
)
from toolwright.execution.evidence import Evidence
from toolwright.execution.executor import SandboxExecutor
from toolwright.registry.memory import MemoryStore
from toolwright.registry.signing import Keyring, Signer
from toolwright.registry.testing import sample_task, sample_version, signed_record
from toolwright.sandbox.base import Cancellation, Lease, SandboxInfo, SandboxKey
from toolwright.sandbox.testing import ScriptedPool

pytestmark = pytest.mark.unit

CEILINGS = Limits(wall_time_s=2.0, memory_bytes=1_000_000, output_bytes=5_000, result_bytes=5_000)
ADD = '{"a":1,"b":2}'


def wait_for_cancel(arguments: dict[str, Any], call: ToolCall, cancellation: Cancellation) -> None:
    """Run until cancelled, or for a long time."""
    ended = threading.Event()
    cancellation.on_cancel(ended.set)
    ended.wait(10)


def fail(arguments: dict[str, Any], call: ToolCall, cancellation: Cancellation) -> None:
    """Raise as a tool does."""
    raise ValueError("no such word")


class KeepingStore(MemoryStore):
    """A store that shows what it was given, and fails on demand."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[ExecutionEntry] = []
        self.fails = False
        self.fails_to_begin = False
        self.states: dict[str, ToolState] = {}

    def begin_execution(self, entry: ExecutionEntry) -> None:
        if self.fails_to_begin:
            raise StoreUnavailable("the disk is full")
        super().begin_execution(entry)

    def add_execution(self, entry: ExecutionEntry) -> None:
        if self.fails:
            raise StoreUnavailable("the disk is full")
        super().add_execution(entry)
        self.entries.append(entry)

    def get_tool(self, reference: str, *, lot: float = 1.0) -> RegisteredTool:
        tool = super().get_tool(reference, lot=lot)
        return replace(tool, state=self.states.get(reference, tool.state))


@dataclass
class Bench:
    """An executor with all that it stands on in reach."""

    pool: ScriptedPool
    store: KeepingStore
    executor: SandboxExecutor
    calls: list[ToolCall] = field(default_factory=list)

    @property
    def kept(self) -> list[Status | None]:
        """Verdicts in the execution log."""
        return [entry.status for entry in self.store.entries]


@pytest.fixture
def bench() -> Iterator[Bench]:
    """`add` is registered; `add`, `fail` and `wait` do what they say."""
    calls: list[ToolCall] = []

    def add(arguments: dict[str, Any], call: ToolCall, cancellation: Cancellation) -> int:
        calls.append(call)
        return int(arguments.get("a", 0)) + int(arguments.get("b", 0))

    store = KeepingStore()
    version = sample_version()
    pool = ScriptedPool({"add": add, "fail": fail, "wait": wait_for_cancel}, most=2)
    signer = Signer.generate()
    store.admit(version, signed_record(signer, pool.info.image_digest, version), sample_task(version.name))
    evidence = Evidence(store, Keyring([signer.public]))
    yield Bench(pool, store, SandboxExecutor(pool, store, CEILINGS, queue_s=0.3, evidence=evidence), calls)
    store.close()


def source(function: str = "add") -> ToolSource:
    """Return bare source of a function."""
    return ToolSource(f"def {function}(): ...", function)


def cancel_later(seconds: float) -> Cancellation:
    """Return a switch that is thrown after so many seconds."""
    switch = Cancellation()
    timer = threading.Timer(seconds, switch.cancel)
    timer.daemon = True
    timer.start()
    return switch


# --- what runs -------------------------------------------------------------------------------


def test_a_registered_tool_is_run_and_kept(bench: Bench) -> None:
    """The reply traces what ran; one line is kept, with hashes for texts."""
    tool = bench.store.get_tool("add")

    reply = bench.executor.execute(ExecutionRequest("add", ADD, tenant="t", purpose="solve"))

    assert (reply.outcome.status, reply.outcome.result_json) == (Status.SUCCESS, "3")
    assert (reply.provenance.tool_digest, reply.provenance.verification_id) == (tool.version.digest, "v-1")
    assert (reply.provenance.container_id, reply.provenance.runtime) == ("scripted-0", "scripted")
    assert reply.timing.run_ms > 0
    (entry,) = bench.store.entries
    assert entry.execution_id == reply.execution_id
    assert (entry.tenant, entry.purpose, entry.tool, entry.status) == ("t", "solve", "add@1", Status.SUCCESS)
    assert entry.arguments_sha256 == hashlib.sha256(ADD.encode()).hexdigest()
    assert entry.result_sha256 == hashlib.sha256(b"3").hexdigest()
    assert (entry.tool_digest, entry.container_id) == (tool.version.digest, "scripted-0")


@pytest.mark.parametrize("reference", ["add", "add@1", "digest"])
def test_a_tool_is_found_by_each_kind_of_reference(bench: Bench, reference: str) -> None:
    """Name, name and number, digest."""
    target = bench.store.get_tool("add").version.digest if reference == "digest" else reference

    assert bench.executor.execute(ExecutionRequest(target, ADD)).outcome.result_json == "3"


def test_bare_source_is_run_and_kept_under_its_own_digest(bench: Bench) -> None:
    """No name, no verification: just the digest of what ran."""
    reply = bench.executor.execute(ExecutionRequest(source()))

    assert reply.provenance.tool_digest == source().digest
    assert (reply.provenance.verification_id, bench.store.entries[0].tool) == ("", "")


def test_a_tool_finds_the_container_that_its_verification_warmed(bench: Bench) -> None:
    """Containers belong to tenant and source, so the wrapped tool and its bare source share one."""
    version = bench.store.get_tool("add").version
    for target in (version.source, "add"):
        bench.executor.execute(ExecutionRequest(target, ADD, tenant="t"))

    assert set(bench.pool.leases) == {SandboxKey("t", version.source.digest)}


def test_tenants_never_share_a_container(bench: Bench) -> None:
    """The same tool of two tenants is leased under two keys."""
    replies = [bench.executor.execute(ExecutionRequest(source(), tenant=tenant)) for tenant in "ab"]

    assert len({reply.provenance.container_id for reply in replies}) == 2


def test_a_tool_that_raises_is_a_normal_reply(bench: Bench) -> None:
    """Its verdict is kept like any other."""
    reply = bench.executor.execute(ExecutionRequest(source("fail")))

    assert reply.outcome.status is Status.TOOL_ERROR
    assert reply.outcome.failure is not None
    assert (reply.outcome.failure.type, bench.kept) == ("ValueError", [Status.TOOL_ERROR])
    assert bench.store.entries[0].result_sha256 == ""


def test_every_execution_has_an_id_of_its_own(bench: Bench) -> None:
    """The same request twice is two executions."""
    ids = {bench.executor.execute(ExecutionRequest("add", ADD)).execution_id for _ in range(3)}

    assert len(ids) == 3
    assert all(len(one) == 32 for one in ids)


def test_info_is_the_pools(bench: Bench) -> None:
    """Image and runtime are known before the first call."""
    assert bench.executor.info == bench.pool.info


# --- what is refused before a sandbox is used -------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "fault"),
    [
        (ExecutionRequest("nobody", "{}"), NotFound),
        (ExecutionRequest("add@7", ADD), NotFound),
        (ExecutionRequest("add", '{"a":1}'), InvalidInput),
        (ExecutionRequest("add", '{"a":1,"b":"2"}'), InvalidInput),
        (ExecutionRequest("add", '{"a":1,"b":2,"c":3}'), InvalidInput),
        (ExecutionRequest("add", "[1,2]"), InvalidInput),
        (ExecutionRequest("add", '{"a":1,"a":1,"b":2}'), InvalidInput),
        (ExecutionRequest(source(), "nonsense"), InvalidInput),
        (ExecutionRequest(source(), '{"x": NaN}'), InvalidInput),
        (ExecutionRequest(source(), '{"x": "\ud800"}'), InvalidInput),
        (ExecutionRequest(source(), limits=LimitsRequest(wall_time_s=2.1)), InvalidInput),
        (ExecutionRequest(source(), limits=LimitsRequest(wall_time_s=0)), InvalidInput),
        (ExecutionRequest(source(), limits=LimitsRequest(memory_bytes=-1)), InvalidInput),
        (ExecutionRequest(source(), limits=LimitsRequest(result_bytes=10**9)), InvalidInput),
        (ExecutionRequest(source(), idempotency_key="k" * 200), InvalidInput),
    ],
)
def test_a_bad_request_uses_no_sandbox_and_is_not_kept(
    bench: Bench, request_: ExecutionRequest, fault: type[Exception]
) -> None:
    """The caller's fault is told before anything is leased."""
    with pytest.raises(fault):
        bench.executor.execute(request_)
    assert (bench.pool.leases, bench.kept) == ([], [])


@pytest.mark.parametrize("state", [state for state in ToolState if state is not ToolState.ACTIVE])
def test_only_an_active_version_is_run(bench: Bench, state: ToolState) -> None:
    """A version that was withdrawn is refused by name, whoever still holds its digest."""
    bench.store.states["add@1"] = state
    with pytest.raises(NotReady, match=f"add@1 is {state.value}"):
        bench.executor.execute(ExecutionRequest("add@1", ADD))
    assert (bench.pool.leases, bench.kept) == ([], [])


def test_a_description_needs_no_arguments(bench: Bench) -> None:
    """What is only described is not checked against its schema."""
    bench.executor.execute(ExecutionRequest("add", operation=Operation.DESCRIBE))

    assert bench.calls[0].operation is Operation.DESCRIBE


# --- limits ----------------------------------------------------------------------------------


def test_a_request_lowers_limits_and_leaves_the_others(bench: Bench) -> None:
    """What runs and what the reply says are the same."""
    limits = LimitsRequest(wall_time_s=0.5, memory_bytes=1_000)

    reply = bench.executor.execute(ExecutionRequest(source(), limits=limits))

    assert reply.limits == bench.calls[0].limits == replace(CEILINGS, wall_time_s=0.5, memory_bytes=1_000)


def test_without_a_request_the_ceilings_hold(bench: Bench) -> None:
    """No limit is ever off."""
    bench.executor.execute(ExecutionRequest(source()))

    assert bench.calls[0].limits == CEILINGS


# --- deadlines -------------------------------------------------------------------------------


@pytest.mark.parametrize("deadline_s", [0.0, -1.0])
def test_a_deadline_that_has_passed_starts_nothing(bench: Bench, deadline_s: float) -> None:
    """Nobody waits for the answer."""
    with pytest.raises(DeadlineExceeded, match="did not run"):
        bench.executor.execute(ExecutionRequest(source()), deadline_s=deadline_s)
    assert (bench.pool.leases, bench.kept) == ([], [])


def test_a_deadline_within_the_call_kills_it(bench: Bench) -> None:
    """Not the tool's time limit but the caller's patience: DEADLINE_EXCEEDED, and a record of the kill."""
    begun = time.monotonic()
    with pytest.raises(DeadlineExceeded, match="killed"):
        bench.executor.execute(ExecutionRequest(source("wait")), deadline_s=0.15)
    assert time.monotonic() - begun < 1
    assert bench.kept == [Status.TIMEOUT]


def test_a_deadline_after_the_call_changes_nothing(bench: Bench) -> None:
    """A tool over its own limit is a normal reply however far the caller's deadline is."""
    request = ExecutionRequest(source("wait"), limits=LimitsRequest(wall_time_s=0.1))

    assert bench.executor.execute(request, deadline_s=5).outcome.status is Status.TIMEOUT
    assert bench.executor.execute(ExecutionRequest(source()), deadline_s=5).limits == CEILINGS


def test_a_deadline_in_the_queue_is_the_callers(bench: Bench) -> None:
    """Waiting ends with the deadline, and says so; the queue's own limit is "overloaded"."""
    with ThreadPoolExecutor(2) as threads:
        switch = Cancellation()
        busy = [threads.submit(_outcome, bench, ExecutionRequest(source("wait")), switch) for _ in range(2)]
        while len(bench.pool.leases) < 2:
            time.sleep(0.002)
        with pytest.raises(DeadlineExceeded, match="did not run"):
            bench.executor.execute(ExecutionRequest(source()), deadline_s=0.1)
        with pytest.raises(Overloaded):
            bench.executor.execute(ExecutionRequest(source()), deadline_s=5)
        switch.cancel()
        assert [one.result(5) for one in busy] == [CallCancelled, CallCancelled]
    assert bench.kept == [None, None]


def _outcome(bench: Bench, request: ExecutionRequest, switch: Cancellation) -> type[BaseException] | None:
    try:
        bench.executor.execute(request, cancellation=switch)
    except CallCancelled as fault:
        return type(fault)
    return None


# --- cancellation ----------------------------------------------------------------------------


def test_a_cancelled_call_is_killed_and_kept_without_a_verdict(bench: Bench) -> None:
    """The record says that something ran, and that nobody waited for its end."""
    begun = time.monotonic()
    with pytest.raises(CallCancelled):
        bench.executor.execute(ExecutionRequest(source("wait")), cancellation=cancel_later(0.1))
    assert time.monotonic() - begun < 1
    (entry,) = bench.store.entries
    assert (entry.status, entry.result_sha256, entry.container_id) == (None, "", "scripted-0")


def test_what_was_cancelled_before_is_neither_run_nor_kept(bench: Bench) -> None:
    """There is nothing to keep a record of."""
    switch = Cancellation()
    switch.cancel()
    with pytest.raises(CallCancelled):
        bench.executor.execute(ExecutionRequest(source()), cancellation=switch)
    assert (bench.calls, bench.kept) == ([], [])


def test_what_is_cancelled_in_the_queue_is_neither_run_nor_kept(bench: Bench) -> None:
    """The wait ends at once."""
    with ThreadPoolExecutor(2) as threads:
        switch = Cancellation()
        busy = [threads.submit(_outcome, bench, ExecutionRequest(source("wait")), switch) for _ in range(2)]
        while len(bench.pool.leases) < 2:
            time.sleep(0.002)
        with pytest.raises(CallCancelled):  # before the queue's own limit would be "overloaded"
            bench.executor.execute(ExecutionRequest(source()), cancellation=cancel_later(0.05))
        switch.cancel()
        assert [one.result(5) for one in busy] == [CallCancelled, CallCancelled]
    assert bench.calls == []


# --- what is kept ----------------------------------------------------------------------------


def test_without_a_record_there_is_no_reply(bench: Bench) -> None:
    """An execution whose end cannot be traced is not handed out; the caller is told that the tool ran."""
    bench.store.fails = True
    with pytest.raises(RecordLost, match="The tool ran"):
        bench.executor.execute(ExecutionRequest("add", ADD))
    bench.store.fails = False
    assert bench.executor.execute(ExecutionRequest("add", ADD)).outcome.result_json == "3"
    assert len(bench.store.entries) == 1


def test_a_store_that_is_gone_lets_nothing_run(bench: Bench) -> None:
    """A tool that cannot be looked up is not run."""
    bench.store.close()
    with pytest.raises(StoreUnavailable):
        bench.executor.execute(ExecutionRequest("add", ADD))
    assert bench.calls == []


def test_the_same_key_runs_and_is_kept_once(bench: Bench) -> None:
    """A repeated request gets the first reply; one line in the log."""
    request = ExecutionRequest("add", ADD, idempotency_key="k")

    replies = [bench.executor.execute(request) for _ in range(3)]

    assert replies[0] == replies[1] == replies[2]
    assert (len(bench.calls), bench.kept) == (1, [Status.SUCCESS])


def test_a_key_whose_record_failed_does_not_run_again(bench: Bench) -> None:
    """The tool has run once under this key, and that stays so."""
    request = ExecutionRequest("add", ADD, idempotency_key="k")
    bench.store.fails = True
    with pytest.raises(RecordLost):
        bench.executor.execute(request)
    bench.store.fails = False

    with pytest.raises(RecordLost):
        bench.executor.execute(request)
    assert len(bench.calls) == 1


def test_what_cannot_be_put_on_record_is_not_sent(bench: Bench) -> None:
    """The record of its beginning comes first: without it nothing runs."""
    bench.store.fails_to_begin = True
    with pytest.raises(StoreUnavailable):
        bench.executor.execute(ExecutionRequest("add", ADD))
    assert bench.calls == []


# --- sandboxes that die between two calls -----------------------------------------------------


@dataclass
class MortalSandbox:
    """Dead before its call if told so."""

    info: SandboxInfo
    dead: bool

    def run(self, call: ToolCall, cancellation: Cancellation) -> Outcome:
        if self.dead:
            raise SandboxUnavailable("the sandbox is gone, the tool did not run")
        return Outcome(Status.SUCCESS, result_json="1", stdout=Output(b"x", 3), usage=Usage(1, 2, 3))


@dataclass
class MortalPool:
    """Lends sandboxes of which the first `dead` ones are dead."""

    dead: int
    lent: int = 0
    given_back: int = 0
    info: SandboxInfo = field(default_factory=lambda: SandboxInfo("", "sha256:0", "fake"))

    @contextmanager
    def lease(self, key: SandboxKey, *, timeout_s: float, cancellation: Cancellation) -> Iterator[Lease]:
        self.lent += 1
        sandbox = MortalSandbox(SandboxInfo(f"mortal-{self.lent}", "sha256:0", "fake"), self.lent <= self.dead)
        try:
            yield Lease(sandbox, 0.0, 0.0)
        finally:
            self.given_back += 1

    def close(self) -> None:
        """Nothing to close."""


Mortal = Callable[[int], tuple[MortalPool, KeepingStore, SandboxExecutor]]


@pytest.fixture
def mortal() -> Mortal:
    """Make an executor over sandboxes that die."""

    def make(dead: int) -> tuple[MortalPool, KeepingStore, SandboxExecutor]:
        pool, store = MortalPool(dead), KeepingStore()
        return pool, store, SandboxExecutor(pool, store, CEILINGS)

    return make


def test_a_dead_sandbox_is_not_the_callers_trouble(mortal: Mortal) -> None:
    """Nothing was sent to it: the call goes to another one, and one record names that."""
    pool, store, executor = mortal(1)

    reply = executor.execute(ExecutionRequest(source()))

    assert reply.outcome.status is Status.SUCCESS
    assert reply.provenance.container_id == "mortal-2"
    assert [(entry.container_id, entry.stdout_bytes, entry.cpu_ms) for entry in store.entries] == [("mortal-2", 3, 2)]
    assert (pool.lent, pool.given_back) == (2, 2)


@dataclass
class FullPool(MortalPool):
    """Lends a dead sandbox, and then none."""

    @contextmanager
    def lease(self, key: SandboxKey, *, timeout_s: float, cancellation: Cancellation) -> Iterator[Lease]:
        if self.lent:
            raise Overloaded("full", 1.0)
        with super().lease(key, timeout_s=timeout_s, cancellation=cancellation) as lease:
            yield lease


def test_a_call_that_finds_no_second_sandbox_has_ended_on_record() -> None:
    """It began, and was never sent: the log must not show it as running for ever."""
    store = KeepingStore()
    executor = SandboxExecutor(FullPool(1), store, CEILINGS)
    with pytest.raises(Overloaded):
        executor.execute(ExecutionRequest(source()))
    assert [(entry.status, entry.ended) for entry in store.entries] == [(Status.INFRASTRUCTURE, True)]


def test_two_dead_sandboxes_are_enough(mortal: Mortal) -> None:
    """Something is wrong with the engine: told to the caller, who may retry; nothing ran, and the log says why."""
    pool, store, executor = mortal(2)
    with pytest.raises(SandboxUnavailable, match="did not run"):
        executor.execute(ExecutionRequest(source()))
    assert (pool.lent, pool.given_back) == (2, 2)
    assert [(entry.status, entry.wall_ms) for entry in store.entries] == [(Status.INFRASTRUCTURE, 0)]


def test_a_call_that_was_sent_is_never_sent_again(bench: Bench) -> None:
    """Whatever its end: a tool may have had its effect."""
    bench.executor.execute(ExecutionRequest(source("fail")))

    assert len(bench.pool.leases) == 1
