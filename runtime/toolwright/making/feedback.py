"""What a maker is told of a refused attempt.

Of training examples it is told everything: it has seen them. Of held-out examples it is told how many failed in
which of a few ways (`_Kind`), in an order that no tool decides. Nothing that a tool says passes, and no name that it
can choose: the n-th built-in exception for the n-th letter of a question would tell the question.

Not promised: that a maker learns nothing at all of held-out examples. A hostile tool can choose how it fails, so the
counts carry up to log2 C(n + k, k) bits an attempt for n held-out examples and k kinds: eight for five examples (a bare
"failed" would carry one). Over the ten attempts that a making may have this is too little for the questions, but enough
for the answers of a few multiple-choice ones. The counts grow with the logarithm of n and the answers with n, so more
held-out examples are the remedy where a maker is not trusted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

from toolwright.calling.prompts import problem_of
from toolwright.calling.quoting import QUOTING_RULE, quote
from toolwright.domain.outcome import Execution, Status
from toolwright.making.verdict import Trial

MAX_QUESTION_CHARS = 4_000
MAX_TEXT_CHARS = 2_000
MAX_TRACEBACK_CHARS = 4_000


class _Kind(StrEnum):
    """How a held-out example may fail, as far as a maker is told. Each further kind is room for a tool to signal in."""

    NO_CALL = "the light model made no call that can be run: the parameters may need to be simpler or better documented"
    WRONG = "wrong answer, or a result that is no answer of the right form"
    RAISED = "the function raised an exception"
    TIMEOUT = "the function ran out of time"
    ENDED = "the call was ended otherwise, or ended without a result"


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
    """Tell how many held-out examples failed in which way, and nothing else of them."""
    intro = "The function answers the examples above, and was then tried on further questions of the same kind, "
    lines = [f"{intro}which stay hidden. Of {total}, {len(failed)} failed:"]
    counts = Counter(map(_kind, failed))
    lines += [f"- {counts[kind]} of them: {kind}" for kind in _Kind if counts[kind]]
    lines.append(
        "Find what the code takes for granted that other questions of this kind may not keep to, and correct the code."
    )
    return "\n".join(lines)


def on_repeats(differed: int, total: int) -> str:
    """Tell that the function is not the same each time, and of no example which."""
    return (
        f"The function answered all examples. Called again with the same arguments, it did not give the right answer "
        f"each time: {differed} of {total} calls differed. Make it depend on its arguments alone: on no random number, "
        "no clock, no order of a set, and nothing that another call left."
    )


def on_budget(seconds: float) -> str:
    """Tell that trying the function took too long in all."""
    return (
        f"The calls on all examples together ran for more than {seconds:g} seconds, so the rest was not tried. "
        "Use a more direct method: a call should take far less than a second."
    )


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


def _kind(trial: Trial) -> _Kind:
    match trial.ending.status:
        case None:
            return _Kind.NO_CALL
        case Status.SUCCESS:
            return _Kind.WRONG
        case Status.TOOL_ERROR:
            return _Kind.RAISED
        case Status.TIMEOUT:
            return _Kind.TIMEOUT
        case _:
            return _Kind.ENDED


def _with_rule(text: str) -> str:
    return f"{text}\n\n{QUOTING_RULE}"
