"""Lives of tools: states, approvals, aliases and what is kept of them, the same in every store."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from toolwright.domain.lifecycle import TRANSITIONS, Alias, EventKind, Origin
from toolwright.domain.tool import RegisteredTool, ToolState
from toolwright.errors import AlreadyExists, InvalidInput, NotFound, NotReady
from toolwright.registry.base import Store
from toolwright.registry.testing import sample_record, sample_task, sample_version

pytestmark = pytest.mark.contract

ANY_TEXT = "because\x00 of \ud800 …"


def admit(store: Store, number: int = 1, *, actor: str = "maker", waits: bool = False) -> RegisteredTool:
    """Admit the version of `add` with that number."""
    version = sample_version(code=f"def add(a, b):\n    return a + b  # {number}\n")
    state = ToolState.VERIFIED if waits else ToolState.ACTIVE
    record = sample_record(version, f"v-{number}")
    return store.admit(version, record, sample_task(), state=state, origin=Origin(actor, "made"))


def put(store: Store, digest: str, state: ToolState) -> None:
    """Bring a version that is verified into `state`."""
    for step in {
        ToolState.VERIFIED: (),
        ToolState.ACTIVE: (ToolState.ACTIVE,),
        ToolState.QUARANTINED: (ToolState.QUARANTINED,),
        ToolState.RETIRED: (ToolState.RETIRED,),
    }[state]:
        store.lifecycle.change_state(digest, step, actor="test", reason="")


def at_once(*deeds: Callable[[], object]) -> list[object]:
    """Do all at once; return what each gave, or raised."""

    def outcome(deed: Callable[[], object]) -> object:
        try:
            return deed()
        except NotReady as fault:
            return fault

    with ThreadPoolExecutor(len(deeds)) as threads:
        return list(threads.map(outcome, deeds))


# --- states -----------------------------------------------------------------------------------------


def test_admission_is_the_first_event(store: Store) -> None:
    """Who brought a version, and in what state it began, is on record."""
    tool = admit(store, actor="ann", waits=True)

    (event,) = store.lifecycle.events("add")
    assert (event.kind, event.actor, event.reason) == (EventKind.ADMITTED, "ann", "made")
    assert (event.from_state, event.to_state) == (ToolState.DRAFT, ToolState.VERIFIED)
    assert (event.number, event.digest) == (1, tool.version.digest)
    assert store.get_tool("add@1").state is ToolState.VERIFIED


def test_the_same_content_again_is_no_event(store: Store) -> None:
    """Admitting what is there changes nothing."""
    admit(store)
    admit(store)

    assert len(store.lifecycle.events("add")) == 1


@pytest.mark.parametrize("state", [state for state in ToolState if state is not ToolState.DRAFT])
@pytest.mark.parametrize("to", list(ToolState))
def test_the_table_decides(store: Store, state: ToolState, to: ToolState) -> None:
    """Each state becomes what the table says and nothing else; a refusal names what is possible, and keeps nothing."""
    digest = admit(store, waits=True).version.digest
    put(store, digest, state)
    before = store.lifecycle.events("add")

    if to in TRANSITIONS[state]:
        assert store.lifecycle.change_state(digest, to, actor="bob", reason=ANY_TEXT).state is to
        last = store.lifecycle.events("add")[-1]
        assert (last.from_state, last.to_state, last.actor, last.reason) == (state, to, "bob", ANY_TEXT)
        return
    with pytest.raises(NotReady, match=f"add@1 is {state.value} and cannot become {to.value}") as told:
        store.lifecycle.change_state(digest, to, actor="bob", reason="")
    assert all(possible.value in str(told.value) for possible in TRANSITIONS[state])
    assert store.lifecycle.events("add") == before
    assert store.get_tool("add@1").state is state


def test_a_state_that_is_not_expected_is_refused(store: Store) -> None:
    """Whoever looked at an older state is told."""
    digest = admit(store).version.digest

    with pytest.raises(NotReady, match="active and not verified"):
        store.lifecycle.change_state(digest, ToolState.RETIRED, actor="a", reason="", expected=ToolState.VERIFIED)
    store.lifecycle.change_state(digest, ToolState.RETIRED, actor="a", reason="", expected=ToolState.ACTIVE)


def test_an_unknown_version_has_no_state(store: Store) -> None:
    """There is nothing to change."""
    with pytest.raises(NotFound):
        store.lifecycle.change_state("sha256:" + "0" * 64, ToolState.RETIRED, actor="a", reason="")
    with pytest.raises(NotFound):
        store.lifecycle.approve("\x00", actor="a", reason="", persons=1)
    assert store.lifecycle.events("nothing") == []
    assert store.lifecycle.events("\ud800") == []


def test_one_of_two_at_once_changes_the_state(store: Store) -> None:
    """Two that quarantine at once: one does, the other is told."""
    digest = admit(store).version.digest

    outcomes = at_once(
        *(
            lambda actor=actor: store.lifecycle.change_state(digest, ToolState.QUARANTINED, actor=actor, reason="")
            for actor in ("a", "b")
        )
    )

    assert sum(isinstance(outcome, NotReady) for outcome in outcomes) == 1
    assert sum(event.kind is EventKind.STATE for event in store.lifecycle.events("add")) == 1


def test_events_come_in_pages(store: Store) -> None:
    """From an event on, so many at most."""
    admit(store, 1)
    admit(store, 2)
    first, second = store.lifecycle.events("add")

    assert store.lifecycle.events("add", limit=1) == [first]
    assert store.lifecycle.events("add", after=first.event_id) == [second]
    assert store.lifecycle.events("add", after=2**70) == []


# --- approvals --------------------------------------------------------------------------------------


def test_one_person_approves(store: Store) -> None:
    """Where one is enough, the version is active, and both events are kept."""
    digest = admit(store, waits=True).version.digest

    assert store.lifecycle.approve(digest, actor="ann", reason="read it", persons=1).state is ToolState.ACTIVE
    kinds = [event.kind for event in store.lifecycle.events("add")]
    assert kinds == [EventKind.ADMITTED, EventKind.APPROVED, EventKind.STATE]


def test_two_different_persons_approve(store: Store) -> None:
    """The first one's approval is kept; the same person again is refused, however their name is written."""
    digest = admit(store, waits=True).version.digest

    assert store.lifecycle.approve(digest, actor="ann", reason="", persons=2).state is ToolState.VERIFIED
    for same in ("ann", "Ann"):
        with pytest.raises(NotReady, match="approved add@1 already"):
            store.lifecycle.approve(digest, actor=same, reason="", persons=2)
    assert store.lifecycle.approve(digest, actor="bob", reason="", persons=2).state is ToolState.ACTIVE


