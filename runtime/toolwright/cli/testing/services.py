"""A server without a server: each test says what it answers."""

# ruff: noqa: ARG002 - a fake takes what the real one takes

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from toolwright.cli.testing.samples import (
    MAKER_USE,
    answered,
    execution,
    made,
    shown,
)
from toolwright.client import ExportedTool, ImportedTool, Reverified, ToolDetails
from toolwright.domain.batch import BatchAnswer, BatchCall
from toolwright.domain.call import Isolation
from toolwright.domain.cost_report import CostQuestion, CostReport, HitRates
from toolwright.domain.events import (
    Answered,
    Declined,
    Failed,
    Made,
    MakingEvent,
    NotMade,
    SolveEvent,
    Started,
)
from toolwright.domain.job import Budget
from toolwright.domain.lifecycle import ToolEvent
from toolwright.domain.limits import LimitsRequest
from toolwright.domain.making import MakingAttempt, MakingDetails, MakingInfo
from toolwright.domain.miss import Miss, MissGroup
from toolwright.domain.outcome import (
    Execution,
)
from toolwright.domain.record import ModelUse, Stage
from toolwright.domain.source import ToolSource
from toolwright.domain.task import Task
from toolwright.domain.tool import ToolInfo, ToolState
from toolwright.errors import NotFound, ToolwrightError
from toolwright.llm.prices import PriceList, load_prices
from toolwright.registry.memory import MemoryStore
from toolwright.services.costs import CostReports

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

    def get_tool(self, reference: str) -> ToolDetails:
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
