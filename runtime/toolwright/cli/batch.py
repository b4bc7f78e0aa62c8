"""`toolwright call --batch`: ExecuteBatch for one registered tool."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, Final

from toolwright.cli.batch_file import STDIN, read_calls, read_once
from toolwright.cli.command import Session
from toolwright.cli.documents import execution_document
from toolwright.cli.exit import ExitStatus, document_of, paragraph, status_of, status_of_outcome, worst
from toolwright.cli.screen import Screen
from toolwright.domain.batch import BatchAnswer
from toolwright.domain.shown import shown_line
from toolwright.errors import InvalidInput, ServiceFault

_SHOWN: Final = 5
"""Calls that failed and are told to people; --json has all."""
_TOLD_CHARS: Final = 300


def call_batch(session: Session, tool: str, file: str, *, no_cache: bool = False) -> ExitStatus:
    """Call `tool` with each arguments of `file`, and return the gravest of the calls' exit statuses.

    A file is read to its end first, so that nothing runs where a line is off; stdin and pipes are read as answers come.

    Raises:
        InvalidInput: a line is off, or there are none. From stdin or a pipe, what came before has run.
    """
    total = None if read_once(file) else sum(1 for _ in read_calls(tool, file))
    tally = _Tally()
    if total != 0:
        with session.services() as services, session.screen.progress() as progress:
            bar = progress.add_task(shown_line(tool), total=total)
            calls = (replace(call, bypass_cache=no_cache) for call in read_calls(tool, file))
            for answer in services.execute_batch(calls):
                end = _End.of(answer)
                tally.add(end)
                _tell(session.screen, {"id": answer.request_id, "tool": tool}, end, tally.failed)
                progress.advance(bar)
    if not tally.ends:
        raise InvalidInput("stdin" if file == STDIN else file, "holds no calls", "a JSON object of arguments a line")
    session.screen.say(tally.summary)
    return worst(tally.statuses)


@dataclass(frozen=True, slots=True)
class _End:
    """How one call ended."""

    name: str
    status: ExitStatus
    document: dict[str, Any]
    why: str
    """Why it failed, for people."""

    @classmethod
    def of(cls, answer: BatchAnswer) -> _End:
        """Read an answer."""
        if answer.execution is None:
            fault = answer.error or ServiceFault("the answer holds nothing")
            return cls(fault.reason, status_of(fault), document_of(fault), paragraph(fault))
        outcome = answer.execution.outcome
        why = f"{outcome.failure.type}: {outcome.failure.message}" if outcome.failure else ""
        name = outcome.status.value
        return cls(name, status_of_outcome(outcome.status), execution_document(answer.execution), f"{name}, {why}")


@dataclass(slots=True)
class _Tally:
    """How the calls of a batch ended."""

    ends: Counter[str] = field(default_factory=Counter)
    statuses: set[ExitStatus] = field(default_factory=set)
    failed: int = 0
    began: float = field(default_factory=time.monotonic)

    def add(self, end: _End) -> None:
        """Count one."""
        self.statuses.add(end.status)
        self.failed += end.status is not ExitStatus.DONE
        self.ends[end.name] += 1

    @property
    def summary(self) -> str:
        """One line."""
        count, seconds = self.ends.total(), time.monotonic() - self.began
        ends = ", ".join(f"{number:,} {name}" for name, number in self.ends.most_common())
        return f"{count:,} calls in {seconds:.1f} s ({count / seconds:,.0f} a second): {ends}"


def _tell(screen: Screen, names: dict[str, str], end: _End, failed: int) -> None:
    screen.line({**names, **end.document})
    if end.status is ExitStatus.DONE or failed > _SHOWN + 1:
        return
    told = f"{names['id']}: {end.why}" if failed <= _SHOWN else "more failed; --json tells of each"
    screen.note(shown_line(told, limit=_TOLD_CHARS), style="red")
