"""`toolwright doctor --attacks`: fires the attack matrix, and reports as text, JSON and an HTML page."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from rich.progress import Progress, TaskID
from rich.table import Table

from toolwright.attacks.case import Case
from toolwright.attacks.catalog import all_cases
from toolwright.attacks.report import Report
from toolwright.attacks.run import Result, Verdict
from toolwright.cli.command import Session
from toolwright.cli.exit import ExitStatus
from toolwright.cli.safe_text import json_text, literal
from toolwright.domain.shown import shown_line
from toolwright.errors import InvalidInput

_STYLES = {Verdict.PASS: "green", Verdict.FAIL: "bold red", Verdict.SKIPPED: "yellow", Verdict.KNOWN: "yellow"}
_SHOWN_CHARS = 300
_MOST_SEED = 10_000


def attack(session: Session, ids: str, seed: int | None, directory: Path | None) -> ExitStatus:
    """Fire cases and report.

    Args:
        session: the command's.
        ids: which cases, with commas between them; all if empty.
        seed: draws their order; None draws one, which the report names.
        directory: gets `attacks.json` and `attacks.html`, unless None.

    Raises:
        InvalidInput: there is no such case, or the directory cannot be written.
        EngineUnavailable, ImageMissing, SandboxUnavailable: no container starts.
    """
    cases = _chosen(ids)
    if directory:
        _writable(directory)
    drawn = random.randrange(_MOST_SEED) if seed is None else seed  # noqa: S311 - an order, no secret
    with session.screen.progress() as progress:
        task = progress.add_task("attacks", total=None)
        report = session.environment.attack(
            session.options, cases, drawn, lambda result: _tell(session, progress, task, result)
        )
    session.screen.document(report.document())
    if directory:
        (directory / "attacks.json").write_text(json_text(report.document(), indent=2) + "\n", encoding="utf-8")
        (directory / "attacks.html").write_text(report.page(), encoding="utf-8")
    _show(session, report, directory)
    usable = set(report.counts) - set(report.refusals)
    return ExitStatus.DONE if report.passed and usable else ExitStatus.FAULT


def _chosen(ids: str) -> Sequence[Case]:
    by_id = {case.id: case for case in all_cases()}
    wanted = [one.strip().upper() for one in ids.split(",") if one.strip()]
    for one in wanted:
        if one not in by_id:
            limit = f"one of {', '.join(by_id)}; docs/attack-matrix.md names the tests of all others"
            raise InvalidInput("case", f"no case {one[:40]!r} can be fired", limit)
    return [by_id[one] for one in wanted] if wanted else list(by_id.values())


def _writable(directory: Path) -> None:
    """Make the directory now: not after minutes of attacks."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "attacks.json").touch()
    except OSError as fault:
        raise InvalidInput("report", f"{directory} cannot be written: {fault.strerror}", "a directory") from fault


def _tell(session: Session, progress: Progress, task: TaskID, result: Result) -> None:
    progress.update(task, advance=1, description=f"{result.runtime} {result.id}")
    if result.verdict is not Verdict.PASS:
        detail = shown_line(result.detail, limit=_SHOWN_CHARS)
        session.screen.note(literal(f"{result.verdict} {result.id} under {result.runtime}: {detail}"), style="")


def _show(session: Session, report: Report, directory: Path | None) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("runtime", *Verdict):
        table.add_column(heading)
    for runtime, counts in report.counts.items():
        cells = [
            literal(str(counts[verdict]), style=_STYLES[verdict] if counts[verdict] else "") for verdict in Verdict
        ]
        table.add_row(literal(runtime), *cells)
    session.screen.say(table)
    for score in report.scores:
        missing = [limit for limit, there in score.in_force.items() if not there]
        told = f"; not in force: {', '.join(missing)}" if missing else ""
        session.screen.say(f"limits in force, {score.name}: {score}{told}")
    for runtime, refusal in report.refusals.items():
        refused = f"Under {runtime} a server runs no tool here: {shown_line(refusal, limit=_SHOWN_CHARS)}"
        session.screen.say(literal(refused, style="bold red"))
    verdict = "No attack got through" if report.passed else "NOT all attacks were held"
    where = f"report in {directory}" if directory else "--report DIRECTORY writes it down"
    unproven = sum(counts[Verdict.SKIPPED] + counts[Verdict.KNOWN] for counts in report.counts.values())
    fired = f"{report.fired} of {report.of} cases, {unproven} times not proven"
    session.screen.say(f"{verdict}: {fired}, seed {report.seed}; {where}.")
