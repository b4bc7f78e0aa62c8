"""The `Environment` of tests, and how a command ended in it."""

# ruff: noqa: ARG002 - a fake takes what the real one takes

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from toolwright.attacks.case import Case
from toolwright.attacks.matrix import Tell
from toolwright.attacks.report import Report
from toolwright.bench.plan import Plan
from toolwright.bench.testing import sample_document
from toolwright.cli.options import Options
from toolwright.cli.testing.samples import (
    FACTS,
    IMAGE,
    attack_report,
    self_check,
)
from toolwright.cli.testing.services import FakeServices
from toolwright.domain.record import Role, TokenUse
from toolwright.domain.task import Example
from toolwright.errors import ToolwrightError
from toolwright.images.catalog import ImageInfo
from toolwright.images.prune import Pruned
from toolwright.sandbox.host.check import HostCheck
from toolwright.sandbox.host.facts import EngineFacts
from toolwright.sandbox.selfcheck.check import SelfCheck
from toolwright.settings import Profile


@dataclass
class FakeImages:
    """Holds one image."""

    fault: ToolwrightError | None = None

    def build(self, name: str, *, progress: Callable[[str], None], force: bool, relock: bool) -> ImageInfo:
        """See `Images.build`."""
        progress("building")
        return self.find(name)

    def find(self, name: str) -> ImageInfo:
        """See `Images.find`."""
        if self.fault:
            raise self.fault
        return IMAGE

    def list(self) -> Sequence[ImageInfo]:
        """See `Images.list`."""
        return [IMAGE]

    def prune(self) -> Pruned:
        """See `Images.prune`."""
        return Pruned((IMAGE,), ())


@dataclass
class FakeServer:
    """Stops at once."""

    address: str = "127.0.0.1:7433"
    check: SelfCheck = field(default_factory=self_check)
    host: HostCheck | None = None

    @property
    def refusal(self) -> str:
        """See `Server.refusal`."""
        return self.check.refusal or (self.host.refusal if self.host else "")

    def wait(self) -> None:
        """See `Server.wait`."""


@dataclass
class FakeWorld:
    """The `Environment` of tests."""

    services_: FakeServices = field(default_factory=FakeServices)
    images_: FakeImages = field(default_factory=FakeImages)
    server: FakeServer = field(default_factory=FakeServer)
    start_fault: BaseException | None = None
    facts: EngineFacts | ToolwrightError = FACTS
    options: Options | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    fresh_state: bool | None = None
    strong_asked: int = 0
    unchosen: str = ""
    """What `models_note` returns."""
    profile_: Profile = Profile.DEVELOPMENT
    accepted: tuple[str, ...] = ()
    check_: SelfCheck | ToolwrightError = field(default_factory=self_check)
    report_: Report = field(default_factory=attack_report)
    plan: Plan | None = None
    """What the last `bench` was to measure."""
    bench_failed: Mapping[str, str] = field(default_factory=dict)
    """Sections of a bench whose calls fail."""

    def models_note(self, options: Options) -> str:
        """See `Environment.models_note`."""
        return self.unchosen

    @contextmanager
    def services(self, options: Options, changes: Mapping[str, Any], *, fresh_state: bool) -> Iterator[FakeServices]:
        """See `Environment.services`."""
        self.options, self.changes, self.fresh_state = options, changes, fresh_state
        if self.start_fault:
            raise self.start_fault
        yield self.services_

    @contextmanager
    def serve(self, options: Options, changes: Mapping[str, Any]) -> Iterator[FakeServer]:
        """See `Environment.serve`."""
        self.options, self.changes = options, changes
        if self.start_fault:
            raise self.start_fault
        yield self.server

    @contextmanager
    def images(self, options: Options) -> Iterator[FakeImages]:
        """See `Environment.images`."""
        yield self.images_

    def engine(self, options: Options) -> EngineFacts:
        """See `Environment.engine`."""
        if isinstance(self.facts, ToolwrightError):
            raise self.facts
        return self.facts

    def profile(self, options: Options) -> Profile:
        """See `Environment.profile`."""
        return self.profile_

    def accepted_risks(self, options: Options) -> Sequence[str]:
        """See `Environment.accepted_risks`."""
        return self.accepted

    def check(self, options: Options) -> SelfCheck:
        """See `Environment.check`."""
        if isinstance(self.check_, ToolwrightError):
            raise self.check_
        return self.check_

    def attack(self, options: Options, cases: Sequence[Case], seed: int, tell: Tell) -> Report:
        """See `Environment.attack`."""
        for result in self.report_.results:
            tell(result)
        return replace(self.report_, seed=seed)

    def bench(
        self,
        options: Options,
        plan: Plan,
        tell: Callable[[str], None],
        *,
        peers_pythons: Sequence[str],
        peers_image: str,
    ) -> dict[str, Any]:
        """See `Environment.bench`."""
        self.options, self.plan = options, plan
        tell("measuring")
        return {**sample_document(plan), "failed": dict(self.bench_failed)}

    def strong_use(self, asked: Sequence[tuple[Sequence[Example], str]]) -> TokenUse:
        """See `Environment.strong_use`."""
        self.strong_asked = len(asked)
        return TokenUse(Role.USER, "offline-strong", len(asked), 500, 10, 0.02 * len(asked))


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """The JSON Lines on stdout."""
        return [json.loads(line) for line in self.out.splitlines()]


RunCli = Callable[..., Ran]
"""Runs a command line, given as strings and paths."""