def test_who_brought_it_approves_nothing(store: Store) -> None:
    """Nobody approves their own."""
    digest = admit(store, actor="ann", waits=True).version.digest

    with pytest.raises(NotReady, match="brought add@1"):
        store.lifecycle.approve(digest, actor="ANN", reason="", persons=1)
    assert store.get_tool("add@1").state is ToolState.VERIFIED


def test_old_approvals_do_not_release(store: Store) -> None:
    """A quarantined version needs approvals of its own: those from before do not count."""
    digest = admit(store, waits=True).version.digest
    store.lifecycle.approve(digest, actor="ann", reason="", persons=2)
    store.lifecycle.approve(digest, actor="bob", reason="", persons=2)
    store.lifecycle.change_state(digest, ToolState.QUARANTINED, actor="eve", reason="wrong answers")

    assert store.lifecycle.approve(digest, actor="ann", reason="", persons=2).state is ToolState.QUARANTINED
    assert store.lifecycle.approve(digest, actor="bob", reason="", persons=2).state is ToolState.ACTIVE


@pytest.mark.parametrize("state", [ToolState.ACTIVE, ToolState.RETIRED])
def test_only_what_waits_is_approved(store: Store, state: ToolState) -> None:
    """An active or retired version has nothing to be approved."""
    digest = admit(store, waits=True).version.digest
    put(store, digest, state)

    with pytest.raises(NotReady, match=f"is {state.value}"):
        store.lifecycle.approve(digest, actor="ann", reason="", persons=1)


def test_two_approve_at_once(store: Store) -> None:
    """Two persons at once are two; the same person twice at once is one."""
    digest = admit(store, waits=True).version.digest
    same = at_once(*[lambda: store.lifecycle.approve(digest, actor="ann", reason="", persons=2)] * 2)
    assert sum(isinstance(outcome, NotReady) for outcome in same) == 1
    assert store.get_tool("add@1").state is ToolState.VERIFIED

    other = admit(store, 2, waits=True).version.digest
    at_once(
        *(
            lambda actor=actor: store.lifecycle.approve(other, actor=actor, reason="", persons=2)
            for actor in ("ann", "bob")
        )
    )
    assert store.get_tool("add@2").state is ToolState.ACTIVE


