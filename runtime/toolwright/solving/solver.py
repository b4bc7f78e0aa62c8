"""One question: which tool, the light model's call, the run, the answer: what a tool returned, or none at all."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from toolwright.calling.caller import Caller
from toolwright.calling.card import ToolCard
from toolwright.calling.models import USING, Models
from toolwright.calling.patience import Patience
from toolwright.domain.events import Answered, Declined, Dispatched, Failed, SolveEvent
from toolwright.domain.record import DEFAULT_TENANT, Role
from toolwright.domain.task import check_question
from toolwright.domain.tool import RegisteredTool, ToolState
from toolwright.errors import NotReady
from toolwright.execution.base import Executor
from toolwright.llm.ledger import Meter, new_request_id
from toolwright.registry.base import Store
from toolwright.sandbox.base import Cancellation
from toolwright.solving.choices import Choices
from toolwright.solving.dispatcher import dispatch
from toolwright.solving.pending import PendingTasks, ToolMaker

PURPOSE = "solve"
BY_CALLER = "named by the caller"


@dataclass(frozen=True, slots=True)
class _Request:
    """One question being worked on: at whose cost, for how long."""

    question: str
    meter: Meter
    patience: Patience


class Solver:
    """Answers questions. Keeps between them only what it read of the registry; safe to use from many threads."""

    def __init__(self, *, models: Models, executor: Executor, store: Store, maker: ToolMaker) -> None:
        """Use `models` to dispatch and to call, `executor` to run, `store` to look tools up, `maker` to make some."""
        self._models, self._executor, self._store = models, executor, store
        self._choices, self._pending = Choices(store), PendingTasks(store, maker)

    def solve(
        self,
        question: str,
        *,
        tool: str = "",
        cancellation: Cancellation | None = None,
        deadline_s: float | None = None,
        tenant: str = DEFAULT_TENANT,
    ) -> Generator[SolveEvent, None, None]:
        """Answer `question`; the last event is `Answered`, `Declined` or `Failed`.

        The input is checked at once; the work is done as events are asked for. Close it to end the work early.

        Args:
            question: what to answer.
            tool: a reference (`name`, `name@number`, `sha256:…`), which skips the dispatcher.
            cancellation: ends the work from another thread.
            deadline_s: seconds from now after which the caller has no use for the answer.
            tenant: whose question it is; what it costs is kept as theirs.

        Raises:
            InvalidInput: the question or the reference.
            NotFound, NotReady: the tool.
            ModelError: a model's endpoint failed.
            ToolwrightError: what `Executor.execute`, `Patience.check` and the store raise.
        """
        check_question(question)
        named = self._named(tool) if tool else None
        meter = Meter(forward=self._store.ledger.add, tenant=tenant, request_id=new_request_id())
        return self._solve(_Request(question, meter, Patience.of(deadline_s, cancellation)), named)

    def _named(self, reference: str) -> RegisteredTool:
        tool = self._store.get_tool(reference)
        if tool.state is not ToolState.ACTIVE:
            raise NotReady(f"{tool.reference} is {tool.state}; only an active version answers questions")
        return tool

    def _solve(self, request: _Request, named: RegisteredTool | None) -> Generator[SolveEvent, None, None]:
        if named is None:
            tool = yield from self._chosen(request)
        else:
            tool = named
            yield Dispatched(tool.reference, "", BY_CALLER)
        if tool is None:
            return
        user = self._models.metered(Role.USER, USING, request.meter, tool=tool.reference)
        ending = yield from Caller(self._executor).ask(
            user, ToolCard.of_registered(tool), request.question, purpose=PURPOSE, patience=request.patience
        )
        tokens = request.meter.tokens()
        if ending.answered and ending.execution is not None:
            yield Answered(ending.answer, ending.result_json, tool.reference, ending.execution.execution_id, tokens)
        else:
            yield Failed(ending.problem, tool.reference, ending.status, tokens)

    def _chosen(self, request: _Request) -> Generator[SolveEvent, None, RegisteredTool | None]:
        """Return the tool that the dispatcher chose, made first if need be; None once it is said that there is none."""
        dispatcher = self._models.metered(Role.DISPATCHER, USING, request.meter)
        choices = self._choices.offered_for(request.question)
        decision = dispatch(dispatcher, request.question, choices, request.patience)
        choice = decision.choice
        if choice is None:
            yield Dispatched("", "", decision.reason)
            yield Declined(decision.reason, request.meter.tokens())
            return None
        if choice.reference:
            yield Dispatched(choice.reference, "", decision.reason)
            return self._store.get_tool(choice.reference)
        yield Dispatched("", choice.name, decision.reason)
        return (yield from self._pending.tool_for(choice.name, request.meter, request.patience))
