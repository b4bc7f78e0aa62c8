"""`toolwright bench`: floors and ours in one run, on the same engine."""

from __future__ import annotations

from typing import Annotated

import typer

from toolwright.bench.plan import SECTIONS, make_plan
from toolwright.cli.bench_report import report
from toolwright.cli.command import Session
from toolwright.cli.exit import ExitStatus

_NAMES = ", ".join(SECTIONS)


def bench(
    session: Session,
    quick: Annotated[bool, typer.Option("--quick", help="Less of each, and no slow section: under a minute.")] = False,
    only: Annotated[str, typer.Option("--only", metavar="SECTIONS", help=f"Only these, by commas: {_NAMES}.")] = "",
    calls: Annotated[int | None, typer.Option("--calls", min=10, max=100_000, help="Warm calls by one caller.")] = None,
    concurrency: Annotated[
        int, typer.Option("--concurrency", min=1, max=64, help="Callers of the headline's calls a second.")
    ] = 8,
    rounds: Annotated[
        int | None, typer.Option("--rounds", min=3, max=1_000, help="Runs of each kind of container.")
    ] = None,
    peers_pythons: Annotated[
        list[str] | None,
        typer.Option(
            "--peers-python", metavar="PATH", help="Interpreter of an environment that has peers; repeatable."
        ),
    ] = None,
    peers_image: Annotated[
        str, typer.Option("--peers-image", metavar="IMAGE", help="Local image for peers, with `python` and a shell.")
    ] = "",
) -> ExitStatus:
    """Measure calls over gRPC and the cheapest ways to run the same, in one run, and compare them.

    The work is the same everywhere: sort ten words, answer as JSON. Servers are started for it, in processes of
    their own, and stopped. Ratios are medians of blocks that were measured in turns; p10–p90 says how sure they are.
    The whole takes some minutes. A figure that is missed is shown, and is no failure.

    Exit status: 0 measured, 2 bad usage, 3 a fault of ours, or a section whose calls failed.
    """
    plan = make_plan(
        quick=quick,
        only=[name.strip() for name in only.split(",") if name.strip()],
        calls=calls,
        rounds=rounds,
        concurrency=concurrency,
    )
    screen = session.screen
    document = session.environment.bench(
        session.options, plan, screen.note, peers_pythons=peers_pythons or [], peers_image=peers_image
    )
    screen.document(document)
    if not screen.as_json:
        for part in report(document):
            screen.say(part)
    return ExitStatus.FAULT if document["failed"] else ExitStatus.DONE
