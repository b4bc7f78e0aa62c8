"""What becomes of a tool that passed: it is kept, or its name becomes a synonym of one that does the same."""

from __future__ import annotations

from collections.abc import Sequence

from toolwright.domain.lifecycle import Origin
from toolwright.domain.tool import RegisteredTool
from toolwright.errors import NotFound
from toolwright.making.journal import Journal
from toolwright.making.judge import Verified
from toolwright.making.merging import Merger
from toolwright.making.tried import Tried
from toolwright.making.work import Work
from toolwright.registry.admission import Admission
from toolwright.registry.base import Store


class Keeper:
    """Keeps tools, and on record why."""

    def __init__(self, store: Store, admission: Admission, merger: Merger | None) -> None:
        """Keep in `store`, by `admission`; without a `merger` nothing is merged."""
        self._store, self._admission, self._merger = store, admission, merger

    def keep_best(
        self, best: tuple[Tried, Verified], tried: Sequence[Tried], work: Work, journal: Journal
    ) -> tuple[RegisteredTool, bool]:
        """Keep the best of those that passed, and return the tool, and whether it was there before.

        Raises:
            LetGo: the making is not ours any more. Nothing was kept.
            ToolwrightError: what `Merger.same_as` and the store raise.
        """
        one, verified = best
        others = [other for other in tried if other.verified is not None and other is not one]
        for other in others:
            other.notes.verdict = f"passed, as attempt {one.number} did, which is better"
        same = self._same(one, verified, work, journal)
        tool = self.admit(one, verified, work, journal) if same is None else same
        for other in others:
            journal.keep(other)
        return tool, same is not None

    def admit(self, one: Tried, verified: Verified, work: Work, journal: Journal) -> RegisteredTool:
        """Admit the tool as the newest version of its name.

        Raises:
            LetGo: the making is not ours any more. Nothing was kept.
            ToolwrightError: what the store raises.
        """
        with journal.choice([one]):
            work.hold.check()
            origin = work.origin or Origin(f"maker:{verified.record.maker_model}")
            if self._is_synonym(work.task.name):  # from here on it has an account of its own again
                self._store.ledger.file_under(work.task.name, work.task.name)
            tool = self._admission.admit(verified.version, verified.record, work.task, origin=origin)
            journal.tool_digest = tool.version.digest
        held_out = sum(check.held_out for check in verified.record.checks)
        seen = len(verified.record.checks) - held_out
        _accept(one, f"{seen} training and {held_out} held-out examples passed", journal)
        return tool

    def milliseconds(self, verified: Verified) -> float:
        """Return how long a call took while the tool was verified, by the execution log; 0 where that says nothing.

        Raises:
            StoreUnavailable: the log cannot be read.
        """
        took = []
        for check in verified.record.checks:
            try:
                took.append(self._store.get_execution(check.execution_id).wall_ms)
            except NotFound:
                continue
        return sum(took) / len(took) if took else 0.0

    def _is_synonym(self, name: str) -> bool:
        try:
            return self._store.get_tool(name).version.name != name
        except NotFound:
            return False

    def _same(self, one: Tried, verified: Verified, work: Work, journal: Journal) -> RegisteredTool | None:
        """Return the tool that this one only repeats, with the task's name a synonym of it; None if there is none."""
        if self._merger is None:
            return None
        with journal.choice([one]):
            tool = self._merger.same_as(verified.version, one.user.arguments, work.patience)
            if tool is None:
                return None
            work.hold.check()
            self._store.synonyms.add(work.task.name, tool.version.name)
            # One tool has one account: what its kind costs by either name, making and strong model, is its own.
            self._store.ledger.file_under(work.task.name, tool.version.name)
            journal.tool_digest = tool.version.digest
        _accept(one, f"passed, and does what {tool.reference} does: the name is a synonym of that from now on", journal)
        return tool


def _accept(one: Tried, verdict: str, journal: Journal) -> None:
    one.notes.accepted, one.notes.verdict = True, verdict
    journal.keep(one)
