"""A world without engine, server or model, for tests of the command line: each test says what it answers."""

# ruff: noqa: ARG002 - a fake takes what the real one takes

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from toolwright.attacks.case import Case
from toolwright.attacks.matrix import Tell
from toolwright.attacks.report import Report
from toolwright.attacks.run import Result, Verdict
from toolwright.attacks.score import TITLES, Score
from toolwright.bench.plan import Plan
from toolwright.bench.testing import sample_document
from toolwright.cli.options import Options
from toolwright.client import ExportedTool, ImportedTool, Reverified
from toolwright.domain.batch import BatchAnswer, BatchCall
from toolwright.domain.call import Isolation
from toolwright.domain.cost_report import CostQuestion, CostReport, HitRates
from toolwright.domain.events import (
    Answered,
    Checked,
    Declined,
    Failed,
    Made,
    MakingEvent,
    NotMade,
    Proposed,
    SolveEvent,
    Started,
)
from toolwright.domain.gates import GateName, GateVerdict
from toolwright.domain.job import Budget, JobState
from toolwright.domain.lifecycle import ToolEvent
from toolwright.domain.limits import Limits, LimitsRequest
from toolwright.domain.making import MakingAttempt, MakingDetails, MakingInfo
from toolwright.domain.miss import Miss, MissGroup
from toolwright.domain.outcome import (
    Execution,
    Failure,
    Outcome,
    Output,
    Provenance,
    Status,
    Timing,
    Usage,
)
from toolwright.domain.record import Check, ModelUse, Role, Stage, TokenUse, VerificationRecord
from toolwright.domain.source import ToolSource
from toolwright.domain.task import AnswerKind, Example, Task
from toolwright.domain.tool import Demonstration, ToolInfo, ToolState
from toolwright.errors import NotFound, ToolwrightError
from toolwright.images.catalog import ImageInfo
from toolwright.images.lock import Package
from toolwright.images.prune import Pruned
from toolwright.llm.prices import PriceList, load_prices
from toolwright.registry.memory import MemoryStore
from toolwright.sandbox.host.check import HostCheck
from toolwright.sandbox.host.facts import EngineFacts
from toolwright.sandbox.selfcheck.check import SelfCheck
from toolwright.sandbox.selfcheck.finding import compare
from toolwright.services.costs import CostReports
from toolwright.settings import Profile

USER_USE = TokenUse(Role.USER, "offline-user", 1, 100, 10, 0.001)
MAKER_USE = TokenUse(Role.MAKER, "offline-maker", 2, 1000, 500, 0.09)


def execution(
    status: Status = Status.SUCCESS,
    result_json: str | None = "5",
    failure: Failure | None = None,
    stdout: Output | None = None,
) -> Execution:
    """Return a call's end with every part filled."""
    outcome = Outcome(
        status,
        result_json if status is Status.SUCCESS else None,
        None if status is Status.SUCCESS else failure or Failure("ValueError", "no", "Traceback …"),
        stdout=stdout or Output(),
        usage=Usage(wall_ms=1.5, cpu_ms=1.0, peak_memory_bytes=9_000_000),
    )
    provenance = Provenance("sha256:" + "a" * 64, "sha256:" + "b" * 64, "runc", "c" * 64, isolation=Isolation.TOOL)
    return Execution("e" * 32, outcome, Limits(), Timing(run_ms=2.0), provenance)


def tool_info(name: str = "sort_words", number: int = 1) -> ToolInfo:
    """Return an active tool."""
    return ToolInfo(
        name=name,
        number=number,
        digest="sha256:" + "d" * 64,
        state=ToolState.ACTIVE,
        function=name,
        summary="Sort words.",
        signature="(words: list[str]) -> str",
        parameters={"type": "object", "properties": {"words": {"type": "array"}}, "additionalProperties": False},
        answer_kind=AnswerKind.TEXT,
        demonstrations=(Demonstration("Sort: b a", '{"words": ["b", "a"]}', "a b"),),
        verification_id="v1",
        created_at=1.0,
    )


def making_info(making_id: str = "m1", task: str = "sort_words", **changes: Any) -> MakingInfo:
    """Return a making that is under way."""
    budget, spent = Budget(5, 0, 20.0, 7200.0), Budget(1, 12, 0.1, 3.0)
    job = MakingInfo(
        making_id=making_id,
        task=task,
        task_digest="sha256:" + "e" * 64,
        kind="make",
        state=JobState.RUNNING,
        budget=budget,
        spent=spent,
        token_use=(MAKER_USE,),
        candidates=1,
        progress="attempt 2",
        owner="host:1:ab",
        starts=1,
        cancel_requested=False,
        reason="",
        tool_digest="",
        merged=False,
        created_at=1.0,
        finished_at=None,
    )
    return replace(job, **changes)


