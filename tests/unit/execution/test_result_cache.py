"""Results that are given out again: which, to whom, for how long, and how that reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from toolwright.domain.call import ExecutionRequest, Operation, ToolCall
from toolwright.domain.limits import Limits, LimitsRequest
from toolwright.domain.outcome import Execution, Failure, Outcome, Output, Provenance, Status, Timing
from toolwright.domain.record import VerificationRecord
from toolwright.domain.tool import RegisteredTool, ToolState
from toolwright.errors import InvalidInput, NotReady
from toolwright.execution.evidence import Evidence
from toolwright.execution.executor import SandboxExecutor
from toolwright.execution.result_cache import ResultCache, cache_key, proved_deterministic
from toolwright.registry.memory import MemoryStore
from toolwright.registry.signing import Keyring, Signer
from toolwright.registry.testing import sample_record, sample_task, sample_version, signed_record
from toolwright.sandbox.base import Cancellation
from toolwright.sandbox.testing import ScriptedPool

pytestmark = pytest.mark.unit

ADD = '{"a":1,"b":2}'
OTHER = sample_version(code="def add(a, b):\n    return b + a\n")
BIG = '{"a":1000000,"b":2}'
PLENTY = Limits(result_bytes=5_000)


def request(arguments_json: str = ADD, **changes: Any) -> ExecutionRequest:
    """Return a call of `add`, with `changes`."""
    return ExecutionRequest("add", arguments_json, **changes)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a":1,"b":2}', '{ "b": 2,\n"a" : 1 }'),
        ('{"s":"é"}', '{"s":"\\u00e9"}'),
        ('{"x":1.0}', '{"x":1.00}'),
        ('{"x":1e2}', '{"x":100.0}'),
    ],
)
def test_one_call_written_two_ways_is_one_call(one: str, other: str) -> None:
    """White space, escapes, the order of keyword arguments and the digits of one float are no difference."""
    assert cache_key(request(one), "d") == cache_key(request(other), "d")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"x":1}', '{"x":1.0}'),
        ('{"x":1}', '{"x":true}'),
        ('{"x":1}', '{"x":"1"}'),
        ('{"x":0.0}', '{"x":-0.0}'),
        ('{"x":9007199254740993}', '{"x":9007199254740992}'),
        ('{"x":null}', "{}"),
        ('{"x":[1,2]}', '{"x":[2,1]}'),
        ('{"x":{"a":1,"b":2}}', '{"x":{"b":2,"a":1}}'),
    ],
)
def test_what_a_tool_can_tell_apart_is_another_call(one: str, other: str) -> None:
    """Types, signs of zero, all digits of integers, and the order within an argument."""
    assert cache_key(request(one), "d") != cache_key(request(other), "d")


def test_tenant_and_version_are_part_of_the_key() -> None:
    """The same arguments of another tenant or to another version are another call."""
    keys = {cache_key(request(), "d"), cache_key(request(), "e"), cache_key(request(tenant="other"), "d")}

    assert len(keys) == 3


def execution(result_json: str | None = "3", **changes: Any) -> Execution:
    """Return an execution whose outcome has `changes`."""
    outcome = Outcome(**({"status": Status.SUCCESS, "result_json": result_json} | changes))
    return Execution("e-1", outcome, PLENTY, Timing(), Provenance("d", "image", "runc", "c-1", "v-1"))


def test_output_and_failures_are_not_kept() -> None:
    """Only a success that wrote nothing can be given again as it was."""
    cache, key = ResultCache(max_entries=9, max_bytes=10**6), cache_key(request(), "d")
    for refused in (
        execution(stdout=Output(b"x", 1)),
        execution(stderr=Output(b"", 7)),
        execution(status=Status.TOOL_ERROR, result_json=None, failure=Failure("ValueError", "no")),
    ):
        cache.put(key, refused)
        assert cache.get(key, PLENTY) is None

    cache.put(key, execution())
    known = cache.get(key, PLENTY)
    assert known is not None
    assert known.provenance.computed_by == "e-1"


def test_the_least_used_go_first() -> None:
    """Bounded by number and by bytes; what was asked for again stays."""
    cache = ResultCache(max_entries=2, max_bytes=10**6)
    keys = [cache_key(request(f'{{"a":{number}}}'), "d") for number in range(3)]
    cache.put(keys[0], execution())
    cache.put(keys[1], execution())
    assert cache.get(keys[0], PLENTY)
    cache.put(keys[2], execution())
    assert [cache.get(key, PLENTY) is not None for key in keys] == [True, False, True]

    small = ResultCache(max_entries=100, max_bytes=5_000)
    for key in keys:
        small.put(key, execution('"' + "x" * 1_200 + '"'))
    assert [small.get(key, PLENTY) is not None for key in keys] == [False, True, True]
    assert small.counts.bytes <= 5_000
    small.put(keys[0], execution('"' + "x" * 9_000 + '"'))
    assert small.counts.entries == 2


def test_old_records_prove_nothing() -> None:
    """A version from before there were gates is run each time."""
    assert not proved_deterministic(sample_record(sample_version()))


# --- in the executor ------------------------------------------------------------------------------


class StateStore(MemoryStore):
    """A store whose versions may be put into another state."""

    state = ToolState.ACTIVE
    forged: VerificationRecord | None = None
    """A record that somebody wrote past the server, and that the versions name."""

    def get_tool(self, reference: str, *, lot: float = 1.0) -> RegisteredTool:
        tool = replace(super().get_tool(reference, lot=lot), state=self.state)
        return tool if self.forged is None else replace(tool, verification_id=self.forged.verification_id)

    def get_verification(self, verification_id: str) -> VerificationRecord:
        if self.forged is not None and verification_id == self.forged.verification_id:
            return self.forged
        return super().get_verification(verification_id)


@dataclass
class Tools:
    """An executor with a cache over one scripted tool, which counts its runs."""

    executor: SandboxExecutor
    store: StateStore
    cache: ResultCache
    runs: list[dict[str, Any]]
    told: list[tuple[str, Status]]

    def call(self, arguments_json: str = ADD, **changes: Any) -> Execution:
        return self.executor.execute(request(arguments_json, **changes))


class Told:
    def __init__(self) -> None:
        self.told: list[tuple[str, Status]] = []

    def ended(self, tool_digest: str, request: ExecutionRequest, status: Status) -> None:
        self.told.append((tool_digest, status))

    def refused(self, tool_digest: str) -> None:
        raise AssertionError("nobody was asked")


@contextmanager
def opened(*, proved: bool = True) -> Iterator[Tools]:
    """Give an executor over a tool that was proved deterministic, or not."""

    def trusts(record: VerificationRecord) -> bool:
        return proved

    runs: list[dict[str, Any]] = []

    def add(arguments: dict[str, Any], call: ToolCall, cancellation: Cancellation) -> Any:
        runs.append(arguments)
        if arguments["a"] < 0:
            raise ValueError("no negative numbers")
        return arguments["a"] + arguments["b"]

    store, cache, told = StateStore(), ResultCache(max_entries=10, max_bytes=10**6, trusts=trusts), Told()
    version = sample_version()
    pool, signer = ScriptedPool({"add": add}), Signer.generate()
    for number, kept in enumerate((version, OTHER), start=1):
        record = signed_record(signer, pool.info.image_digest, kept, f"v-{number}")
        store.admit(kept, record, sample_task(), state=ToolState.ACTIVE)
    evidence = Evidence(store, Keyring([signer.public]))
    executor = SandboxExecutor(pool, store, PLENTY, watch=told, cache=cache, evidence=evidence)
    yield Tools(executor, store, cache, runs, told.told)
    pool.close()


def test_an_equal_call_is_answered_without_a_run() -> None:
    """It is another execution on record, which names the one that computed the result."""
    with opened() as tools:
        first, second = tools.call(), tools.call('{"b":2, "a":1}')

        assert (first.outcome.result_json, second.outcome.result_json) == ("3", "3")
        assert len(tools.runs) == 1
        assert (first.from_cache, second.from_cache) == (False, True)
        assert second.execution_id != first.execution_id
        assert second.provenance.computed_by == first.execution_id
        assert second.provenance.image_digest == first.provenance.image_digest
        assert second.provenance.container_id == ""
        entry = tools.store.get_execution(second.execution_id)
        assert (entry.status, entry.computed_by, entry.purpose) == (Status.SUCCESS, first.execution_id, "call")
        assert entry.result_sha256 == tools.store.get_execution(first.execution_id).result_sha256
        assert tools.store.feedback.hit_counts().exact_hits == 1


def test_a_hit_is_told_like_a_run() -> None:
    """Else the share of calls that fail would look larger than it is."""
    with opened() as tools:
        tools.call()
        tools.call()

        assert [status for _, status in tools.told] == [Status.SUCCESS, Status.SUCCESS]


@pytest.mark.parametrize(
    "change",
    [
        {"bypass_cache": True},
        {"tenant": "other"},
        {"operation": Operation.DESCRIBE},
        {"replica": 1},
        {"arguments_json": BIG, "limits": LimitsRequest(result_bytes=5)},
    ],
)
def test_what_must_run_is_run(change: dict[str, Any]) -> None:
    """A bypass, another tenant's call, a description, a second opinion, and a limit that the result is beyond."""
    with opened() as tools:
        tools.call()
        tools.call(BIG)

        assert not tools.call(**change).from_cache
        assert len(tools.runs) == 3


