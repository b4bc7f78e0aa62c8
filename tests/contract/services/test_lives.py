"""Lives of tools over gRPC, with both clients: states, approvals, aliases, history, export and import."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from tests.contract.services.conftest import Connect
from toolwright.domain.lifecycle import Approval, EventKind, Origin
from toolwright.domain.source import ToolSource
from toolwright.domain.task import Task
from toolwright.domain.tool import Dependency, RegisteredTool, ToolState
from toolwright.errors import InvalidInput, NotFound, NotReady, PermissionDenied
from toolwright.lifecycle.porter import Porter
from toolwright.lifecycle.steward import Steward
from toolwright.registry.admission import Admission
from toolwright.registry.memory import MemoryStore
from toolwright.registry.signing import Keyring, Signer
from toolwright.registry.testing import sample_record, sample_task, sample_version
from toolwright.services.testing import ScriptedMaker, parts, serving

pytestmark = pytest.mark.contract

DIGEST = "sha256:" + "1" * 64


class KeepingMaker(ScriptedMaker):
    """Finds that all code passes, and keeps it as `demonstrations` say."""

    def __init__(self, store: MemoryStore, admission: Admission, **changes: Any) -> None:
        super().__init__()
        self.store, self.admission, self.changes = store, admission, changes
        self.origins: list[Origin] = []

    def register(  # type: ignore[override]  # the handlers give an origin
        self, task: Task, source: ToolSource, *, origin: Origin, uses: Sequence[str] | None = None, **_: Any
    ) -> RegisteredTool:
        self.origins.append(origin)
        parts = tuple(
            Dependency(part.version.name, part.version.digest) for part in map(self.store.get_tool, uses or ())
        )
        version = replace(sample_version(task.name), source=source, dependencies=parts, **self.changes)
        record = sample_record(version, f"v-{len(self.origins)}", task_digest=task.digest)
        return self.admission.admit(version, record, task, origin=origin)


class Installation:
    """A server with a registry and a key of its own."""

    def __init__(
        self, approval: Approval = Approval.AUTOMATIC, trusts: tuple[Signer, ...] = (), **changes: Any
    ) -> None:
        self.store, self.signer = MemoryStore(), Signer.generate()
        self.maker = KeepingMaker(self.store, Admission(self.store, self.signer, approval), **changes)
        keyring = Keyring([self.signer.public, *(signer.public for signer in trusts)])
        self.parts = parts(
            store=self.store,
            maker=self.maker,
            steward=Steward(self.store, approval),
            porter=Porter(self.store, self.maker, keyring),
        )

    def bring(self, number: int = 1, actor: str = "ann") -> RegisteredTool:
        """Register a version of `add`."""
        source = ToolSource(f"def add(a, b):\n    return a + b  # {number}\n", "add")
        return self.maker.register(sample_task(), source, origin=Origin(actor))

    def compose(self, name: str, *uses: str) -> RegisteredTool:
        """Register a tool that is made from others."""
        source = ToolSource(f"def add(a, b):\n    return a + b  # {name}\n", "add")
        return self.maker.register(sample_task(name, uses=uses), source, origin=Origin("ann"), uses=uses)


@contextmanager
def client_of(installation: Installation, connect: Connect) -> Iterator[Any]:
    """Connect to its server."""
    with serving(installation.parts) as address, connect(address) as client:
        yield client


def test_a_version_is_held_back_released_and_retired(connect: Connect) -> None:
    """Each step changes what a reference means to callers, and is on record with who, why and when."""
    here = Installation()
    with client_of(here, connect) as client:
        here.bring()
        assert client.quarantine_tool("add@1", reason="wrong", actor="bob").state is ToolState.QUARANTINED
        with pytest.raises(InvalidInput) as told:
            client.approve_tool("add@1", actor="eve")
        assert told.value.field == "reason"
        assert client.approve_tool("add@1", actor="eve", reason="it was the example").state is ToolState.ACTIVE
        assert client.retire_tool("add@1", reason="old").state is ToolState.RETIRED
        with pytest.raises(NotReady, match="add@1 is retired and cannot become quarantined"):
            client.quarantine_tool("add@1", reason="x")
        events = client.list_tool_events("add")

    told_of = [(event.kind, event.actor, event.reason, event.to_state) for event in events]
    assert told_of == [
        (EventKind.ADMITTED, "ann", "", ToolState.ACTIVE),
        (EventKind.STATE, "bob", "wrong", ToolState.QUARANTINED),
        (EventKind.APPROVED, "eve", "it was the example", None),
        (EventKind.STATE, "eve", "it was the example", ToolState.ACTIVE),
        (EventKind.STATE, "unknown", "old", ToolState.RETIRED),
    ]
    assert [event.event_id for event in events] == [event.event_id for event in here.store.lifecycle.events("add")]


def test_two_persons_have_to_approve(connect: Connect) -> None:
    """The policy's number, of different persons, none of whom brought it."""
    here = Installation(Approval.TWO_PERSONS)
    with client_of(here, connect) as client:
        assert here.bring(actor="ann").state is ToolState.VERIFIED
        for actor, fault in (("ann", NotReady), ("", InvalidInput), ("unknown", InvalidInput)):
            with pytest.raises(fault):
                client.approve_tool("add@1", actor=actor)
        assert client.approve_tool("add@1", actor="bob").state is ToolState.VERIFIED
        with pytest.raises(NotReady, match="already"):
            client.approve_tool("add@1", actor="bob")
        assert client.approve_tool("add@1", actor="eve").state is ToolState.ACTIVE