@dataclass(frozen=True)
class Shown:
    """What `get_tool` returns."""

    info: ToolInfo
    source: ToolSource
    verification: VerificationRecord | None
    dependants: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()


def shown(info: ToolInfo) -> Shown:
    """Return `info` with a source and a record."""
    checks = (Check("1", held_out=False, status=Status.SUCCESS, passed=True, execution_id="x"),)
    task, image = "sha256:" + "e" * 64, "sha256:" + "b" * 64
    gates = (GateVerdict(GateName.PROBES, passed=True, evidence={"crashed": 0}),)
    record = VerificationRecord("v1", info.digest, task, image, "runc", "m", "u", checks, 1, 1.0, gates)
    source = ToolSource("def sort_words(words):\n    return sorted(words)\n", info.function)
    return Shown(info, source, record, ("uses_it@1", "uses_it@2"))


Executed = Execution | ToolwrightError


@dataclass
class FakeLives:
    """Answers what is asked of versions' lives, about the first of its tools; notes what it was told."""

    tools: list[ToolInfo] = field(default_factory=list)
    told: list[tuple[Any, ...]] = field(default_factory=list)
    """(what, to what, further words …)"""
    events: list[ToolEvent] = field(default_factory=list)

    def list_tool_events(self, name: str) -> Iterator[ToolEvent]:
        """See `Services.list_tool_events`."""
        return (event for event in self.events if event.name == name)

    def set_alias(
        self, name: str, alias: str, version: int, *, share: float = 0.0, actor: str = "", reason: str = ""
    ) -> ToolInfo | None:
        """See `Services.set_alias`."""
        self.told.append(("alias", name, alias, version, share, actor, reason))
        return self._first() if version else None

    def rollback_tool(self, name: str, *, actor: str = "", reason: str = "") -> ToolInfo:
        """See `Services.rollback_tool`."""
        self.told.append(("rollback", name, actor, reason))
        return self._first()

    def approve_tool(self, reference: str, *, actor: str, reason: str = "") -> ToolInfo:
        """See `Services.approve_tool`."""
        self.told.append(("approve", reference, actor, reason))
        return self._first()

    def quarantine_tool(self, reference: str, *, reason: str, actor: str = "") -> ToolInfo:
        """See `Services.quarantine_tool`."""
        self.told.append(("quarantine", reference, actor, reason))
        return replace(self._first(), state=ToolState.QUARANTINED)

    def retire_tool(self, reference: str, *, reason: str, actor: str = "") -> ToolInfo:
        """See `Services.retire_tool`."""
        self.told.append(("retire", reference, actor, reason))
        return replace(self._first(), state=ToolState.RETIRED)

    def export_tool(self, reference: str) -> ExportedTool:
        """See `Services.export_tool`."""
        self.told.append(("export", reference))
        return ExportedTool(self._first(), b"a file", "ed25519:key")

    def import_tool(self, file: bytes, *, trusted_keys: Sequence[str] = (), actor: str = "") -> ImportedTool:
        """See `Services.import_tool`."""
        self.told.append(("import", file, tuple(trusted_keys), actor))
        return ImportedTool(self._first(), self._first().digest, "key:1")

    def _first(self) -> ToolInfo:
        if not self.tools:
            raise NotFound("tool", "any")
        return self.tools[0]


