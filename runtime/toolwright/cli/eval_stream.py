"""The command behind `toolwright eval --stream`: run it, tell each hundred, and draw what it cost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from toolwright.cli.command import Session
from toolwright.cli.curve_text import measured_plot
from toolwright.cli.documents import group_document
from toolwright.cli.exit import ExitStatus
from toolwright.cli.offline import offline_note
from toolwright.cli.rendering import dollars
from toolwright.cli.safe_text import literal
from toolwright.cli.stream import Progress, Stream, read_stream, run_stream
from toolwright.cli.stream_report import WINDOW, StreamResult, points_table
from toolwright.domain.miss import GroupState, MissGroup

MAKING_S = 300.0
"""Seconds for which the stream waits for a tool."""
_CHANGES = {"dispatch": {"answer_misses": "strong"}}


def evaluate_stream(
    session: Session, paths: Sequence[Path], *, seed: int, jobs: int, limit: int | None, resume: Path | None
) -> ExitStatus:
    """Ask all questions in a mixed order, from an empty registry: tools appear as misses are answered."""
    stream = read_stream(paths, seed=seed, limit=limit)
    progress = Progress(resume or _kept_in(session, stream), stream)
    resumed, started = len(progress.replies), time.monotonic()
    if resumed:
        session.screen.note(f"going on after {resumed} of {len(stream.questions)} questions")
    with session.asking(_CHANGES, fresh_state=True) as services, progress:
        for reply in run_stream(services, stream, resumed, jobs, wait_s=MAKING_S):
            progress.append(reply)
            if len(progress.replies) % WINDOW == 0:
                _tell(session, progress)
        groups = list(services.miss_groups())
    _report(session, StreamResult(progress.replies, groups), resumed, seed, time.monotonic() - started)
    return ExitStatus.DONE


def _kept_in(session: Session, stream: Stream) -> Path | None:
    directory = session.options.state_dir
    return directory.expanduser() / "streams" / f"{stream.digest[:16]}.jsonl" if directory else None


def _tell(session: Session, progress: Progress) -> None:
    window = progress.replies[-WINDOW:]
    hits, right = sum(reply.hit for reply in window), sum(reply.right for reply in window)
    tools = len({reply.tool for reply in progress.replies if reply.hit})
    asked = len(progress.replies)
    session.screen.note(f"{asked:>6}: {hits} of {WINDOW} answered by tools, {right} right, {tools} tools")


def _report(session: Session, result: StreamResult, resumed: int, seed: int, seconds: float) -> None:
    document, points = result.document(), result.points()
    note = offline_note(reply.light_model for reply in result.replies)
    groups = [group_document(group) for group in result.groups]
    extra = {"groups": groups, "seed": seed, "resumed": resumed, "seconds": seconds, "model_note": note}
    session.screen.document({**document, **extra})
    session.screen.say(points_table(points))
    strong = result.strong_each_usd
    if strong:
        session.screen.say(measured_plot(result.costs(), strong))
    cost = document["cost"]
    session.screen.say(
        f"{document['hits']} of {document['questions']} answered by {len(document['tools'])} tools, "
        f"{100 * document['accuracy']:.1f} % right; over the last {document['last_part']['questions']}: "
        f"{100 * document['last_part']['hit_rate']:.1f} % by tools, {100 * document['last_part']['accuracy']:.1f} % "
        f"right; {dollars(cost['total_usd'])}, makings included, where the strong model alone would have taken "
        f"{dollars(cost['all_strong_usd'])}; {seconds:.1f} s"
    )
    for group in result.groups:
        if group.state is GroupState.UNMAKEABLE:
            session.screen.say(_unmakeable(group), style="red")
    if note:
        session.screen.say(note, style="bold yellow")


def _unmakeable(group: MissGroup) -> str:
    return str(literal(f"no tool for group {group.group_id} ({group.name}): {group.failure}", limit=500))
