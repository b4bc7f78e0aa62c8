"""Judges a host: what is below a floor or missing is a warning in development, and an error in production."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from toolwright.errors import InvalidInput
from toolwright.sandbox.host.facts import EngineFacts
from toolwright.sandbox.host.finding import Finding
from toolwright.sandbox.host.floors import ADVISORIES, FLOORS, floor_above, is_version
from toolwright.sandbox.host.layers import LAYERS, layer_findings

_RUNTIMES = ("runc", "crun")
"""Runtimes that a floor is known of. Only the one that tools run under counts."""


@dataclass(frozen=True, slots=True)
class HostCheck:
    """What is to be said of a host."""

    findings: tuple[Finding, ...]

    @property
    def unfit(self) -> tuple[Finding, ...]:
        """What keeps tools from running here."""
        return tuple(finding for finding in self.findings if finding.unfit)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What is worth knowing, and keeps nothing from running."""
        return tuple(finding for finding in self.findings if not finding.ok and not finding.essential)

    @property
    def refusal(self) -> str:
        """Why no tool may run here, each reason with its advisories, and what to do; empty if tools may run."""
        if not self.unfit:
            return ""
        reasons = "; ".join(f"{one.name}: {one.value} ({one.advice})" for one in self.unfit)
        return (
            f"no tool is run: this host is not fit for production: {reasons}. Mend the host; or name in accepted_risks "
            "what your distribution has fixed or you can do without. `toolwright doctor` shows everything"
        )


def check_host(facts: EngineFacts, *, production: bool, accepted: Collection[str] = ()) -> HostCheck:
    """Judge the machine that an engine runs on.

    Args:
        facts: the engine's own account.
        production: whether what is below a floor or missing is an error, and no mere warning.
        accepted: advisories and names of findings that stay warnings in production too.

    Raises:
        InvalidInput: a name in `accepted` is of nothing that could be found.
    """
    _check_names(accepted)
    findings = (
        Finding("engine", f"{facts.info.get('ServerVersion', '?')} at {facts.address}"),
        *_versions(facts),
        *layer_findings(facts),
    )
    return HostCheck(tuple(_judged(finding, frozenset(accepted), production=production) for finding in findings))


def _check_names(accepted: Collection[str]) -> None:
    known = {*ADVISORIES, *FLOORS, *LAYERS}
    for name in accepted:
        if name not in known:
            problem = f"{name[:80]!r} is no advisory and no finding that could be accepted"
            raise InvalidInput("accepted_risks", problem, ", ".join([*sorted(FLOORS), *LAYERS, *sorted(ADVISORIES)]))


def _judged(finding: Finding, accepted: frozenset[str], *, production: bool) -> Finding:
    """Return `finding`, as grave as the profile and what the operator accepts make it."""
    if not finding.production_only or finding.ok or not finding.essential:
        return finding
    if finding.name in accepted or (finding.advisories and accepted.issuperset(finding.advisories)):
        return replace(finding, essential=False, advice=f"{finding.advice}; accepted by accepted_risks")
    return replace(finding, essential=production)


def _versions(facts: EngineFacts) -> Iterator[Finding]:
    told = facts.components
    for component, version in told.items():
        used = component == facts.runtime or component not in _RUNTIMES
        shown = f"{version}, {facts.info.get('OperatingSystem', '?')}" if component == "kernel" else version
        yield _version(component, version, shown, used=used)
    if facts.runtime not in told:
        known = facts.runtime in FLOORS
        advice = "the engine does not tell its version: look yourself whether it is a current one"
        yield Finding(
            facts.runtime, "version not known", ok=False, essential=known, advice=advice, production_only=True
        )


def _version(component: str, version: str, shown: str, *, used: bool) -> Finding:
    floor = floor_above(component, version)
    if floor is not None:
        advice = (
            f"below {floor.version}, which fixes {', '.join(floor.advisories)}; "
            "your distribution may have carried the fixes back"
        )
    elif component in FLOORS and not is_version(version):
        advice = "its version cannot be read, so nothing is known of its faults"
    else:
        return Finding(component, shown)
    return Finding(
        component,
        shown,
        ok=False,
        essential=used,
        advice=advice if used else f"{advice}; no tool runs under it",
        advisories=floor.advisories if floor else (),
        production_only=True,
    )
