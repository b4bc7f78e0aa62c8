"""Steps of making and solving, as values: what the services stream and the command line shows."""

from __future__ import annotations

from dataclasses import dataclass

from toolwright.domain.gates import GateName
from toolwright.domain.outcome import Execution, Status
from toolwright.domain.record import Stage, TokenUse
from toolwright.domain.tool import ToolInfo

# --- making -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Started:
    """The making is kept as a job, which can be followed and cancelled by its id."""

    making_id: str
    shared: bool = False
    """Whether it was there before: another request's, for the same task."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """The making goes on where a server that ended had left it."""

    attempts: int
    """Attempts that were begun before."""
    lost: int
    """Of these, attempts that were under way; they count, and are begun anew."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """A reply of the maker arrived; `code` is empty if it held none."""

    attempt: int
    code: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """An attempt was refused. `feedback` goes back to the maker and holds nothing of held-out examples."""

    attempt: int
    stage: Stage
    feedback: str


@dataclass(frozen=True, slots=True)
class Checked:
    """One example was tried. `status` is None if no call was made."""

    attempt: int
    example_id: str
    held_out: bool
    passed: bool
    status: Status | None


@dataclass(frozen=True, slots=True)
class Judged:
    """One gate gave its verdict. `summary` holds nothing of held-out examples; it may quote the tool."""

    attempt: int
    gate: GateName
    passed: bool
    summary: str


@dataclass(frozen=True, slots=True)
class Made:
    """The tool is kept."""

    tool: ToolInfo
    attempts: int
    token_use: tuple[TokenUse, ...]
    merged: bool = False
    """Whether it was there before under another name, of which the task's name is a synonym now."""


@dataclass(frozen=True, slots=True)
class NotMade:
    """Nothing was kept, and why."""

    reason: str
    attempts: int
    token_use: tuple[TokenUse, ...]
    ended_by: str = ""
    """The budget that was spent: `attempts`, `tokens`, `money`, `seconds`; or `cancelled`, or `fault`."""


MakingEvent = Started | Resumed | Proposed | Rejected | Checked | Judged | Made | NotMade

BY_TOOL = "tool"
BY_STRONG_MODEL = "strong model"

# --- solving ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dispatched:
    """The dispatcher's decision: a tool (`name@number`), a task to make a tool for, or neither."""

    tool: str
    task: str
    reason: str
    confidence: int = 100
    """How sure the model was, 0 to 100; 100 if it did not say. Of what it named, even where that did not count."""
    named: str = ""
    """The tool or task that the model named; empty for none. Where it is not what was chosen, the confidence was too
    low."""


@dataclass(frozen=True, slots=True)
class Missed:
    """No tool fits the question, which is kept in a group of its kind."""

    group: str
    count: int
    """Different questions of the group that have an answer."""
    needed: int
    """Answers from which a tool is made."""
    miss: str = ""
    """Id of the question, by which a person answers it."""


@dataclass(frozen=True, slots=True)
class Called:
    """The light model called the tool. `refusal` says why its arguments were not taken; empty if they were."""

    tool: str
    arguments_json: str
    repair: bool
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Ran:
    """The call ended."""

    execution: Execution


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer, in the form of the tool's answer kind."""

    answer: str
    result_json: str
    """Empty where no tool ran."""
    tool: str
    execution_id: str
    token_use: tuple[TokenUse, ...]
    by: str = BY_TOOL
    """`tool`, or `strong model` where no tool fitted."""


@dataclass(frozen=True, slots=True)
class Declined:
    """No tool fits, or none could be made a short while ago."""

    reason: str
    token_use: tuple[TokenUse, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """A tool fits but gave no answer. `status` is None if nothing ran."""

    reason: str
    tool: str
    status: Status | None
    token_use: tuple[TokenUse, ...]


SolveEvent = Dispatched | Missed | MakingEvent | Called | Ran | Answered | Declined | Failed
