"""`toolwright doctor`: is everything there that a sandboxed call needs?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.table import Table

from toolwright.cli.command import Session
from toolwright.cli.documents import execution_document
from toolwright.cli.environment import EngineFacts
from toolwright.cli.exit import ExitStatus
from toolwright.cli.images import image_document
from toolwright.cli.rendering import used
from toolwright.cli.safe_text import joined, literal, shown_line
from toolwright.cli.version_floors import below_floor
from toolwright.domain.outcome import Status
from toolwright.domain.source import ToolSource
from toolwright.errors import ToolwrightError

_PROBE = ToolSource("def add(a: int, b: int) -> int:\n    return a + b\n", "add")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    value: str
    ok: bool = True
    essential: bool = True
    """Whether nothing can run without it; else it is a warning."""
    advice: str = ""


@dataclass(slots=True)
class Diagnosis:
    """All findings, and the documents behind them."""

    findings: list[Finding] = field(default_factory=list)
    documents: dict[str, Any] = field(default_factory=dict)

    @property
    def healthy(self) -> bool:
        """Whether a tool can be run."""
        return all(finding.ok for finding in self.findings if finding.essential)


def doctor(session: Session) -> ExitStatus:
    """Check the engine, the versions, the image, and one real call in a sandbox.

    Exit status: 0 tools can run (there may be warnings), 3 something essential is missing.
    """
    diagnosis = Diagnosis()
    for name, look in (("engine", _engine), ("image", _image), ("call", _call)):
        try:
            look(session, diagnosis)
        except ToolwrightError as fault:
            diagnosis.findings.append(Finding(name, "missing", ok=False, advice=str(fault)))
            break  # what comes after stands on it
    session.screen.document(
        {
            "ok": diagnosis.healthy,
            "checks": [asdict(finding) for finding in diagnosis.findings],
            **{name: diagnosis.documents.get(name) for name in ("engine", "image", "call")},
        }
    )
    _show(session, diagnosis)
    return ExitStatus.DONE if diagnosis.healthy else ExitStatus.FAULT


def engine_findings(facts: EngineFacts) -> list[Finding]:
    """Return what is to be said of an engine and the machine that it runs on."""
    info = facts.info
    findings = [Finding("engine", f"{info.get('ServerVersion', '?')} at {facts.address}")]
    findings += [_version(name, version) for name, version in component_versions(facts).items()]
    findings.append(Finding("kernel", f"{info.get('KernelVersion', '?')}, {info.get('OperatingSystem', '?')}"))
    cgroup = str(info.get("CgroupVersion", "1"))
    findings.append(
        Finding(
            "cgroup",
            f"version {cgroup}, driver {info.get('CgroupDriver', '?')}",
            ok=cgroup == "2",
            essential=False,
            advice="" if cgroup == "2" else "cgroup version 2 kills and counts more exactly",
        )
    )
    lacking = [name for key, name in _CONTROLS.items() if info.get(key) is False]
    findings.append(
        Finding(
            "limits",
            "memory, swap, pids, CPU" if not lacking else f"missing: {', '.join(lacking)}",
            ok=not lacking,
            advice="" if not lacking else "Let the kernel have these controllers; limits could not be in force without",
        )
    )
    options = [str(option) for option in info.get("SecurityOptions") or ()]
    seccomp, remapped = _has(options, "name=seccomp"), _has(options, "name=userns")
    findings.append(Finding("seccomp", "in the kernel" if seccomp else "missing", ok=seccomp))
    findings.append(
        Finding(
            "user namespaces",
            "container users are remapped" if remapped else "container users are not remapped",
            ok=remapped,
            essential=False,
            advice="" if remapped else "recommended: dockerd --userns-remap=default",
        )
    )
    return findings


def component_versions(facts: EngineFacts) -> Mapping[str, str]:
    """Return the versions that an engine gives, by component."""
    components = facts.version.get("Components") or ()
    return {str(item.get("Name")): str(item.get("Version")) for item in components}


_CONTROLS = {"MemoryLimit": "memory", "SwapLimit": "swap", "PidsLimit": "pids", "CpuCfsQuota": "CPU"}


def _engine(session: Session, diagnosis: Diagnosis) -> None:
    facts = session.environment.engine(session.options)
    diagnosis.findings += engine_findings(facts)
    diagnosis.documents["engine"] = {
        "address": facts.address,
        "versions": dict(component_versions(facts)),
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


def _image(session: Session, diagnosis: Diagnosis) -> None:
    if session.options.image:
        diagnosis.findings.append(Finding("image", session.options.image))
        return
    with session.environment.images(session.options) as images:
        image = images.find("python")
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


def _call(session: Session, diagnosis: Diagnosis) -> None:
    with session.services(fresh_state=True) as services:
        execution = services.execute(_PROBE, {"a": 2, "b": 3})
    outcome = execution.outcome
    ok = outcome.status is Status.SUCCESS and outcome.result_json == "5"
    value = f"{outcome.status.value} {used(execution)}"
    failure = f"{outcome.failure.type}: {outcome.failure.message}" if outcome.failure else ""
    diagnosis.findings.append(Finding("call", value, ok=ok, advice=failure))
    diagnosis.documents["call"] = execution_document(execution)


def _version(component: str, version: str) -> Finding:
    floor = below_floor(component, version)
    advice = (
        f"upstream fixed known escapes in {floor}; your distribution may have carried the fixes back" if floor else ""
    )
    name = "dockerd" if component == "Engine" else component
    return Finding(name, version, ok=not floor, essential=False, advice=advice)


def _has(options: list[str], name: str) -> bool:
    return any(name in option for option in options)


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
    for finding in diagnosis.findings:
        if finding.essential and not finding.ok:
            session.screen.note(literal(finding.advice or finding.value), style="red")
    session.screen.say("Tools can run." if diagnosis.healthy else "Tools cannot run.", style="bold")
