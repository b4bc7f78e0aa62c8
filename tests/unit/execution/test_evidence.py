"""What a version has to show before it runs in a container: each flaw alone is enough to refuse it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest

from toolwright.domain.call import ExecutionRequest
from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Status
from toolwright.domain.record import Check, VerificationRecord
from toolwright.errors import NotReady, StoreCorrupt, StoreUnavailable
from toolwright.execution.evidence import Evidence
from toolwright.execution.executor import SandboxExecutor
from toolwright.registry.memory import MemoryStore
from toolwright.registry.signing import Keyring, Signer
from toolwright.registry.testing import sample_task, sample_version, signed_record
from toolwright.sandbox.base import SandboxInfo
from toolwright.sandbox.testing import ScriptedPool

pytestmark = [pytest.mark.unit]

VERSION = sample_version()
OTHER = sample_version(code="def add(a, b):\n    return 7\n")
SIGNER, STRANGER = Signer.generate(), Signer.generate()
ADD = ExecutionRequest("add", '{"a":1,"b":2}')


class ChangedStore(MemoryStore):
    """Gives out another record than it keeps, as after a change past it that fits its digests."""

    def __init__(self, record: VerificationRecord) -> None:
        super().__init__()
        self.record = record
        self.reads = 0

    def get_verification(self, verification_id: str) -> VerificationRecord:
        self.reads += 1
        return self.record


def good(image: str) -> VerificationRecord:
    """Return the record that lets the tool run."""
    return signed_record(SIGNER, image, VERSION)


def run(change: Callable[[VerificationRecord], VerificationRecord]) -> tuple[BaseException | None, int]:
    """Call the tool on a record changed so; return what was raised, and how many calls reached a sandbox."""
    calls: list[Any] = []
    pool = ScriptedPool({"add": lambda arguments, _call, _cancellation: calls.append(arguments) or 3})
    record = good(pool.info.image_digest)
    store = ChangedStore(change(record))
    store.admit(VERSION, record, sample_task())
    executor = SandboxExecutor(pool, store, Limits(), evidence=Evidence(store, Keyring([SIGNER.public])))
    try:
        executor.execute(ADD)
    except (NotReady, StoreCorrupt) as fault:
        return fault, len(calls)
    return None, len(calls)


def changed(name: str, value: object) -> object:
    """Return another value of the field `name`."""
    match value:
        case bool():
            return not value
        case str():
            return value[:-1] + ("0" if value[-1:] != "0" else "1")
        case int() | float():
            return value + 1
        case tuple() if name == "checks":
            return (*value, Check("extra", held_out=True, status=Status.SUCCESS, passed=True, execution_id="e-3"))
        case _:
            return None


def test_a_signed_record_lets_the_tool_run() -> None:
    """The control of all that follows."""
    assert run(lambda record: record) == (None, 1)


@pytest.mark.parametrize("name", [field.name for field in fields(VerificationRecord)])
def test_a_record_that_was_changed_anywhere_is_refused(name: str) -> None:
    """One field of what was signed, or of the signature, is another: nothing runs."""
    value = getattr(good("sha256:" + "0" * 64), name)
    other = changed(name, value)
    if other is None:
        pytest.skip(f"{name} has its default in this record; the fields that are set are changed")

    fault, calls = run(lambda record: replace(record, **{name: other}))

    assert isinstance(fault, NotReady if name == "key_id" else StoreCorrupt)
    assert "tools verify add@1" in str(fault)
    assert calls == 0


@pytest.mark.parametrize(
    ("change", "expected", "says"),
    [
        (lambda record: replace(record, signature="", key_id=""), NotReady, "is not signed"),
        (lambda record: replace(record, signature=""), NotReady, "is not signed"),
        (lambda record: replace(record, signature="not base64"), StoreCorrupt, "not what was signed"),
        (lambda record: replace(STRANGER.sign(record)), NotReady, STRANGER.public.key_id),
        (lambda record: replace(STRANGER.sign(record), key_id=record.key_id), StoreCorrupt, "not what was signed"),
        (lambda record: signed_record(SIGNER, record.image_digest, OTHER), StoreCorrupt, OTHER.digest),
        (lambda record: signed_record(SIGNER, "sha256:" + "9" * 64, VERSION), NotReady, "9" * 64),
        (lambda record: SIGNER.sign(replace(record, checks=record.checks[:1])), StoreCorrupt, "did not pass"),
    ],
    ids=[
        "unsigned",
        "no_signature",
        "no_base64",
        "foreign_key",
        "foreign_signature",
        "other_digest",
        "other_image",
        "not_passed",
    ],
)
def test_each_flaw_alone_is_refused(
    change: Callable[[VerificationRecord], VerificationRecord], expected: type[Exception], says: str
) -> None:
    """Nothing runs, and the text says what is wrong and what to do."""
    fault, calls = run(change)

    assert isinstance(fault, expected)
    assert says in str(fault)
    assert "verify" in str(fault) or "backup" in str(fault)
    assert calls == 0


def test_without_a_trusted_key_no_registered_tool_runs() -> None:
    """An executor that was given no evidence to go by fails closed."""
    pool = ScriptedPool({"add": lambda *_: 3})
    store = MemoryStore()
    store.admit(VERSION, good(pool.info.image_digest), sample_task())

    with pytest.raises(NotReady, match="not trusted here"):
        SandboxExecutor(pool, store, Limits()).execute(ADD)


def test_a_record_is_looked_at_once_for_each_container_version_and_record() -> None:
    """What was looked at is remembered, and nothing else: another container, image, version or record is not."""
    image = "sha256:" + "0" * 64
    store = ChangedStore(good(image))
    evidence = Evidence(store, Keyring([SIGNER.public]))
    first = SandboxInfo("c1", image, "runc")
    for _ in range(3):
        evidence.check("add@1", VERSION.digest, "v-1", first)
    assert store.reads == 1

    evidence.check("add@1", VERSION.digest, "v-1", replace(first, container_id="c2"))
    evidence.check("add@1", VERSION.digest, "v-2", first)
    assert store.reads == 3
    for digest, container in ((OTHER.digest, first), (VERSION.digest, replace(first, image_digest="sha256:else"))):
        with pytest.raises((NotReady, StoreCorrupt)):
            evidence.check("add@1", digest, "v-1", container)
    for _ in range(2):  # a refusal is never remembered
        with pytest.raises(StoreCorrupt):
            evidence.check("add@1", OTHER.digest, "v-1", first)


def test_what_is_remembered_is_bounded() -> None:
    """Containers come and go; the memory of them does not grow for ever, and what is forgotten is looked at anew."""
    image = "sha256:" + "0" * 64
    store = ChangedStore(good(image))
    evidence = Evidence(store, Keyring([SIGNER.public]))
    for number in range(5_000):
        evidence.check("add@1", VERSION.digest, "v-1", SandboxInfo(f"c{number}", image, "runc"))
    assert len(evidence._seen) <= 4_096

    reads = store.reads
    evidence.check("add@1", VERSION.digest, "v-1", SandboxInfo("c4999", image, "runc"))
    evidence.check("add@1", VERSION.digest, "v-1", SandboxInfo("c0", image, "runc"))
    assert store.reads == reads + 1


def test_a_store_that_fails_lets_nothing_run() -> None:
    """A record that cannot be read proves nothing."""
    store = MemoryStore()
    store.close()

    with pytest.raises(StoreUnavailable):
        Evidence(store, Keyring([SIGNER.public])).check("a@1", "sha256:0", "v", SandboxInfo("c", "i", "runc"))