@dataclass
class FakeServices(FakeLives):
    """Answers from lists that a test fills; notes what it was asked."""

    executions: list[Executed] = field(default_factory=list)
    making: Callable[[Task], list[MakingEvent]] | None = None
    """What comes of a making; None: the tool, at once."""
    solving: Callable[[str], list[SolveEvent]] | None = None
    """What comes of a question; None: the answer `a b`."""
    executed: list[tuple[str | ToolSource, str | None, LimitsRequest | None]] = field(default_factory=list)
    isolation: Isolation | None = None
    """What the last call asked for."""
    timeout_s: float | None = None
    """How long the last caller waits."""
    asked: list[str] = field(default_factory=list)
    made: list[Task] = field(default_factory=list)
    narrowed: list[tuple[tuple[str, ...], bool]] = field(default_factory=list)
    """What the dispatcher was to be offered, and whether it alone was asked."""
    groups: list[MissGroup] = field(default_factory=list)
    questions: list[Miss] = field(default_factory=list)
    budgets: list[tuple[Budget | None, int]] = field(default_factory=list)
    makings: list[MakingInfo] = field(default_factory=list)
    store: MemoryStore = field(default_factory=MemoryStore)
    """Whose ledger has what making and solving said of their costs, and what a test adds."""
    prices: PriceList = field(default_factory=load_prices)
    hit_rates: HitRates | None = None
    cost_question: CostQuestion | None = None
    """What was asked of costs last."""
    bypassed: list[bool] = field(default_factory=list)
    """Of each call and question, whether known results were to be left aside."""
    reported: list[tuple[str, bool, str]] = field(default_factory=list)
    actors: list[str] = field(default_factory=list)
    verify_fails: str = ""
    """Why verifying again fails; empty if it passes."""

    def execute(
        self,
        tool: str | ToolSource,
        arguments: Mapping[str, Any] | None = None,
        *,
        arguments_json: str | None = None,
        limits: LimitsRequest | None = None,
        isolation: Isolation | None = None,
        bypass_cache: bool = False,
        timeout_s: float | None = None,
    ) -> Execution:
        """See `Services.execute`."""
        self.bypassed.append(bypass_cache)
        self.timeout_s = timeout_s
        self.executed.append((tool, arguments_json or json.dumps(arguments), limits))
        self.isolation = isolation
        answer = self.executions.pop(0) if self.executions else execution()
        if isinstance(answer, ToolwrightError):
            raise answer
        return answer

    def execute_batch(self, calls: Iterable[BatchCall]) -> Iterator[BatchAnswer]:
        """See `Services.execute_batch`."""
        for call in calls:
            text = call.arguments_json or json.dumps(call.arguments)
            try:
                yield BatchAnswer(call.request_id, self.execute(call.tool, arguments_json=text))
            except ToolwrightError as fault:
                yield BatchAnswer(call.request_id, error=fault)

    def make(
        self, task: Task, *, attempts: int = 0, budget: Budget | None = None, candidates: int = 0
    ) -> Iterator[MakingEvent]:
        """See `Services.make`."""
        self.made.append(task)
        self.budgets.append((budget, candidates))
        events = (self.making or made)(task)
        self._keep(events[-1], task.name, "making")
        return iter(events)

    def follow_making(self, making_id: str) -> Iterator[MakingEvent]:
        """See `Services.follow_making`."""
        return iter([Started(making_id, shared=True), NotMade("enough", 1, (MAKER_USE,), "cancelled")])

    def list_makings(self, *, task: str = "", open_only: bool = False) -> Iterator[MakingInfo]:
        """See `Services.list_makings`."""
        wanted = [making for making in self.makings if task in {"", making.task}]
        return (making for making in wanted if not (open_only and making.state.ended))

    def get_making(self, making_id: str) -> MakingDetails:
        """See `Services.get_making`."""
        for making in self.makings:
            if making.making_id == making_id:
                attempt = MakingAttempt(1, "def f(): ...", Stage.VERIFY, False, "no\x1b[31m", 10, 2, 0.1, 1.0)
                return MakingDetails(making, (attempt,))
        raise NotFound("making", making_id)

    def cancel_making(self, making_id: str, *, reason: str = "") -> MakingInfo:
        """See `Services.cancel_making`."""
        return replace(self.get_making(making_id).info, cancel_requested=True, reason=reason)

    def get_tool(self, reference: str) -> Shown:
        """See `Services.get_tool`."""
        for tool in self.tools:
            if reference in {tool.name, tool.reference}:
                return shown(tool)
        raise NotFound("tool", reference)

    def list_tools(self) -> Iterator[ToolInfo]:
        """See `Services.list_tools`."""
        return iter(self.tools)

    def search_tools(self, query: str, *, limit: int = 0) -> list[ToolInfo]:
        """See `Services.search_tools`."""
        return [tool for tool in self.tools if tool.name in query][:limit]

    def miss_groups(self) -> Iterator[MissGroup]:
        """See `Services.miss_groups`."""
        return iter(self.groups)

    def misses(self, group: str) -> tuple[MissGroup, list[Miss]]:
        """See `Services.misses`."""
        for found in self.groups:
            if found.group_id == group:
                return found, [miss for miss in self.questions if miss.group_id == group]
        raise NotFound("group of misses", group)

    def answer_miss(self, miss: str, answer: str, *, actor: str = "") -> tuple[Miss, MissGroup]:
        """See `Services.answer_miss`."""
        for index, found in enumerate(self.questions):
            if found.miss_id == miss:
                self.questions[index] = kept = replace(found, answer=answer, answered_by=actor)
                return kept, self.misses(kept.group_id)[0]
        raise NotFound("miss", miss)

    def report(self, execution_id: str, *, correct: bool, answer: str = "", actor: str = "") -> bool:
        """See `Services.report`."""
        said = (execution_id, correct, answer)
        self.actors.append(actor)
        new = said not in self.reported
        self.reported.append(said)
        return new

    def verify(self, reference: str, *, actor: str = "") -> Reverified:
        """See `Services.verify`."""
        self.actors.append(actor)
        return Reverified(not self.verify_fails, self.get_tool(reference).info, self.verify_fails)

    def solve(
        self,
        question: str,
        *,
        tool: str = "",
        among: Sequence[str] = (),
        dispatch_only: bool = False,
        bypass_cache: bool = False,
    ) -> Iterator[SolveEvent]:
        """See `Services.solve`."""
        self.bypassed.append(bypass_cache)
        self.asked.append(question)
        self.narrowed.append((tuple(among), dispatch_only))
        events = self.solving(question) if self.solving else answered("a b")
        self._keep(events[-1], "" if isinstance(events[-1], Declined) else "sort_words", "using")
        return iter(events)

    def get_costs(self, asked: CostQuestion | None = None) -> CostReport:
        """See `Services.get_costs`."""
        self.cost_question = asked or CostQuestion()
        reports = CostReports(self.store, self.prices, hit_rates=lambda: self.hit_rates, today=lambda: date(2026, 4, 1))
        return reports.report(self.cost_question)

    def _keep(self, event: SolveEvent, task: str, purpose: str) -> None:
        """Keep what the event says of costs, as the server's ledger does."""
        if not isinstance(event, Answered | Declined | Failed | Made | NotMade):
            return
        for use in event.token_use:
            self.store.ledger.add(
                ModelUse(
                    use.role,
                    use.model,
                    use.prompt_tokens,
                    use.completion_tokens,
                    use.cost_usd,
                    0.5,
                    task,
                    purpose,
                    time.time(),
                    request_id=f"question-{len(self.asked)}",
                )
            )