def test_a_bypass_does_not_fill_the_cache() -> None:
    """Whoever wants nothing of it leaves nothing in it."""
    with opened() as tools:
        tools.call(bypass_cache=True)

        assert not tools.call().from_cache
        assert tools.call().from_cache


def test_failures_run_again() -> None:
    """Only successes are given out again."""
    with opened() as tools:
        for _ in range(2):
            assert tools.call('{"a":-1,"b":0}').outcome.status is Status.TOOL_ERROR
        assert len(tools.runs) == 2


def test_a_version_that_is_not_proved_runs_each_time() -> None:
    """No evidence of determinism, no cache."""
    with opened(proved=False) as tools:
        tools.call()

        assert not tools.call().from_cache
        assert tools.cache.counts.entries == 0


def test_nothing_is_given_out_of_a_version_that_is_held_back() -> None:
    """It is refused before the cache is looked at; so are arguments that the schema refuses."""
    with opened() as tools:
        tools.call()
        tools.store.state = ToolState.QUARANTINED
        with pytest.raises(NotReady):
            tools.call()
        tools.store.state = ToolState.ACTIVE
        with pytest.raises(InvalidInput):
            tools.call('{"a":1}')
        assert tools.call().from_cache


@pytest.mark.parametrize("signer", [None, Signer.generate()])
def test_nothing_is_given_out_on_a_record_that_proves_nothing(signer: Signer | None) -> None:
    """A forged record that is named in the place of the true one lets no known result out, and is not named in any."""
    with opened() as tools:
        tools.call()
        forged = replace(sample_record(sample_version()), verification_id="forged")
        tools.store.forged = signer.sign(forged) if signer else forged

        with pytest.raises(NotReady, match="verification record"):
            tools.call()


def test_another_version_finds_nothing_of_the_first() -> None:
    """The digest is in the key."""
    with opened() as tools:
        tools.call()

        assert not tools.executor.execute(replace(request(), target="add@1")).from_cache
        assert tools.executor.execute(replace(request(), target="add@2")).from_cache
