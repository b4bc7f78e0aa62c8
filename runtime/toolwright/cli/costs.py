"""`toolwright costs`: what models cost, and which tools have paid for themselves."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from toolwright.cli.command import Session
from toolwright.cli.cost_curve import curve_of
from toolwright.cli.costs_report import costs_document, show_costs
from toolwright.cli.curve_svg import curve_svg
from toolwright.cli.exit import ExitStatus
from toolwright.cli.picture import check_picture, write_picture
from toolwright.domain.cost_report import CostQuestion, CostReport
from toolwright.domain.ledger import DEFAULT_POINTS, MAX_POINTS, CostFilter, CostKey
from toolwright.domain.shown import shown
from toolwright.errors import InvalidInput

_DATE = "2026-03-31 or 2026-03-31T14:30, UTC"


def costs(
    session: Session,
    by: Annotated[list[CostKey] | None, typer.Option("--by", help="A row for each; may be repeated.")] = None,
    since: Annotated[str, typer.Option("--since", metavar="DATE", help=f"From then on: {_DATE}.")] = "",
    until: Annotated[str, typer.Option("--until", metavar="DATE", help="Before then.")] = "",
    task: Annotated[str, typer.Option("--task", help="Of this task and its tool alone.")] = "",
    tool: Annotated[str, typer.Option("--tool", help="With this tool alone: name or name@version.")] = "",
    tenant: Annotated[str, typer.Option("--tenant", help="Of this tenant alone.")] = "",
    baseline_usd: Annotated[
        float | None,
        typer.Option(
            "--baseline-usd",
            metavar="USD",
            help="Take this for what the strong model costs for a question, where it was never asked one.",
            show_default=False,
        ),
    ] = None,
    points: Annotated[
        int, typer.Option("--points", min=1, max=MAX_POINTS, help="Points of the curve.")
    ] = DEFAULT_POINTS,
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help="Write the curve as a picture too.", show_default=False)
    ] = None,
) -> ExitStatus:
    """Tell what models cost, by the ledger: who asked which one for what, and when each tool has paid for itself.

    The curve shows what was spent, making included, against what the same questions would have cost with the
    strong model: its mean over the questions of the kind that it answered itself.

    Exit status: 0 told, 2 bad usage, 3 a fault of ours.
    """
    if svg:
        check_picture(svg, "--svg")
    within = CostFilter(_seconds("--since", since), _seconds("--until", until), task, tool, tenant)
    asked = CostQuestion(tuple(dict.fromkeys(by or [CostKey.ROLE, CostKey.TASK])), within, points, baseline_usd)
    with session.services() as services:
        report = services.get_costs(asked)
    picture = _picture(report, svg) if svg else None
    session.screen.document(costs_document(report, picture))
    if not session.screen.as_json:
        show_costs(session.screen, report)
        if picture:
            session.screen.say(f"The curve as a picture: {shown(str(picture))}")
    if svg and not picture:
        session.screen.note("No picture was written: there is no curve yet.", style="yellow")
    return ExitStatus.DONE


def _picture(report: CostReport, path: Path) -> Path | None:
    curve = curve_of(report)
    if curve is None:
        return None
    tools = sum(bool(account.questions) for account in report.break_evens)
    note = "Cumulative costs in the ledger, against what the same questions would have cost with the strong model"
    assumed = any(account.assumed for account in report.break_evens if account.questions)
    write_picture(
        path,
        curve_svg(
            curve,
            title=f"{tools} {'tool' if tools == 1 else 'tools'} made once, against a strong model for each question",
            note=f"{note}, {'in part by an assumed' if assumed else 'by its measured'} mean for each kind of question.",
        ),
        "--svg",
    )
    return path


def _seconds(field: str, text: str) -> float | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(field, f"{text!r} is no date", _DATE) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
