"""Making anew what was held back: once, with what was reported, and not over and over."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from toolwright.domain.events import Made, MakingEvent, NotMade
from toolwright.domain.feedback import KeptAnswer, OutcomeReport
from toolwright.domain.feedback_policy import FeedbackPolicy
from toolwright.domain.job import JobKind
from toolwright.domain.task import Task
from toolwright.domain.tool import ToolState
from toolwright.errors import ModelUnavailable, ToolwrightError
from toolwright.lifecycle.remake import Remaker
from toolwright.registry.memory import MemoryStore
from toolwright.registry.testing import sample_making, sample_record, sample_task, sample_version

pytestmark = pytest.mark.unit


@dataclass
class FakeMaker:
    """Makes what it is told; notes the tasks."""

    store: MemoryStore
    fault: ToolwrightError | None = None
    tasks: list[Task] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)

    def make(self, task: Task, *, kind: JobKind) -> Iterator[MakingEvent]:
        self.tasks.append(task)
        self.done.set()
        if self.fault:
            raise self.fault
        yield NotMade("no", 1, ())


def stored(*, failures: int = 0) -> MemoryStore:
    """Return a store with a tool, and so many failures of it that were reported."""
    store = MemoryStore()
    version = sample_version()
    store.admit(version, sample_record(version), sample_task())
    for number in range(failures):
        store.feedback.keep_answer(
            KeptAnswer(f"e{number}", "add@1", version.digest, f"What is {number} + 50?", "0", 1.0), keep=100
        )
        store.feedback.report(OutcomeReport(f"e{number}", correct=False, answer=str(number + 50), actor="ann", at=1.0))
    return store


def test_reported_failures_become_examples() -> None:
    """As many as the policy takes, newest first."""
    store = stored(failures=5)
    maker = FakeMaker(store)
    Remaker(store, maker, FeedbackPolicy(remake_failures=3)).remake("add")

    (task,) = maker.tasks
    assert [example.question for example in task.training] == [
        "What is 4 + 50?", "What is 1 + 2?", "What is 2 + 50?",
    ]  # fmt: skip
    assert task.held_out[-1].question == "What is 3 + 50?"


def test_without_reports_the_task_is_as_it_was() -> None:
    """A tool that crashed is made anew from the same examples."""
    store = stored()
    maker = FakeMaker(store)
    Remaker(store, maker, FeedbackPolicy()).remake("add")

    assert maker.tasks == [sample_task()]


def test_what_is_wanted_is_made_in_the_background() -> None:
    """And a fault with one does not keep the next from being made."""
    store = stored()
    maker = FakeMaker(store, fault=ModelUnavailable("no endpoint"))
    remaker = Remaker(store, maker, FeedbackPolicy(remake_cool_down_s=0))
    remaker.start()
    remaker.want("add")
    assert maker.done.wait(10)
    maker.done.clear()
    remaker.want("add")
    assert maker.done.wait(10)
    remaker.close()


def test_a_task_rests_after_a_making() -> None:
    """Until then what is wanted waits; wanted twice, it is made once."""
    store = stored()
    store.start_making(sample_making(started_at=time.time()))
    maker = FakeMaker(store)
    remaker = Remaker(store, maker, FeedbackPolicy(remake_cool_down_s=0.5))
    remaker.start()
    remaker.want("add")
    remaker.want("add")
    assert not maker.done.wait(0.2)
    assert remaker.wanted == ("add",)
    assert maker.done.wait(10)
    time.sleep(0.1)
    assert len(maker.tasks) == 1
    remaker.close()


@pytest.mark.parametrize(
    ("actor", "made_since", "wanted"),
    [("policy", False, True), ("policy", True, False), ("ann", False, False)],
    ids=["owed", "made since", "by a person"],
)
def test_what_an_earlier_server_owed_is_made(actor: str, made_since: bool, wanted: bool) -> None:  # noqa: FBT001 - a case
    """Held back by the policy and not begun since: a server that was killed in between loses no re-making."""
    store = stored()
    digest = store.get_tool("add").version.digest
    store.lifecycle.change_state(digest, ToolState.QUARANTINED, actor=actor, reason="wrong")
    if made_since:
        store.start_making(sample_making(started_at=time.time() + 1))
    maker = FakeMaker(store)
    remaker = Remaker(store, maker, FeedbackPolicy(remake_cool_down_s=0))
    remaker.start()
    assert maker.done.wait(10 if wanted else 0.3) == wanted
    remaker.close()


def test_the_same_version_again_is_no_new_one() -> None:
    """It stays held back, and no other making is started for it."""
    store = stored()
    tool = store.get_tool("add")

    class SameMaker(FakeMaker):
        def make(self, task: Task, *, kind: JobKind) -> Iterator[MakingEvent]:
            self.tasks.append(task)
            yield Made(replace(tool.info, state=store.get_tool("add@1").state), 1, ())

    maker = SameMaker(store)
    remaker = Remaker(store, maker, FeedbackPolicy())
    remaker.remake("add")

    assert len(maker.tasks) == 1
    assert remaker.wanted == ()
