"""What a maker is told of a refused attempt.

Of training examples it is told everything: it has seen them. Of held-out examples it is told how many failed and
how they ended. Texts of the tool are left out there, since a tool can put a question that it was called with into
anything it says, the name of an exception's class included: only names of built-in exceptions pass.
"""

from __future__ import annotations

import builtins
from collections import Counter
from collections.abc import Sequence

from toolwright.calling.prompts import problem_of
from toolwright.calling.quoting import QUOTING_RULE, quote
from toolwright.domain.outcome import Execution, Status
from toolwright.making.verdict import Trial

MAX_QUESTION_CHARS = 4_000
MAX_TEXT_CHARS = 2_000
MAX_TRACEBACK_CHARS = 4_000

_BUILT_IN = frozenset(
    name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, BaseException)
)


def on_load(execution: Execution) -> str:
    """Tell that the code could not be loaded or described. No example was used for that."""
    return _with_rule(f"The code could not be loaded:\n{_failure(execution)}")


def on_description(problem: str) -> str:
    """Tell what the function lacks."""
    return _with_rule(f"The function cannot be offered to the light model:\n{quote(problem, MAX_TEXT_CHARS)}")


def on_training(failed: Sequence[Trial]) -> str:
    """Tell all about training examples that failed."""
    parts = [f"The function was tried on the examples above; {len(failed)} failed."]
    return _with_rule("\n\n".join(parts + [_story(trial) for trial in failed]))


def on_held_out(failed: Sequence[Trial], total: int) -> str:
    """Tell how many held-out examples failed and how, and nothing that was in them."""
    intro = "The function answers the examples above, and was then tried on further questions of the same kind, "
    lines = [f"{intro}which stay hidden. Of {total}, {len(failed)} failed:"]
    lines += [f"- {count} of them: {how}" for how, count in Counter(map(_how, failed)).most_common()]
    lines.append(
        "Find what the code takes for granted that other questions of this kind may not keep to, and correct the code."
    )
    return "\n".join(lines)


def _story(trial: Trial) -> str:
    ending, execution = trial.ending, trial.ending.execution
    parts = [f"Question:\n{quote(trial.example.question, MAX_QUESTION_CHARS)}"]
    if ending.arguments_json:
        parts.append(f"The light model's arguments:\n{quote(ending.arguments_json, MAX_TEXT_CHARS)}")
    if execution is None:
        parts.append(f"This was no call that can be run:\n{quote(ending.problem, MAX_TEXT_CHARS)}")
        parts.append("Make the parameters simpler, or document them better.")
    elif execution.outcome.failure is not None:
        parts.append(f"The call failed:\n{_failure(execution)}")
    else:
        parts.append(f"The result:\n{quote(ending.result_json, MAX_TEXT_CHARS)}")
        if ending.problem:
            parts.append(f"That is no answer:\n{quote(ending.problem, MAX_TEXT_CHARS)}")
    parts.append(f"The right answer:\n{quote(trial.example.answer, MAX_TEXT_CHARS)}")
    return "\n".join(parts)


def _failure(execution: Execution) -> str:
    failure = execution.outcome.failure
    parts = [quote(problem_of(execution.outcome), MAX_TEXT_CHARS)]
    if failure is not None and failure.traceback:
        # The end of a traceback names the place; its start is the way there.
        parts.append(quote(failure.traceback[-MAX_TRACEBACK_CHARS:], MAX_TRACEBACK_CHARS))
    return "\n".join(parts)


def _how(trial: Trial) -> str:
    status, execution = trial.ending.status, trial.ending.execution
    if status is None or execution is None:
        return (
            "the light model made no call that can be run: the parameters may need to be simpler or better documented"
        )
    if status is Status.SUCCESS:
        return "the result is no answer of the right form" if trial.ending.problem else "wrong answer"
    if status is Status.TOOL_ERROR:
        failure = execution.outcome.failure
        name = failure.type if failure is not None and failure.type in _BUILT_IN else "an exception of its own"
        return f"{status}: the function raised {name}"
    return f"{status}: the call was ended, or ended without a result"


def _with_rule(text: str) -> str:
    return f"{text}\n\n{QUOTING_RULE}"
