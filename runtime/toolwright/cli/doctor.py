"""`toolwright doctor`: is everything there that a sandboxed call needs, and does each layer of the sandbox hold?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from toolwright.cli.attacks import attack
from toolwright.cli.command import Session
from toolwright.cli.diagnosis import Diagnosis
from toolwright.cli.documents import execution_document
from toolwright.cli.exit import ExitStatus
from toolwright.cli.images import image_document
from toolwright.cli.rendering import used
from toolwright.cli.safe_text import joined, literal
from toolwright.domain.outcome import Status
from toolwright.domain.shown import shown_line
from toolwright.domain.source import ToolSource
from toolwright.errors import InvalidInput, ToolwrightError
from toolwright.sandbox.host.check import check_host
from toolwright.sandbox.host.finding import Finding
from toolwright.sandbox.selfcheck.check import SelfCheck
from toolwright.sandbox.selfcheck.finding import Finding as LayerFinding
from toolwright.settings import Profile

_PROBE = ToolSource("def add(a: int, b: int) -> int:\n    return a + b\n", "add")
_SHOWN_CHARS = 120


def doctor(
    session: Session,
    profile: Annotated[
        Profile | None,
        typer.Option(
            help="Judge as for this profile: production makes errors of outdated versions and missing host layers.",
            show_default=False,
        ),
    ] = None,
    attacks: Annotated[
        bool, typer.Option("--attacks", help="Instead fire the whole attack matrix, which takes minutes.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="With --attacks: write attacks.json and attacks.html into this directory.")
    ] = None,
    case: Annotated[str, typer.Option(help="With --attacks: only these cases, such as RX-01,ES-05.")] = "",
    seed: Annotated[int | None, typer.Option(help="With --attacks: draws the order of the cases.")] = None,
) -> ExitStatus:
    """Check the engine, versions, the image and one real call, and attack each layer of the sandbox.

    With --attacks: fire every case of the attack matrix at sandboxes like a server's, under the runtime that is named,
    or under each that the cases know; say which limits are in force, here and under a plain docker run.

    Exit status: 0 tools can run (there may be warnings), 3 something essential is missing or a layer is not in force,
    or an attack got through.
    """
    if attacks:
        return attack(session, case, seed, report)
    if report or case or seed is not None:
        raise InvalidInput("report, case, seed", "they are for the attack matrix", "use them with --attacks")
    chosen = profile or session.environment.profile(session.options)
    diagnosis = Diagnosis()
    diagnosis.documents["profile"] = chosen.value
    for name, look in (("engine", _engine), ("image", _image), ("layers", _layers), ("call", _call)):
        try:
            look(session, diagnosis, chosen)
        except InvalidInput:
            raise  # a setting: nothing is wrong with the machine
        except ToolwrightError as fault:
            diagnosis.findings.append(Finding(name, "missing", ok=False, advice=str(fault)))
            break  # what comes after stands on it
        if diagnosis.check and not diagnosis.check.passed:
            break  # no tool may run there
    _report(session, diagnosis)
    return ExitStatus.DONE if diagnosis.healthy else ExitStatus.FAULT


def _engine(session: Session, diagnosis: Diagnosis, profile: Profile) -> None:
    facts = session.environment.engine(session.options)
    accepted = session.environment.accepted_risks(session.options)
    host = check_host(facts, production=profile is Profile.PRODUCTION, accepted=accepted)
    diagnosis.findings += host.findings
    diagnosis.documents["engine"] = {
        "address": facts.address,
        "versions": dict(facts.components),
        **{key: facts.info.get(key) for key in _SHOWN},
        "runtimes": sorted(facts.info.get("Runtimes") or {}),
    }


_SHOWN = (
    "KernelVersion",
    "OperatingSystem",
    "CgroupVersion",
    "CgroupDriver",
    "Driver",
    "SecurityOptions",
    "NCPU",
    "MemTotal",
)


def _image(session: Session, diagnosis: Diagnosis, _profile: Profile) -> None:
    name = session.options.image or "python"
    if "sha256:" in name:
        diagnosis.findings.append(Finding("image", name))
        return
    with session.environment.images(session.options) as images:
        image = images.find(name.removeprefix("toolwright-sandbox-"))
    diagnosis.findings.append(Finding("image", f"{image.reference}, {image.image_id}"))
    if not image.packages_locked:
        diagnosis.findings.append(
            Finding(
                "packages",
                "not those of the lock",
                ok=False,
                essential=False,
                advice="`toolwright images build --force` builds it anew; --relock accepts what comes",
            )
        )
    diagnosis.documents["image"] = image_document(image)


def _layers(session: Session, diagnosis: Diagnosis, _profile: Profile) -> None:
    check = session.environment.check(session.options)
    layers = {finding.layer: True for finding in check.findings} | dict.fromkeys(check.broken_layers, False)
    diagnosis.check = check
    diagnosis.documents["layers"] = layers
    diagnosis.documents["findings"] = [asdict(finding) for finding in check.findings]
    value = (
        f"{sum(layers.values())} of {len(layers)} in force, by {len(check.findings)} checks in {check.seconds:.1f} s"
    )
    advice = "" if check.passed else f"Not in force: {', '.join(check.broken_layers)}. No tool may run until they are."
    diagnosis.findings.append(Finding("layers", value, ok=check.passed, advice=advice))


def _call(session: Session, diagnosis: Diagnosis, _profile: Profile) -> None:
    with session.services(fresh_state=True) as services:
        execution = services.execute(_PROBE, {"a": 2, "b": 3})
    outcome = execution.outcome
    ok = outcome.status is Status.SUCCESS and outcome.result_json == "5"
    value = f"{outcome.status.value} {used(execution)}"
    failure = f"{outcome.failure.type}: {outcome.failure.message}" if outcome.failure else ""
    diagnosis.findings.append(Finding("call", value, ok=ok, advice=failure))
    diagnosis.documents["call"] = execution_document(execution)


def _report(session: Session, diagnosis: Diagnosis) -> None:
    documents = ("profile", "engine", "image", "layers", "findings", "call")
    session.screen.document(
        {
            "ok": diagnosis.healthy,
            "checks": [asdict(finding) for finding in diagnosis.findings],
            **{name: diagnosis.documents.get(name) for name in documents},
        }
    )
    _show(session, diagnosis)


def _show(session: Session, diagnosis: Diagnosis) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for finding in diagnosis.findings:
        mark, style = ("✓", "green") if finding.ok else ("✗", "bold red") if finding.essential else ("!", "yellow")
        told = f"\n{shown_line(finding.advice)}" if finding.advice and not finding.essential else ""
        advice = literal(told, style="dim")
        table.add_row(
            literal(mark, style=style), literal(finding.name), joined(literal(shown_line(finding.value)), advice)
        )
    session.screen.say(table)
    if diagnosis.check:
        session.screen.say(_layer_table(diagnosis.check))
    for finding in diagnosis.findings:
        if finding.essential and not finding.ok:
            session.screen.note(literal(f"{finding.name}: {finding.advice or finding.value}"), style="red")
    session.screen.say(diagnosis.verdict, style="bold")


def _layer_table(check: SelfCheck) -> Table:
    """One row for each layer that holds, and one for each check of a layer that does not."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "layer", "check", "has to be", "is"):
        table.add_column(heading)
    for layer, checks in _by_layer(check).items():
        broken = [finding for finding in checks if not finding.holds]
        if not broken:
            count = f"{len(checks)} check" + ("s" if len(checks) > 1 else "")
            table.add_row(literal("✓", style="green"), literal(layer), literal(count), "", "")
        for finding in broken:
            cells = (finding.layer, finding.check, finding.expected, finding.found)
            shown = (literal(shown_line(cell, limit=_SHOWN_CHARS)) for cell in cells)
            table.add_row(literal("✗", style="bold red"), *shown)
    return table


def _by_layer(check: SelfCheck) -> dict[str, list[LayerFinding]]:
    layers: dict[str, list[LayerFinding]] = {}
    for finding in check.findings:
        layers.setdefault(finding.layer, []).append(finding)
    return layers
