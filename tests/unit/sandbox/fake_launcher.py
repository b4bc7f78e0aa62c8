"""Sandboxes and a launcher without containers, that note all that a pool does with them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from toolwright.domain.call import ToolCall
from toolwright.domain.outcome import Outcome, Status
from toolwright.errors import SandboxUnavailable
from toolwright.sandbox.base import Cancellation, SandboxInfo, SandboxKey


@dataclass(eq=False)
class FakeSandbox:
    """Runs nothing; knows whom it served."""

    launcher: FakeLauncher
    info: SandboxInfo
    usable: bool = True
    killed: bool = False
    destroyed: int = 0
    served: set[SandboxKey] = field(default_factory=set)
    uses: int = 0
    users: int = 0
    most_users: int = 0

    def run(self, call: ToolCall, cancellation: Cancellation) -> Outcome:
        """Answer at once."""
        return Outcome(Status.SUCCESS, result_json="1")

    def kill(self) -> None:
        """Be dead."""
        self.killed, self.usable = True, False

    def destroy(self) -> None:
        """Be gone."""
        time.sleep(self.launcher.destroy_s)
        if self.launcher.destroy_fault is not None:
            raise self.launcher.destroy_fault
        with self.launcher.lock:
            self.destroyed += 1
            self.launcher.living -= self.destroyed == 1
        self.usable = False


@dataclass
class FakeLauncher:
    """Starts fakes; fails, waits or counts as told."""

    start_s: float = 0.0
    destroy_s: float = 0.0
    fault: Exception | None = None
    destroy_fault: Exception | None = None
    gate: threading.Event | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    made: list[FakeSandbox] = field(default_factory=list)
    started_at: list[float] = field(default_factory=list)
    living: int = 0
    most_living: int = 0
    info: SandboxInfo = field(default_factory=lambda: SandboxInfo("", "sha256:0", "fake"))

    def launch(self) -> FakeSandbox:
        """Start one; what is starting counts as living."""
        with self.lock:
            self.started_at.append(time.monotonic())
            self.living += 1
            self.most_living = max(self.most_living, self.living)
            number = len(self.started_at)
        if self.gate is not None:
            assert self.gate.wait(10)
        time.sleep(self.start_s)
        with self.lock:
            if self.fault is not None:
                self.living -= 1
                raise self.fault
            sandbox = FakeSandbox(self, SandboxInfo(f"fake-{number}", "sha256:0", "fake"))
            self.made.append(sandbox)
        return sandbox


def refusal(text: str = "no room on the disk") -> SandboxUnavailable:
    """Return what a launcher raises."""
    return SandboxUnavailable(text)


def eventually(holds: Callable[[], object], within_s: float = 3.0) -> bool:
    """Whether `holds()` becomes true."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.002)
    return False
