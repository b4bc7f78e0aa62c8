"""Steps of making and solving, told to people as they happen."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from toolwright.cli.rendering import MAX_SHOWN, dollars, status_text, used
from toolwright.cli.safe_text import joined, literal
from toolwright.domain.events import (
    Answered,
    Called,
    Checked,
    Declined,
    Dispatched,
    Failed,
    Judged,
    Made,
    Missed,
    NotMade,
    Proposed,
    Ran,
    Rejected,
    Resumed,
    SolveEvent,
    Started,
)
from toolwright.domain.outcome import Status
from toolwright.domain.record import TokenUse
from toolwright.domain.shown import shown_line

_LINE = 300


def event_text(event: SolveEvent, *, brief: bool = False) -> Text | None:
    """Return what happened in `event` as a line or, unless `brief`, a few; None where people need not know."""
    match event:
        case Proposed(attempt, code):
            size = f"{len(code.splitlines())} lines of code" if code else "no code in the reply"
            return literal(f"  attempt {attempt}: proposed, {size}")
        case Checked(passed=True):
            return None
        case Checked(attempt, example_id, held_out, _, status):
            kind = "held-out" if held_out else "training"
            how = "wrong answer" if status is Status.SUCCESS else status.value if status else "no call"
            return literal(f"  attempt {attempt}: {kind} example {shown_line(example_id)}: {how}", style="yellow")
        case Judged():
            return _verdict_text(event, brief=brief)
        case Rejected(attempt, stage, feedback):
            head = Text(f"  attempt {attempt}: rejected in {stage.value}: ", style="bold yellow")
            told = feedback.strip()
            told = told.partition("\n")[0] if brief else told
            return joined(head, literal(told, style="yellow", limit=MAX_SHOWN))
        case Started(making_id, shared):
            return literal(f"  making {making_id}" + (", which was asked for before" if shared else ""), style="dim")
        case Resumed(attempts, lost):
            again = f", {_count(lost, 'attempt')} under way then is begun anew" if lost else ""
            return literal(f"  goes on after {_count(attempts, 'attempt')}{again}", style="dim")
        case Made(tool, attempts, token_use, merged):
            words = "does what the new tool would do:" if merged else "made"
            head = literal(f"  {words} {tool.reference}", style="bold green")
            return joined(head, Text(f" in {_count(attempts, 'attempt')}, {cost_words(token_use)}"))
        case NotMade(reason, attempts, _):
            text = f"  not made after {_count(attempts, 'attempt')}: {reason}"
            return literal(text, style="bold red", limit=MAX_SHOWN)
        case _:
            return _solving_text(event)


def _verdict_text(event: Judged, *, brief: bool) -> Text | None:
    if event.passed and brief:
        return None
    verdict = "passed" if event.passed else "refused"
    line = f"  attempt {event.attempt}: gate {event.gate.value.replace('_', ' ')}: {verdict}"
    told = "" if brief or not event.summary else f"  ({shown_line(event.summary, limit=_LINE)})"
    return joined(literal(line, style="" if event.passed else "yellow"), literal(told, style="dim"))


def _solving_text(event: SolveEvent) -> Text | None:
    match event:
        case Dispatched(tool, task, reason):
            choice = tool or (f"a tool has to be made for {task}" if task else "none")
            return joined(literal(f"  dispatcher: {shown_line(choice)}", style="cyan"), _because(reason))
        case Missed(group, count, needed):
            line = literal(f"  no tool fits: kept in group {group}", style="yellow")
            return joined(line, Text(f", {count} of {needed} answers for a tool"))
        case Called(tool, arguments_json, repair, refusal):
            verb = "calls again" if repair else "calls"
            line = literal(f"  light model {verb}: {tool}({shown_line(arguments_json, limit=_LINE)})", style="cyan")
            refused = f"\n  refused: {refusal}" if refusal else ""
            return joined(line, literal(refused, style="yellow", limit=MAX_SHOWN))
        case Ran(execution):
            line = joined(Text("  sandbox: ", style="cyan"), status_text(execution.outcome.status))
            failure = execution.outcome.failure
            why = literal(f" {shown_line(f'{failure.type}: {failure.message}', limit=_LINE)}") if failure else Text()
            return joined(line, why, Text(f"  {used(execution)}", style="dim"))
        case Answered(answer, _, tool, _, _, by):
            return joined(literal(answer, style="bold green"), literal(f"  ({tool or by})", style="dim"))
        case Declined(reason, _):
            return joined(Text("declined: ", style="bold yellow"), literal(reason, limit=MAX_SHOWN))
        case Failed(reason, tool, _, _):
            return joined(literal(f"failed ({tool}): ", style="bold red"), literal(reason, limit=MAX_SHOWN))
        case _:
            return event_text(event)


def cost_words(token_use: Iterable[TokenUse]) -> str:
    """Return in a few words what exchanges with models took and cost."""
    uses = list(token_use)
    tokens = sum(use.prompt_tokens + use.completion_tokens for use in uses)
    return f"{_count(sum(use.calls for use in uses), 'model call')}, {tokens} tokens, {dollars(cost_of(uses))}"


def cost_of(token_use: Iterable[TokenUse]) -> float:
    """Return the cost of exchanges with models in US dollars."""
    return sum(use.cost_usd for use in token_use)


def _because(reason: str) -> Text:
    return literal(f"  ({shown_line(reason, limit=_LINE)})", style="dim") if reason else Text()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
