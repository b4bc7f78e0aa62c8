"""`toolwright ask`: one question, from the dispatcher to the answer."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from toolwright.cli.command import Session
from toolwright.cli.documents import event_document, result_value, use_document
from toolwright.cli.exit import ExitStatus
from toolwright.cli.offline import model_note
from toolwright.cli.reading import read_stdin
from toolwright.cli.story import cost_of, cost_words, event_text
from toolwright.domain.events import Answered, Declined, Failed, SolveEvent
from toolwright.domain.outcome import Status
from toolwright.domain.task import MAX_QUESTION_BYTES, check_question
from toolwright.errors import ServiceFault

End = Answered | Declined | Failed


def ask(
    session: Session,
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="The question; - reads it from stdin.")],
    trace: Annotated[bool, typer.Option("--trace", help="Show each step.")] = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Run the tool even where its result is known.")] = False,
) -> ExitStatus:
    """Answer a question: the dispatcher chooses a tool, the light model calls it, the sandbox runs it.

    A question that no tool fits is kept with its like (see `toolwright misses`), and answered by the strong model
    where the settings say so (`dispatch.answer_misses`).

    Exit status: 0 answered, 1 declined or failed, 2 bad question, 3 a fault of ours.
    """
    text = read_stdin("question", limit=MAX_QUESTION_BYTES) if question == "-" else question
    check_question(text)
    # A process that ends with its answer is no place to make tools in.
    with session.asking({"dispatch": {"make_tools": False}}) as services:
        events = _followed(session, services.solve(text, bypass_cache=no_cache), trace=trace)
    end = end_of(events)
    note = model_note(end.token_use)
    session.screen.document(_document(end, events if trace else [], note))
    if not session.screen.as_json:
        session.screen.say(event_text(end) or "")
    session.screen.note(cost_words(end.token_use))
    if note:
        session.screen.note(note)
    return status_of_end(end)


def end_of(events: Iterable[SolveEvent]) -> End:
    """Return the last event, which is how the question ended.

    Raises:
        ServiceFault: the stream ended before that.
    """
    last = next(iter(deque(events, maxlen=1)), None)
    if not isinstance(last, Answered | Declined | Failed):
        raise ServiceFault("The server ended the stream before the question was answered; ask again")
    return last


def status_of_end(end: End) -> ExitStatus:
    """Return the exit status for the end of a question."""
    if isinstance(end, Answered):
        return ExitStatus.DONE
    lost = isinstance(end, Failed) and end.status is Status.INFRASTRUCTURE
    return ExitStatus.FAULT if lost else ExitStatus.FAILED


def _followed(session: Session, events: Iterable[SolveEvent], *, trace: bool) -> list[SolveEvent]:
    kept = []
    for event in events:
        kept.append(event)
        if trace and not isinstance(event, Answered | Declined | Failed) and (text := event_text(event)):
            session.screen.note(text, style="")
    return kept


def _document(end: End, events: Iterable[SolveEvent], note: str) -> dict[str, Any]:
    answered = end if isinstance(end, Answered) else None
    document = {
        "status": type(end).__name__.upper(),
        "answer": answered.answer if answered else None,
        "result": result_value(answered.result_json) if answered else None,
        "reason": None if isinstance(end, Answered) else end.reason,
        "tool": None if isinstance(end, Declined) else end.tool,
        "by": answered.by if answered else None,
        "execution_id": answered.execution_id if answered else None,
        "cost": {"total_usd": cost_of(end.token_use), "token_use": use_document(end.token_use)},
        "model_note": note,
    }
    trace = [event_document(event) for event in events]
    return {**document, "trace": trace} if trace else document