def made(task: Task) -> list[MakingEvent]:
    """Return a making that succeeds at once."""
    return [
        Proposed(1, f"def {task.name}(): ..."),
        Checked(1, "1", held_out=True, passed=True, status=Status.SUCCESS),
        Made(tool_info(task.name), 1, (MAKER_USE,)),
    ]


def answered(answer: str, execution_id: str = "x1") -> list[SolveEvent]:
    """Return a solving that ends with `answer`."""
    return [Answered(answer, json.dumps(answer), "sort_words@1", execution_id, (USER_USE,))]


def declined(reason: str = "nothing fits") -> list[SolveEvent]:
    """Return a solving that finds no tool."""
    return [Declined(reason, (USER_USE,))]


IMAGE = ImageInfo(
    name="python",
    reference="toolwright-sandbox-python:0123456789abcdef",
    image_id="sha256:" + "1" * 64,
    content_digest="sha256:" + "2" * 64,
    recipe_digest="3" * 64,
    created="",
    size_bytes=44_000_000,
    packages=(Package("libc6", "2.41", "amd64", "4" * 64),),
    packages_locked=True,
    agent_protocol=1,
)

FACTS = EngineFacts(
    "unix:///run/docker.sock",
    {"Components": [{"Name": "Engine", "Version": "29.6.0"}, {"Name": "runc", "Version": "1.4.4"}]},
    {
        "ServerVersion": "29.6.0",
        "KernelVersion": "6.12.85",
        "OperatingSystem": "Debian",
        "CgroupVersion": "2",
        "CgroupDriver": "systemd",
        "MemoryLimit": True,
        "SwapLimit": True,
        "PidsLimit": True,
        "CpuCfsQuota": True,
        "SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin", "name=userns"],
        "Runtimes": {"runc": {}},
    },
)


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


def self_check(*broken: str) -> SelfCheck:
    """Return a check of three layers, those of `broken` not in force."""
    layers = ("network", "memory", "user")
    return SelfCheck(
        tuple(compare(layer, "a probe", "no", "yes" if layer in broken else "no") for layer in layers), 0.1
    )


def attack_report(*results: Result) -> Report:
    """Return a report of one case that held, and of `results`."""
    held = Result("ES-01", "Mounts: nothing can be mounted", "runc", Verdict.PASS, Verdict.PASS, 0.2)
    scores = (Score("toolwright, runc", dict.fromkeys(TITLES, True)), Score("docker run", dict.fromkeys(TITLES, False)))
    return Report("2026-01-02T03:04:05+00:00", {"runc": "1.2.3"}, IMAGE.image_id, 7, 149, (held, *results), scores)


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