def test_aliases_are_set_shown_rolled_back_and_removed(connect: Connect) -> None:
    """What a name means is what was set last, and what was before comes back."""
    here = Installation()
    with client_of(here, connect) as client:
        for number in (1, 2, 3):
            here.bring(number)
        assert client.set_alias("add", "stable", 1, actor="ann").reference == "add@1"
        assert client.set_alias("add", "stable", 2).number == 2
        assert client.set_alias("add", "canary", 3, share=0.5).number == 3
        assert client.get_tool("add").info.aliases == {"stable": 0.0}
        assert client.get_tool("add@canary").info.aliases == {"canary": 0.5}
        assert [tool.aliases for tool in client.list_tools()] == [{"canary": 0.5}]
        assert client.rollback_tool("add", reason="worse").number == 1
        assert client.get_tool("add").info.number == 1
        with pytest.raises(NotReady):
            client.rollback_tool("add")
        assert client.set_alias("add", "canary", 0) is None
        with pytest.raises(NotFound):
            client.get_tool("add@canary")


@pytest.mark.parametrize("method", ["approve_tool", "quarantine_tool", "retire_tool"])
@pytest.mark.parametrize(
    ("changes", "fault", "field"),
    [
        ({"reference": "add"}, InvalidInput, "tool"),
        ({"reference": ""}, InvalidInput, "tool"),
        ({"reference": "add@7"}, NotFound, None),
        ({"reference": "add@stable"}, NotFound, None),
        ({"actor": "a" * 201}, InvalidInput, "actor"),
        ({"actor": "a\x1b[31m"}, InvalidInput, "actor"),
        ({"reason": "x" * 4_001}, InvalidInput, "reason"),
    ],
)
def test_bad_requests_change_nothing(
    connect: Connect, method: str, changes: dict[str, str], fault: type[Exception], field: str | None
) -> None:
    """A version has to be named, and texts are bounded."""
    here = Installation()
    here.bring()
    asked = {"reference": "add@1", "actor": "bob", "reason": "because"} | changes
    with client_of(here, connect) as client, pytest.raises(fault) as told:
        getattr(client, method)(asked.pop("reference"), **asked)

    assert field is None or getattr(told.value, "field", None) == field
    assert len(here.store.lifecycle.events("add")) == 1


def test_history_comes_in_pages(connect: Connect) -> None:
    """More events than a page holds, in order, none twice."""
    here = Installation()
    for number in range(130):
        here.bring(number)
    with client_of(here, connect) as client:
        assert [event.number for event in client.list_tool_events("add")] == list(range(1, 131))
        assert client.list_tool_events("nothing") == []
        with pytest.raises(InvalidInput):
            client.list_tool_events("No Name")


def test_a_tool_goes_from_one_installation_to_another(connect: Connect) -> None:
    """Signed there, trusted and verified again here: the same digest, and its history says where it came from."""
    there = Installation()
    here = Installation(trusts=(there.signer,))
    original = there.bring()
    with client_of(there, connect) as client:
        exported = client.export_tool("add")
    with client_of(here, connect) as client:
        imported = client.import_tool(exported.file, actor="bob")

    assert exported.public_key == there.signer.public.text
    assert imported.digest == imported.info.digest == original.version.digest
    assert imported.key_id == there.signer.public.key_id
    assert here.store.get_verification(imported.info.verification_id).key_id == here.signer.public.key_id
    (event,) = here.store.lifecycle.events("add")
    assert event.actor == "bob"
    assert there.signer.public.key_id in event.reason
    assert original.version.digest in event.reason


def test_what_comes_out_otherwise_here_is_another_version(connect: Connect) -> None:
    """Other worked calls here: another digest, and both are told."""
    there = Installation()
    here = Installation(trusts=(there.signer,), demonstrations=())
    there.bring()
    with client_of(there, connect) as client:
        file = client.export_tool("add@1").file
    with client_of(here, connect) as client:
        imported = client.import_tool(file)

    assert imported.info.digest != imported.digest