# --- new records ------------------------------------------------------------------------------------


def test_a_version_gets_a_new_record(store: Store) -> None:
    """What was verified again has the new record and the state that goes with it; the old record stays kept."""
    tool = admit(store)
    digest, task = tool.version.digest, sample_task(description="Add two more numbers.")
    store.lifecycle.change_state(digest, ToolState.QUARANTINED, actor="a", reason="")
    record = sample_record(tool.version, "v-new", task_digest=task.digest)

    renewed = store.lifecycle.renew(record, task, actor="bob", reason="new image", to=ToolState.ACTIVE)

    assert (renewed.verification_id, renewed.state, renewed.number) == ("v-new", ToolState.ACTIVE, 1)
    assert store.get_tool("add") == renewed
    assert store.get_task("add") == task
    assert store.get_verification("v-1").verification_id == "v-1"
    assert [event.kind for event in store.lifecycle.events("add")][-2:] == [EventKind.VERIFIED, EventKind.STATE]


def test_a_record_that_proves_nothing_renews_nothing(store: Store) -> None:
    """A failed check, another task, a taken id, an unknown version, a state that cannot follow: nothing is kept."""
    tool = admit(store)
    before = (store.get_tool("add"), store.lifecycle.events("add"), store.get_task("add"))
    good = sample_record(tool.version, "v-2")
    other = sample_version(code="def add(a, b): ...\n")

    for record, task, fault in (
        (sample_record(tool.version, "v-2", checks=good.checks[:1]), sample_task(), ValueError),
        (good, sample_task(description="Another."), ValueError),
        (sample_record(tool.version, "v-1"), sample_task(), AlreadyExists),
        (sample_record(other, "v-2"), sample_task(), NotFound),
    ):
        with pytest.raises(fault):
            store.lifecycle.renew(record, task, actor="a", reason="")
    with pytest.raises(NotReady):
        store.lifecycle.renew(good, sample_task(), actor="a", reason="", to=ToolState.VERIFIED)

    assert (store.get_tool("add"), store.lifecycle.events("add"), store.get_task("add")) == before
    with pytest.raises(NotFound):
        store.get_verification("v-2")


# --- aliases ----------------------------------------------------------------------------------------


def point(store: Store, number: int, alias: str = "stable", share: float = 0.0) -> Alias:
    """Point an alias of `add` at a version."""
    return store.lifecycle.set_alias(Alias("add", alias, number, share), actor="ann", reason="tried it")


def test_aliases_are_kept_with_their_events(store: Store) -> None:
    """What was set is listed; each change says from where to where."""
    admit(store, 1)
    admit(store, 2)
    point(store, 1)
    point(store, 2)
    point(store, 2, "canary", 0.25)
    store.lifecycle.remove_alias("add", "canary", actor="bob", reason="")

    assert store.lifecycle.aliases("add") == [Alias("add", "stable", 2)]
    changes = [(e.alias, e.from_number, e.number, e.share, e.actor) for e in store.lifecycle.events("add")[2:]]
    assert changes == [
        ("stable", None, 1, 0.0, "ann"),
        ("stable", 1, 2, 0.0, "ann"),
        ("canary", None, 2, 0.25, "ann"),
        ("canary", 2, 0, 0.0, "bob"),
    ]


def test_an_alias_points_at_an_active_version(store: Store) -> None:
    """Not at one that is held back, and not at one that is not there."""
    admit(store, 1, waits=True)

    with pytest.raises(NotReady, match="add@1 is verified"):
        point(store, 1)
    for number in (0, 2, -1, 2**70):
        with pytest.raises(NotFound):
            point(store, number)
    with pytest.raises(NotFound):
        store.lifecycle.remove_alias("add", "stable", actor="a", reason="")
    assert store.lifecycle.aliases("add") == []


@pytest.mark.parametrize(
    ("alias", "share"),
    [("", 0.0), ("1", 0.0), ("Stable", 0.0), ("latest", 0.0), ("a" * 65, 0.0), ("stable\n", 0.0), ("stable", 0.5)]
    + [("canary", share) for share in (-0.1, 1.1, float("nan"), float("inf"))],
)
def test_a_bad_alias_is_refused(store: Store, alias: str, share: float) -> None:
    """Its form, or a share that is none."""
    admit(store)

    with pytest.raises(InvalidInput):
        point(store, 1, alias, share)


