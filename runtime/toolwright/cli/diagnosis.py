"""What `toolwright doctor` has found: one line for each thing, and the documents behind them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from toolwright.sandbox.selfcheck.check import SelfCheck


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    value: str
    ok: bool = True
    essential: bool = True
    """Whether nothing can run without it; else it is a warning."""
    advice: str = ""
    advisories: tuple[str, ...] = ()
    """Known faults that are the reason for it."""


@dataclass(slots=True)
class Diagnosis:
    """All findings, and the documents behind them."""

    findings: list[Finding] = field(default_factory=list)
    documents: dict[str, Any] = field(default_factory=dict)
    check: SelfCheck | None = None
    """What is to be said of the sandbox's layers."""

    @property
    def healthy(self) -> bool:
        """Whether a tool can be run, and the profile asks for nothing more."""
        return all(finding.ok for finding in self.findings if finding.essential)

    @property
    def verdict(self) -> str:
        """All of it in a sentence."""
        if self.healthy:
            return "Tools can run."
        wrong = {finding.name for finding in self.findings if finding.essential and not finding.ok}
        outdated = {finding.name for finding in self.findings if finding.advisories}
        return "Tools can run, but not in production." if wrong <= outdated else "Tools cannot run."
