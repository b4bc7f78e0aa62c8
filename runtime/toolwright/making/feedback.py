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
from toolwright.making.observation import Observation
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


def on_source(problem: str) -> str:
    """Tell which rule for source texts is broken. Nothing was run."""
    return _with_rule(f"The code was refused unread:\n{quote(problem, MAX_TEXT_CHARS)}")


def on_not_reached(missing: str) -> str:
    """Tell that a gate could not look, since an earlier one had refused."""
    return f"This was not looked at: {missing}."


def on_load(execution: Execution, missing: Sequence[str] = ()) -> str:
    """Tell that the code could not be loaded or described. No example was used for that."""
    text = f"The code could not be loaded:\n{_failure(execution)}"
    if missing:
        names = quote(", ".join(missing), MAX_TEXT_CHARS)
        text += f"\nIt imports modules that are not installed where it runs; do without them:\n{names}"
    return _with_rule(text)


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


def on_changed_description(differed: int, total: int) -> str:
    """Tell that the function says another thing of itself each time."""
    return (
        f"Described again in other processes, the function's signature, types or docstring were others: {differed} of "
        f"{total} times. Write them out, so that they depend on nothing."
    )


def on_too_few(given: int, needed: int) -> str:
    """Tell that nothing can pass: the task has too few held-out examples. For a person; no code mends it."""
    return (
        f"The task has {given} held-out examples, and this installation asks for {needed} on which the function ran. "
        "No code passes until the task has more examples."
    )


def on_degenerate(problem: str) -> str:
    """Tell why the function is taken for none."""
    return f"This is no general solution: {problem}. Compute the result from the arguments."


def on_shown_only(alike: int, changed: int) -> str:
    """Tell that the function seems to know no more than what was shown."""
    return (
        f"The function seems to answer only what it was shown: of {changed} calls that differ a little from those for "
        f"the examples above, {alike} ended in one and the same way. Compute the result from the arguments. Where only "
        "certain texts make sense as an argument, say so in its type: `Literal[…]`."
    )


def on_no_effect(names: Sequence[str]) -> str:
    """Tell which parameters change nothing."""
    listed = ", ".join(f"`{name}`" for name in names)
    return f"The result does not depend on {listed}, whatever is given for it. Use it, or leave the parameter out."


def on_crash(crashed: Sequence[Observation], total: int) -> str:
    """Tell what happened to calls that were made up from the schema and from what the maker has seen."""
    first = crashed[0]
    call = quote(first.arguments_json, MAX_TEXT_CHARS)
    return _with_rule(
        f"Of {total} calls whose arguments fit the function's types, {len(crashed)} crashed it. Where arguments make "
        f"no sense, raise ValueError with a reason. One of these calls:\n{call}\n"
        f"It ended so:\n{_failure(first.execution)}"
    )


def on_told_apart(seen: Observation) -> str:
    """Tell that the way in which a call is written mattered."""
    return _with_rule(
        "The same arguments written in another way gave another result: the order of an object's keys must not matter, "
        f"nor whether a number is written 3 or 3.0. The call:\n{quote(seen.arguments_json, MAX_TEXT_CHARS)}\n"
        f"It ended so:\n{quote(seen.key, MAX_TEXT_CHARS)}"
    )


def on_resources(names: Sequence[str]) -> str:
    """Tell of what the function took too much; not how much, which a tool could choose by a hidden question."""
    return f"The function came too near to its limits on {' and '.join(names)}. Use a more direct method."


def on_light_model(right: int, first: int, total: int) -> str:
    """Tell how well the function could be called for hidden questions, and nothing else of them."""
    return (
        f"The function is right where it is called, but the light model could not use it well enough: of {total} "
        f"hidden questions it answered {right}, {first} of them at once. Make the parameters simpler to copy out of a "
        "question, and say in the docstring what each looks like, with an example of its form."
    )


def on_repeats(differed: int, total: int) -> str:
    """Tell that the function is not the same each time, and of no example which."""
    return (
        f"The function answered the examples. Called again with the same arguments, it did not end in the same way "
        f"each time: {differed} of {total} calls differed. Make it depend on its arguments alone: on no random number, "
        "no clock, no order of a set, and nothing that another call left."
    )


def on_own_limits(differed: int) -> str:
    """Tell that the function notices under which limits it runs."""
    return (
        f"The function ended in another way under the limits that it would have in use: {differed} calls "
        "differed. Make it depend on its arguments alone, and use a more direct method if it needs much memory or time."
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