def test_a_strangers_file_needs_to_be_trusted(connect: Connect) -> None:
    """PERMISSION_DENIED with the key and what to do; trusted for one call, it is taken, and the next one is not."""
    there, here = Installation(), Installation()
    there.bring()
    with client_of(there, connect) as client:
        exported = client.export_tool("add")
    with client_of(here, connect) as client:
        for keys in ((), (here.signer.public.text,)):
            with pytest.raises(PermissionDenied, match=there.signer.public.key_id) as told:
                client.import_tool(exported.file, trusted_keys=keys)
            assert "trusted_keys" in str(told.value)
            assert exported.public_key in str(told.value)
        assert here.maker.origins == []
        assert client.import_tool(exported.file, trusted_keys=[exported.public_key]).info.number == 1
        with pytest.raises(PermissionDenied):
            client.import_tool(exported.file)
        with pytest.raises(InvalidInput):
            client.import_tool(exported.file, trusted_keys=["ed25519:x"])
        with pytest.raises(InvalidInput):
            client.import_tool(
                exported.file.replace(b"return a + b", b"return a - b"), trusted_keys=[exported.public_key]
            )


@pytest.mark.parametrize("changes", [{}, {"demonstrations": ()}], ids=["the same here", "other versions here"])
def test_a_tool_made_from_tools_brings_them_along(connect: Connect, changes: dict[str, Any]) -> None:
    """Parts before their users, each verified here, made from what they are here; brought again, they are there."""
    there = Installation()
    here = Installation(trusts=(there.signer,), **changes)
    for name, uses in (("base", ()), ("left", ("base",)), ("top", ("left", "base"))):
        there.compose(name, *uses)
    with client_of(there, connect) as client:
        file = client.export_tool("top").file
    with client_of(here, connect) as client:
        assert client.import_tool(file, actor="bob").info.reference == "top@1"
        client.import_tool(file)

    kept = {name: here.store.get_tool(name) for name in ("base", "left", "top")}
    digests = {name: tool.version.digest for name, tool in kept.items()}
    assert [part.digest for part in kept["left"].version.dependencies] == [digests["base"]]
    assert [part.digest for part in kept["top"].version.dependencies] == [digests["left"], digests["base"]]
    assert {tool.number for tool in kept.values()} == {1}
    assert here.store.get_task("top").uses == ("left", "base")
    assert [event.actor for event in here.store.lifecycle.events("base")] == ["bob"]
    assert (digests["base"] == there.store.get_tool("base").version.digest) == (not changes)


def test_a_part_never_takes_a_name_from_another_tool(connect: Connect) -> None:
    """What a name means here is not changed by what somebody else's tool is made from; nothing is kept."""
    there = Installation()
    here = Installation(trusts=(there.signer,))
    there.bring(1)
    there.compose("top", "add")
    mine = here.bring(2)
    with client_of(there, connect) as client:
        part, file = client.export_tool("add").file, client.export_tool("top").file
    with client_of(here, connect) as client:
        with pytest.raises(NotReady, match="that name means add@1, which is other code"):
            client.import_tool(file)
        assert here.store.get_tool("add") == mine
        assert client.import_tool(part).info.reference == "add@2"
        assert client.import_tool(file).info.reference == "top@1"


def test_each_part_is_signed_by_a_key_that_is_trusted(connect: Connect) -> None:
    """One that was imported there from elsewhere, and verified by another key, is named."""
    other = Signer.generate()
    there, here = Installation(trusts=(other,)), Installation()
    there.compose("top", there.bring().reference)
    version = there.store.get_tool("add").version
    record = other.sign(sample_record(version, "v-other"))
    there.store.lifecycle.renew(record, sample_task(), actor="eve", reason="elsewhere")
    with client_of(there, connect) as client:
        exported = client.export_tool("top")
    with client_of(here, connect) as client:
        with pytest.raises(PermissionDenied, match=f"the file's add is signed by {other.public.key_id}"):
            client.import_tool(exported.file, trusted_keys=[exported.public_key])
        keys = [exported.public_key, other.public.text]
        assert client.import_tool(exported.file, trusted_keys=keys).info.reference == "top@1"


def test_only_what_is_trusted_here_is_exported(connect: Connect) -> None:
    """A record that was never signed, and one whose examples have been replaced, prove nothing to others."""
    here = Installation()
    version = sample_version("old")
    here.store.admit(version, sample_record(version, "v-old"), sample_task("old"))
    here.bring(1)
    task = sample_task(description="Add two integers.")
    here.maker.register(task, ToolSource("def add(a, b):\n    return b + a\n", "add"), origin=Origin("ann"))
    with client_of(here, connect) as client:
        with pytest.raises(NotReady, match="is not signed"):
            client.export_tool("old")
        with pytest.raises(NotReady, match="replaced"):
            client.export_tool("add@1")
        assert client.export_tool("add@2").info.number == 2
