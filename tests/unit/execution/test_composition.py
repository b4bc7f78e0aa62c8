"""A kept tool that is made from others: what runs, and when it is not run."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from toolwright.domain.call import ExecutionRequest, ToolCall
from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Status
from toolwright.domain.source import ToolSource
from toolwright.domain.tool import Dependency, RegisteredTool, ToolState
from toolwright.errors import NotReady, StoreCorrupt
from toolwright.execution.composition import Compositions
from toolwright.execution.evidence import Evidence
from toolwright.execution.executor import SandboxExecutor
from toolwright.registry.open import open_store
from toolwright.registry.signing import Keyring, Signer
from toolwright.registry.sql import SqlStore
from toolwright.registry.testing import sample_task, sample_version, signed_record
from toolwright.sandbox.base import Cancellation
from toolwright.sandbox.testing import ScriptedPool

pytestmark = pytest.mark.unit

SIGNER = Signer.generate()
IMAGE = "sha256:" + "0" * 64

ARGUMENTS = '{"a":1,"b":2}'


@dataclass
class Bench:
    """A registry, and a sandbox that keeps what it was given to run."""

    path: Path
    store: SqlStore

    def __post_init__(self) -> None:
        self.ran: list[ToolSource] = []
        self.pool = ScriptedPool({"add": self._add})
        evidence = Evidence(self.store, Keyring([SIGNER.public]))
        self.executor = SandboxExecutor(self.pool, self.store, Limits(), evidence=evidence)

    def _add(self, _: object, call: ToolCall, __: Cancellation) -> int:
        self.ran.append(call.source)
        return 3

    def admit(self, name: str, *parts: RegisteredTool, code: str = "") -> RegisteredTool:
        uses = tuple(Dependency(part.version.name, part.version.digest) for part in parts)
        version = sample_version(name, code or f"# {name}\n", dependencies=uses)
        return self.store.admit(
            version, signed_record(SIGNER, IMAGE, version, f"v-{version.digest}"), sample_task(name)
        )

    def call(self, tool: str) -> Status:
        return self.executor.execute(ExecutionRequest(tool, ARGUMENTS)).outcome.status

    def change(self, statement: str, *values: object) -> None:
        """Change the file, past the store."""
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(statement, values)

    def hold_back(self, tool: RegisteredTool, state: ToolState) -> None:
        self.change("UPDATE tool_versions SET state = ? WHERE digest = ?", state.value, tool.version.digest)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """An empty registry in a file."""
    path = tmp_path / "registry.db"
    with closing(open_store(path)) as store:
        assert isinstance(store, SqlStore)
        yield Bench(path, store)


def test_a_tool_runs_with_all_that_it_is_made_from(bench: Bench) -> None:
    """By reference: the caller knows nothing of it. The record says which version ran, as ever."""
    base = bench.admit("base")
    left, right = bench.admit("left", base), bench.admit("right", base)
    top = bench.admit("top", left, right)
    execution = bench.executor.execute(ExecutionRequest("top", ARGUMENTS))

    assert execution.outcome.status is Status.SUCCESS
    assert execution.provenance.tool_digest == top.version.digest
    (source,) = bench.ran
    assert [(part.name, part.source.code) for part in source.modules] == [("left", "# left\n"), ("right", "# right\n")]
    assert [part.name for part in source.modules[0].source.modules] == ["base"]


def test_containers_belong_to_the_whole(bench: Bench) -> None:
    """The same code with other parts never meets in one container, where containers belong to tools."""
    first = bench.admit("base")
    version = sample_version("base", "# newer\n")
    second = bench.store.admit(version, signed_record(SIGNER, IMAGE, version, "v-2"), sample_task("base"))
    users = {"one": first, "two": second, "three": second}
    for name, part in users.items():
        bench.admit(name, part, code="# the same\n")
        assert bench.call(name) is Status.SUCCESS

    one, two, three = (lease.tool_digest for lease in bench.pool.leases)
    assert one != two == three


@pytest.mark.parametrize("state", [ToolState.QUARANTINED, ToolState.RETIRED, ToolState.DRAFT, ToolState.VERIFIED])
def test_a_tool_is_not_run_while_a_part_is_not_active(bench: Bench, state: ToolState) -> None:
    """At any depth, from one call to the next; the part and its state are named, and the way out."""
    base = bench.admit("base")
    bench.admit("top", bench.admit("middle", base))
    assert bench.call("top") is Status.SUCCESS
    bench.hold_back(base, state)

    with pytest.raises(NotReady, match=f"top@1 is made from base@1, which is {state.value}, so it is not run"):
        bench.call("top")
    assert len(bench.ran) == 1
    bench.hold_back(base, ToolState.ACTIVE)
    assert bench.call("top") is Status.SUCCESS


def test_a_part_that_was_changed_is_noticed(bench: Bench) -> None:
    """Content that does not fit its digest is never joined to anything."""
    base = bench.admit("base")
    bench.admit("top", base)
    bench.change("UPDATE tool_versions SET code = ? WHERE digest = ?", b"# forged\n", base.version.digest)

    with pytest.raises(StoreCorrupt):
        bench.call("top")
    assert bench.ran == []


def test_a_part_that_is_gone_is_noticed(bench: Bench) -> None:
    """Before the first call, and after one that found it there."""
    base = bench.admit("base")
    bench.admit("top", base)
    assert bench.call("top") is Status.SUCCESS
    bench.change("DELETE FROM tool_versions WHERE digest = ?", base.version.digest)

    with pytest.raises(StoreCorrupt, match="which is gone"):
        bench.call("top")
    with pytest.raises(StoreCorrupt, match="cannot be joined"):
        Compositions(bench.store).source(bench.store.get_tool("top"))


def test_an_index_that_lies_hides_no_part(bench: Bench) -> None:
    """What a tool is made from stands under its digest; the table beside it only answers who uses what."""
    base = bench.admit("base")
    bench.admit("top", base)
    bench.change("DELETE FROM tool_dependencies")
    bench.hold_back(base, ToolState.QUARANTINED)

    with pytest.raises(NotReady):
        bench.call("top")


def test_a_tool_without_parts_asks_the_registry_nothing(bench: Bench) -> None:
    """It runs from what was read with it."""
    tool = bench.admit("base")
    bench.store.close()

    assert Compositions(bench.store).source(tool) == tool.version.source


def test_what_is_kept_in_memory_is_bounded(bench: Bench) -> None:
    """The least recently used goes; what was forgotten is read again."""
    base = bench.admit("base")
    users = [bench.admit(f"user{number}", base) for number in range(4)]
    compositions = Compositions(bench.store, most=2)
    for user in users * 2:
        assert compositions.source(user).modules

    assert list(compositions._kept) == [user.version.digest for user in users[2:]]


def test_the_version_that_is_kept_is_the_one_that_was_tried(bench: Bench) -> None:
    """A source with parts in it, as verification runs it, is kept under the digest that reading gives back."""
    base = bench.admit("base")
    kept = bench.admit("top", base)
    composed = replace(kept.version, source=Compositions(bench.store).source(kept))

    assert composed.digest == kept.version.digest
    again = bench.store.admit(composed, signed_record(SIGNER, IMAGE, composed, "v-again"), sample_task("top"))
    assert (again.number, again.version) == (kept.number, kept.version)


def test_a_part_needs_evidence_of_its_own(bench: Bench) -> None:
    """A part whose record a stranger signed does not run, though that of its user is in order; both are named."""
    part = bench.admit("half")
    user = bench.admit("user", part)
    assert bench.call("user") is Status.SUCCESS  # the control
    record = signed_record(Signer.generate(), IMAGE, part.version, "v-stranger")
    bench.store.lifecycle.renew(record, sample_task("half"), actor="eve", reason="mine now")
    later = Bench(bench.path, bench.store)
    with pytest.raises(
        NotReady, match=f"{user.reference} is made from a tool that is not run here: .*half@1.*signed by"
    ):
        later.call("user")
    assert later.ran == []
