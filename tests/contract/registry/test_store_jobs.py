"""Jobs: who works on which, for how long, and how they end; the same in every store, and between two servers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from toolwright.domain.job import Budget, Job, JobKind, JobState
from toolwright.domain.record import Role, TokenUse
from toolwright.errors import AlreadyExists, NotFound, Overloaded
from toolwright.registry.base import Store
from toolwright.registry.jobs import Ending, Progress
from toolwright.registry.testing import sample_job, sample_task

USE = (TokenUse(Role.MAKER, "strong\x00\ud800", 2, 100, 20, 0.25),)


def kept(store: Store, job: Job) -> Job:
    """Open `job` as a new one."""
    opened, is_new = store.jobs.open(job, most_queued=100)
    assert is_new
    return opened


def test_a_job_comes_back_as_it_was(store: Store) -> None:
    """Every field, texts with any characters included."""
    job = sample_job(kind=JobKind.ONLINE, budget=Budget(3, 1000, 0.5, 60.0), candidates=2)
    assert kept(store, job) == job
    assert store.jobs.get("m-1") == job
    assert store.jobs.take("one", lease_s=60) is not None
    assert store.jobs.note("m-1", "one", Progress(2, USE, 1.5, "trying \x00\ud800"))
    noted = store.jobs.get("m-1")
    assert (noted.begun, noted.token_use, noted.seconds, noted.progress) == (2, USE, 1.5, "trying \x00\ud800")
    assert noted.spent == Budget(2, 120, 0.25, 1.5)


def test_what_is_not_there_is_not_found(store: Store) -> None:
    """Getting and cancelling name it; taking, renewing and ending change nothing."""
    for making_id in ("none", "\x00"):
        with pytest.raises(NotFound):
            store.jobs.get(making_id)
        with pytest.raises(NotFound):
            store.jobs.cancel(making_id, "")
        assert store.jobs.take("one", lease_s=1, making_id=making_id) is None
    assert store.jobs.renew("none", "one", lease_s=1) is None
    assert not store.jobs.finish("none", "one", Ending(JobState.DONE))
    assert not store.jobs.note("none", "one", Progress(1, (), 0.0))


def test_an_id_is_taken_once(store: Store) -> None:
    """Another task's job cannot have it."""
    kept(store, sample_job())
    with pytest.raises(AlreadyExists):
        store.jobs.open(sample_job(task=sample_task("other")), most_queued=10)


@pytest.mark.parametrize(
    ("change", "shares"),
    [
        ({}, True),
        ({"budget": Budget(2, 500, 0.5, 30.0)}, True),
        ({"budget": Budget(4, 500, 0.5, 30.0)}, False),
        ({"budget": Budget(3, 0, 0.5, 30.0)}, False),
        ({"budget": Budget(3, 1000, 1.5, 30.0)}, False),
        ({"budget": Budget(3, 1000, 0.0, 0.0)}, False),
        ({"candidates": 2}, False),
        ({"task": sample_task(description="Another.")}, False),
    ],
)
def test_requests_for_one_task_share_a_job_that_may_spend_as_much(
    store: Store, change: dict[str, object], *, shares: bool
) -> None:
    """The same content and no higher budget: the job that is there. Else one of its own."""
    first = kept(store, sample_job(budget=Budget(3, 1000, 1.0, 60.0)))
    asked = replace(sample_job("m-2", budget=Budget(3, 1000, 1.0, 60.0)), **change)  # type: ignore[arg-type]
    job, is_new = store.jobs.open(asked, most_queued=10)
    assert (job.making_id, is_new) == ((first.making_id, False) if shares else ("m-2", True))


@pytest.mark.parametrize("state", [JobState.DONE, JobState.FAILED, JobState.CANCELLED])
def test_what_has_ended_is_not_shared(store: Store, state: JobState) -> None:
    """Nor is it taken, cancelled or ended again."""
    kept(store, sample_job())
    store.jobs.take("one", lease_s=60)
    assert store.jobs.finish("m-1", "one", Ending(state, "why", "sha256:1", merged=True))
    ended = store.jobs.get("m-1")
    assert (ended.state, ended.reason, ended.tool_digest, ended.merged) == (state, "why", "sha256:1", True)
    assert ended.finished_at is not None
    assert store.jobs.cancel("m-1", "late") == ended
    assert store.jobs.take("two", lease_s=60) is None
    assert not store.jobs.finish("m-1", "one", Ending(JobState.DONE))
    assert store.jobs.open(sample_job("m-2"), most_queued=10)[1]


def test_waiting_jobs_are_bounded(store: Store) -> None:
    """One more is refused with a time to come back; sharing one, and one that is worked on, count for nothing."""
    kept(store, sample_job())
    assert not store.jobs.open(sample_job("m-2"), most_queued=1)[1]
    other = sample_job("m-3", task=sample_task("other"))
    with pytest.raises(Overloaded) as refused:
        store.jobs.open(other, most_queued=1)
    assert refused.value.retry_after_s > 0
    begun = replace(other, making_id="m-4", state=JobState.RUNNING, owner="two", lease_until=1e12, starts=1)
    assert store.jobs.open(begun, most_queued=1) == (begun, True), "it does not wait"
    store.jobs.cancel("m-4", "")
    store.jobs.take("one", lease_s=60)
    assert store.jobs.open(other, most_queued=1)[1]


