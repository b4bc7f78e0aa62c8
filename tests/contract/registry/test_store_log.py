"""What every store promises about makings, attempts and executions."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from toolwright.domain.ledger import Baseline
from toolwright.domain.outcome import Status
from toolwright.domain.record import Making, Stage
from toolwright.errors import AlreadyExists, InvalidInput, NotFound, StoreUnavailable
from toolwright.registry.base import Store
from toolwright.registry.testing import (
    sample_attempt,
    sample_execution,
    sample_making,
    sample_record,
    sample_task,
    sample_use,
    sample_version,
)

ODD_TEXT = 'Größe Ω 漢字 🙂 \\ " \x00 \ud800 \u202e \r\n end'

# --- makings and attempts ---------------------------------------------------------------------------


def test_making_runs_and_ends(store: Store) -> None:
    """A making is listed while it runs and when it has ended."""
    store.start_making(sample_making())
    assert list(store.list_makings()) == [sample_making()]
    store.finish_making("m-1", at=9.5, tool_digest="sha256:" + "1" * 64)

    assert list(store.list_makings("add")) == [Making("m-1", "add", 1.5, 9.5, "sha256:" + "1" * 64)]


def test_failure_of_a_making_is_kept_whatever_it_holds(store: Store) -> None:
    """A failure quotes models and tools; no character of it is lost."""
    store.start_making(sample_making())
    store.finish_making("m-1", at=9.5, failure=ODD_TEXT)

    assert store.list_makings()[0].failure == ODD_TEXT


def test_the_first_end_stands(store: Store) -> None:
    """The same end again is no error, another one is, and changes nothing."""
    store.start_making(sample_making())
    store.finish_making("m-1", at=9.5, failure="no reply")
    store.finish_making("m-1", at=9.5, failure="no reply")
    with pytest.raises(AlreadyExists, match="m-1"):
        store.finish_making("m-1", at=10.5, tool_digest="sha256:" + "1" * 64)

    assert store.list_makings()[0] == Making("m-1", "add", 1.5, 9.5, "", "no reply")


@pytest.mark.parametrize("making_id", ["m-2", "", "\ud800", "\x00"])
def test_unknown_making(store: Store, making_id: str) -> None:
    """Nothing is kept for a making that never started."""
    store.start_making(sample_making())
    with pytest.raises(NotFound):
        store.finish_making(making_id, at=1.0)
    with pytest.raises((NotFound, InvalidInput)):
        store.add_attempt(sample_attempt(making_id))

    assert list(store.list_attempts(making_id)) == []


def test_makings_by_start_and_task(store: Store) -> None:
    """Oldest first; those that began at the same time as they came."""
    for making_id, task, at in [("m-3", "b", 3.0), ("m-2", "a", 2.0), ("m-1", "a", 3.0)]:
        store.start_making(sample_making(making_id, task, at))

    assert [making.making_id for making in store.list_makings()] == ["m-2", "m-3", "m-1"]
    assert [making.making_id for making in store.list_makings("a")] == ["m-2", "m-1"]
    assert list(store.list_makings("c")) == []
    assert list(store.list_makings("\ud800\x00")) == []


def test_attempts_keep_every_character_in_order(store: Store) -> None:
    """Prompt, reply, source and verdict come from models: any text at all, megabytes too."""
    store.start_making(sample_making())
    attempts = [
        sample_attempt(number=2, prompt=ODD_TEXT, reply="", source=ODD_TEXT, verdict=ODD_TEXT, stage=Stage.WRAP),
        sample_attempt(number=10, accepted=True),
        sample_attempt(number=1, reply="ä🙂" * 500_000, stage=Stage.PROPOSE),
    ]
    for attempt in attempts:
        store.add_attempt(attempt)

    assert list(store.list_attempts("m-1")) == sorted(attempts, key=lambda attempt: attempt.number)


def test_ids_are_taken_once(store: Store) -> None:
    """A second value under one id is refused, and the first stays."""
    store.start_making(sample_making())
    store.add_attempt(sample_attempt())
    store.add_execution(sample_execution())
    with pytest.raises(AlreadyExists, match="m-1"):
        store.start_making(sample_making(task="other"))
    with pytest.raises(AlreadyExists, match="m-1/1"):
        store.add_attempt(sample_attempt(reply="other"))
    with pytest.raises(AlreadyExists, match="e-1"):
        store.add_execution(sample_execution(tenant="other"))

    assert list(store.list_makings()) == [sample_making()]
    assert list(store.list_attempts("m-1")) == [sample_attempt()]
    assert store.get_execution("e-1") == sample_execution()


# --- executions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", list(Status))
def test_execution_comes_back_as_it_was(store: Store, status: Status) -> None:
    """Every field of an execution is kept, for each status."""
    entry = sample_execution(status=status, tenant="Mieter Ω", peak_memory_bytes=2**63 - 1, wall_ms=0.1 + 0.2)
    store.add_execution(entry)

    assert store.get_execution("e-1") == entry


def test_execution_is_on_record_from_its_beginning(store: Store) -> None:
    """One that begins is kept as not ended; its end fills the same entry, once, even if it has no verdict."""
    begun = sample_execution(status=None, ended=False, result_sha256="")
    store.begin_execution(begun)
    assert store.get_execution("e-1") == begun
    with pytest.raises(AlreadyExists):
        store.begin_execution(begun)

    cancelled = sample_execution(status=None)
    store.add_execution(cancelled)

    assert store.get_execution("e-1") == cancelled
    assert store.count_executions() == 1
    with pytest.raises(AlreadyExists):
        store.add_execution(sample_execution())


def test_executions_are_counted_by_purpose(store: Store) -> None:
    """All of them, or those of one purpose."""
    for n, purpose in enumerate(["call", "solve", "call"]):
        store.add_execution(sample_execution(f"e-{n}", purpose=purpose))

    counts = {purpose: store.count_executions(purpose=purpose) for purpose in ["", "call", "solve", "x", "\ud800"]}
    assert counts == {"": 3, "call": 2, "solve": 1, "x": 0, "\ud800": 0}


@pytest.mark.parametrize("execution_id", ["", "e-2", "\ud800", "\x00"])
def test_unknown_execution(store: Store, execution_id: str) -> None:
    """An id that no execution has is NotFound."""
    store.add_execution(sample_execution())

    with pytest.raises(NotFound):
        store.get_execution(execution_id)


@pytest.mark.parametrize(
    "change",
    [
        {"tool": "a\x00b"},
        {"tenant": "\ud800"},
        {"wall_ms": math.nan},
        {"cpu_ms": math.inf},
        {"peak_memory_bytes": 2**63},
        {"stdout_bytes": -(10**400)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_a_database_cannot_hold_is_refused_by_name(store: Store, change: dict[str, Any]) -> None:
    """No value is kept as something else: the field is named, and nothing is kept."""
    with pytest.raises(InvalidInput) as caught:
        store.add_execution(sample_execution(**change))

    assert caught.value.field == f"execution.{next(iter(change))}"
    assert store.count_executions() == 0


def test_eight_threads_write_and_read(store: Store) -> None:
    """Writers and readers at once: everything acknowledged can be read at once, and nothing is lost."""

    def write(n: int) -> bool:
        entry = sample_execution(f"e-{n}", stdout_bytes=n)
        store.add_execution(entry)
        store.ledger.add(sample_use())
        return store.get_execution(entry.execution_id) == entry and store.count_executions() > 0

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(write, range(200)))
    assert store.count_executions() == 200
    assert store.ledger.sums()[0].calls == 200


# --- the end --------------------------------------------------------------------------------------


def test_a_closed_store_says_so(store: Store) -> None:
    """After close every method raises StoreUnavailable, and close itself does nothing more."""
    version = sample_version()
    store.close()
    store.close()

    for use in (
        lambda: store.save_task(sample_task()),
        lambda: store.get_task("add"),
        lambda: store.admit(version, sample_record(version), sample_task()),
        lambda: store.get_tool("add"),
        store.list_tools,
        store.headings,
        lambda: store.get_verification("v-1"),
        lambda: store.start_making(sample_making()),
        lambda: store.add_attempt(sample_attempt()),
        lambda: store.finish_making("m-1", at=1.0),
        store.list_makings,
        lambda: store.list_attempts("m-1"),
        lambda: store.add_execution(sample_execution()),
        lambda: store.get_execution("e-1"),
        store.count_executions,
        lambda: store.ledger.add(sample_use()),
        store.ledger.sums,
        store.ledger.by_task,
        lambda: store.ledger.series(Baseline(), points=1),
    ):
        with pytest.raises(StoreUnavailable, match="closed"):
            use()