def test_rollback_goes_back_step_by_step(store: Store) -> None:
    """Each rollback goes to what `stable` pointed at before, over versions out of use, until nothing is left."""
    for number in (1, 2, 3, 4):
        admit(store, number)
    for number in (1, 3, 2, 4):
        point(store, number)
    put_out = store.get_tool("add@2").version.digest
    store.lifecycle.change_state(put_out, ToolState.RETIRED, actor="a", reason="")

    assert store.lifecycle.rollback("add", actor="a", reason="worse").number == 3
    assert store.lifecycle.rollback("add", actor="a", reason="worse").number == 1
    with pytest.raises(NotReady, match="no earlier active version"):
        store.lifecycle.rollback("add", actor="a", reason="")
    assert store.lifecycle.aliases("add") == [Alias("add", "stable", 1)]
    point(store, 4)
    assert store.lifecycle.rollback("add", actor="a", reason="").number == 1
    assert [e.kind for e in store.lifecycle.events("add")].count(EventKind.ROLLBACK) == 3


def test_rollback_without_stable_leaves_the_newest(store: Store) -> None:
    """A plain name meant the newest active version; then it means the one before."""
    for number in (1, 2, 3):
        admit(store, number)

    assert store.lifecycle.rollback("add", actor="a", reason="") == Alias("add", "stable", 2)
    assert store.get_tool("add").number == 2
    with pytest.raises(NotFound):
        store.lifecycle.rollback("subtract", actor="a", reason="")


def test_aliases_and_rollbacks_at_once_are_one_after_the_other(store: Store) -> None:
    """Whatever the order, what the events say is what is set, and each began where the one before ended."""
    for number in (1, 2, 3):
        admit(store, number)
        point(store, number)

    at_once(
        *[lambda number=number: point(store, number) for number in (1, 2, 3, 1, 2, 3)],
        *[lambda: store.lifecycle.rollback("add", actor="b", reason="")] * 4,
    )

    moves = [event for event in store.lifecycle.events("add") if event.alias]
    assert all(later.from_number == earlier.number for earlier, later in pairwise(moves))
    assert store.lifecycle.aliases("add") == [Alias("add", "stable", moves[-1].number)]


# --- what references mean ---------------------------------------------------------------------------


def test_a_plain_name_is_stable_or_the_newest_active(store: Store) -> None:
    """`stable`, where it is set; else the newest active version; other aliases by name alone."""
    for number in (1, 2, 3):
        admit(store, number)
    assert store.get_tool("add").number == 3

    point(store, 2)
    point(store, 1, "old")
    assert [store.get_tool(reference).number for reference in ("add", "add@stable", "add@old")] == [2, 2, 1]
    with pytest.raises(NotFound, match="add@canary"):
        store.get_tool("add@canary")


def test_a_share_of_calls_goes_to_the_canary(store: Store) -> None:
    """A lot below the share draws the canary; whoever draws none never gets it."""
    for number in (1, 2):
        admit(store, number)
    point(store, 2, "canary", 0.25)

    drawn = [store.get_tool("add", lot=lot).number for lot in (0.0, 0.2499, 0.25, 0.9)]
    assert drawn == [2, 2, 1, 1]  # without `stable`, the newest active version but for the canary
    assert store.get_tool("add").number == 1
    point(store, 1)
    assert [store.get_tool("add", lot=lot).number for lot in (0.0, 0.9)] == [2, 1]
    assert store.get_tool("add@canary").number == 2


def test_a_canary_alone_is_the_tool(store: Store) -> None:
    """With no other active version, all calls go there."""
    admit(store)
    point(store, 1, "canary", 0.0)

    assert store.get_tool("add").number == 1


def test_a_canary_that_is_held_back_draws_nothing(store: Store) -> None:
    """Calls go to `stable` then; `stable` itself is never silently replaced."""
    for number in (1, 2, 3):
        admit(store, number)
    point(store, 1)
    point(store, 2, "canary", 1.0)
    for number in (2, 1):
        digest = store.get_tool(f"add@{number}").version.digest
        store.lifecycle.change_state(digest, ToolState.QUARANTINED, actor="a", reason="")

    held = store.get_tool("add", lot=0.0)
    assert (held.number, held.state) == (1, ToolState.QUARANTINED)
