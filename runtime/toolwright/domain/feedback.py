"""What became of answers: the answers that were given, what callers report of them, and how questions ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from toolwright.domain.lifecycle import MAX_ACTOR_CHARS
from toolwright.domain.task import MAX_ANSWER_BYTES
from toolwright.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """A question with the answer that an execution gave, kept for a while so that a report on it can be used."""

    execution_id: str
    tool: str
    """`name@number`."""
    tool_digest: str
    question: str
    answer: str
    at: float
    """Seconds since 1970, UTC."""


@dataclass(frozen=True, slots=True)
class OutcomeReport:
    """What a caller says of the answer that an execution gave. Nothing proves it: callers are not authenticated."""

    execution_id: str
    correct: bool
    answer: str
    """The right answer; empty if it is not known."""
    actor: str
    """Who reports, as they say."""
    at: float
    """Seconds since 1970, UTC."""
    tool_digest: str = ""
    """The version behind the execution."""

    def __post_init__(self) -> None:
        """Refuse over-long texts.

        Raises:
            InvalidInput: names the field.
        """
        if len(self.answer.encode("utf-8", "surrogatepass")) > MAX_ANSWER_BYTES:
            raise InvalidInput("answer", f"has more than {MAX_ANSWER_BYTES} bytes", f"at most {MAX_ANSWER_BYTES} bytes")
        if len(self.actor) > MAX_ACTOR_CHARS:
            raise InvalidInput("actor", f"has {len(self.actor)} characters", f"at most {MAX_ACTOR_CHARS}")

    def same_as(self, other: OutcomeReport) -> bool:
        """Whether both say the same of the same execution, whoever says it, and whenever."""
        return (self.execution_id, self.correct, self.answer) == (other.execution_id, other.correct, other.answer)


@dataclass(frozen=True, slots=True)
class ReportedFailure:
    """A question that a version answered wrongly, with the right answer as it was reported."""

    execution_id: str
    tool_digest: str
    question: str
    wrong: str
    right: str


class SolveEnding(StrEnum):
    """How one question ended."""

    HIT = "hit"
    """An existing tool answered it."""
    MADE = "made"
    """A tool was made for it, and answered it."""
    MISSED = "missed"
    """No tool fits, and none was made for it."""
    DECLINED = "declined"
    """A tool is wanted for its kind, and none could be made a short while ago."""
    FAILED = "failed"
    """A tool fits, or was to be made, but gave no answer."""


@dataclass(frozen=True, slots=True)
class Solve:
    """One question as it ended, without its text."""

    at: float
    """Seconds since 1970, UTC."""
    ending: SolveEnding
    tool: str = ""
    """`name@number`; empty if there was none."""
    execution_id: str = ""
    """The execution behind the answer; empty if there is none."""
    from_cache: bool = False
    """Whether the answer's result came from the exact-result cache."""


@dataclass(frozen=True, slots=True)
class HitCounts:
    """The functional cache in numbers."""

    solves: int = 0
    """All questions that came to an end."""
    hits: int = 0
    """Those that an existing tool answered."""
    by_ending: tuple[tuple[SolveEnding, int], ...] = ()
    executions: int = 0
    """All executions that ended, those of verification included."""
    exact_hits: int = 0
    """Those of them whose result came from the exact-result cache."""

    @property
    def hit_rate(self) -> float:
        """Share of questions that an existing tool answered; 0 if there were none."""
        return self.hits / self.solves if self.solves else 0.0