def test_a_lease_keeps_others_away_until_it_runs_out(clocked: tuple[Store, Store, list[float]]) -> None:
    """The second server gets the job only when the first has not renewed in time; then the first has lost it."""
    one, two, now = clocked
    kept(one, sample_job())
    taken = one.jobs.take("one", lease_s=10)
    assert taken is not None
    assert (taken.state, taken.owner, taken.lease_until, taken.starts) == (JobState.RUNNING, "one", 110.0, 1)
    now[0] = 109.0
    assert two.jobs.take("two", lease_s=10) is None
    renewed = one.jobs.renew("m-1", "one", lease_s=10)
    assert renewed is not None
    assert renewed.lease_until == 119.0
    now[0] = 118.0
    assert two.jobs.take("two", lease_s=10, making_id="m-1") is None
    now[0] = 119.0
    taken = two.jobs.take("two", lease_s=10)
    assert taken is not None
    assert (taken.owner, taken.starts) == ("two", 2)
    assert one.jobs.renew("m-1", "one", lease_s=10) is None
    assert not one.jobs.note("m-1", "one", Progress(9, (), 9.0))
    assert not one.jobs.finish("m-1", "one", Ending(JobState.FAILED, "lost"))
    one.jobs.release("m-1", "one")
    assert two.jobs.get("m-1") == taken


def test_a_job_given_back_is_taken_at_once(clocked: tuple[Store, Store, list[float]]) -> None:
    """Without waiting for the lease."""
    one, two, _ = clocked
    kept(one, sample_job())
    one.jobs.take("one", lease_s=1000)
    one.jobs.release("m-1", "one")
    assert two.jobs.take("two", lease_s=10) is not None


def test_the_oldest_is_taken_first(store: Store) -> None:
    """Unless one is named."""
    for number in range(3):
        kept(store, sample_job(f"m-{number}", task=sample_task(f"task{number}")))
    named = store.jobs.take("one", lease_s=60, making_id="m-2")
    first = store.jobs.take("one", lease_s=60)
    assert [job.making_id for job in (named, first) if job] == ["m-2", "m-0"]


def together(*works: Callable[[], object]) -> None:
    """Do all at the same time."""
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> None:
        barrier.wait()
        work()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_two_servers_never_take_one_job(stores: tuple[Store, Store]) -> None:
    """Both grab at the same time, twenty times: each job goes to exactly one."""
    for number in range(20):
        kept(stores[0], sample_job(f"m-{number}", task=sample_task(f"task{number}")))
    taken: list[str] = []

    def grab(store: Store, owner: str) -> None:
        while job := store.jobs.take(owner, lease_s=60):
            taken.append(job.making_id)

    together(lambda: grab(stores[0], "one"), lambda: grab(stores[1], "two"))
    assert sorted(taken) == sorted(f"m-{number}" for number in range(20))


def test_two_servers_open_one_job(stores: tuple[Store, Store]) -> None:
    """Asked for one task at the same time, both have the same job."""
    for number in range(10):
        opened: list[tuple[Job, bool]] = []

        def open_one(store: Store, job: Job, opened: list[tuple[Job, bool]] = opened) -> None:
            opened.append(store.jobs.open(job, most_queued=100))

        one, two = (sample_job(f"{name}-{number}", task=sample_task(f"task{number}")) for name in "ab")
        together(partial(open_one, stores[0], one), partial(open_one, stores[1], two))
        assert len({job.making_id for job, _ in opened}) == 1
        assert sorted(is_new for _, is_new in opened) == [False, True]


def test_cancelling(clocked: tuple[Store, Store, list[float]]) -> None:
    """One that waits ends at once, as does one whose server is gone; one that is worked on is told to end."""
    one, two, now = clocked
    kept(one, sample_job("m-1", task=sample_task("waits")))
    assert two.jobs.cancel("m-1", "enough").state is JobState.CANCELLED
    assert one.jobs.get("m-1").reason == "enough"
    kept(one, sample_job("m-2", task=sample_task("runs")))
    one.jobs.take("one", lease_s=10)
    assert two.jobs.cancel("m-2", "enough").state is JobState.RUNNING
    assert two.jobs.open(sample_job("m-3", task=sample_task("runs")), most_queued=10)[1], "what ends is not shared"
    told = one.jobs.renew("m-2", "one", lease_s=10)
    assert told is not None
    assert told.cancel_requested
    now[0] = 200.0
    assert two.jobs.cancel("m-2", "enough").state is JobState.CANCELLED


def test_listing(store: Store) -> None:
    """Newest first, by task, only what has not ended, a page at a time."""
    for number, name in enumerate(["a", "b", "a", "c"]):
        task = sample_task(name, description=f"Number {number}.")
        kept(store, sample_job(f"m-{number}", task=task))
    store.jobs.cancel("m-2", "")

    def ids(**which: object) -> list[str]:
        return [job.making_id for job in store.jobs.list(**which)]  # type: ignore[arg-type]

    assert ids() == ["m-3", "m-2", "m-1", "m-0"]
    assert ids(limit=2) == ["m-3", "m-2"]
    assert ids(after="m-2") == ["m-1", "m-0"]
    assert ids(task="a") == ["m-2", "m-0"]
    assert ids(task="a", open_only=True) == ["m-0"]
    assert ids(after="none") == ids(task="\x00") == []
