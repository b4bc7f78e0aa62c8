"""What `toolwright doctor` has found: one line for each thing, and the documents behind them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from toolwright.sandbox.host.finding import Finding
from toolwright.sandbox.selfcheck.check import SelfCheck


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
        return not any(finding.unfit for finding in self.findings)

    @property
    def verdict(self) -> str:
        """All of it in a sentence."""
        if self.healthy:
            return "Tools can run."
        only = all(finding.production_only for finding in self.findings if finding.unfit)
        return "Tools can run, but not in production." if only else "Tools cannot run."
