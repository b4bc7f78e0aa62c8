"""One question: which tool, the light model's call, the run, the answer: what a tool returned, or none at all."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from toolwright.calling.caller import Caller
from toolwright.calling.card import ToolCard
from toolwright.calling.models import USING, Models
from toolwright.calling.patience import Patience
from toolwright.domain.events import BY_STRONG_MODEL, Answered, Declined, Dispatched, Failed, Missed, SolveEvent
from toolwright.domain.record import DEFAULT_TENANT, Role
from toolwright.domain.task import check_question
from toolwright.domain.tool import RegisteredTool, ToolState
from toolwright.errors import InvalidInput, NotFound, NotReady
from toolwright.execution.base import Executor
from toolwright.execution.composition import Compositions
from toolwright.execution.lot import draw
from toolwright.execution.watch import NoWatch, Watch
from toolwright.llm.embeddings import Embedder
from toolwright.llm.ledger import Meter, new_request_id
from toolwright.registry.base import Store
from toolwright.sandbox.base import Cancellation
from toolwright.settings import AnswerMisses, DispatchSettings
from toolwright.solving.cards import Choice
from toolwright.solving.choices import Choices
from toolwright.solving.dispatcher import Decision, dispatch
from toolwright.solving.misses import MissDesk
from toolwright.solving.pending import PendingTasks, ToolMaker, not_in_use
from toolwright.solving.strong import MAX_SHOWN, strong_answer

PURPOSE = "solve"
BY_CALLER = "named by the caller"
MAX_AMONG = 128


@dataclass(frozen=True, slots=True)
class _Request:
    """One question being worked on: at whose cost, for how long."""

    question: str
    meter: Meter
    patience: Patience
    among: Sequence[str] = ()
    dispatch_only: bool = False
    bypass_cache: bool = False


class Solver:
    """Answers questions. Keeps between them only what it read of the registry; safe to use from many threads."""

    def __init__(  # noqa: PLR0913 - each is somebody else's to decide
        self,
        *,
        models: Models,
        executor: Executor,
        store: Store,
        maker: ToolMaker,
        settings: DispatchSettings | None = None,
        embedder: Embedder | None = None,
        desk: MissDesk | None = None,
        max_calls: int = 1,
        watch: Watch | None = None,
    ) -> None:
        """Use `models` to dispatch and to call, `executor` to run, `store` to look tools up, `maker` to make some.

        `settings` say what becomes of a question that no tool fits; `desk` takes it. The light model may call the tool
        `max_calls` times for one question; see `Caller`. `watch` is told of arguments that a tool's schema refuses.
        """
        self._models, self._store = models, store
        self._caller = Caller(executor, max_calls, watch or NoWatch())
        self._settings = settings or DispatchSettings()
        self._choices = Choices(store, limit=self._settings.candidates, embedder=embedder)
        self._pending = PendingTasks(store, maker)
        self._compositions = Compositions(store)
        self._desk = desk or MissDesk(store.misses, self._settings)

    def solve(  # noqa: PLR0913 - the fields of the request
        self,
        question: str,
        *,
        tool: str = "",
        among: Sequence[str] = (),
        dispatch_only: bool = False,
        cancellation: Cancellation | None = None,
        deadline_s: float | None = None,
        tenant: str = DEFAULT_TENANT,
        bypass_cache: bool = False,
    ) -> Generator[SolveEvent, None, None]:
        """Answer `question`; the last event is `Answered`, `Declined` or `Failed`.

        The input is checked at once; the work is done as events are asked for. Close it to end the work early.

        Args:
            question: what to answer.
            tool: a reference (`name`, `name@number`, `sha256:…`), which skips the dispatcher.
            among: names of the only tools and tasks that the dispatcher is offered; all if empty.
            dispatch_only: end with `Dispatched`; nothing is called, answered or kept.
            cancellation: ends the work from another thread.
            deadline_s: seconds from now after which the caller has no use for the answer.
            tenant: whose question it is; what it costs is kept as theirs.
            bypass_cache: run the tool even where its result is known.

        Raises:
            InvalidInput: the question, the reference, or names that are too many or beside a reference.
            NotFound, NotReady: the tool.
            ModelError: a model's endpoint failed.
            ToolwrightError: what `Executor.execute`, `Patience.check` and the store raise.
        """
        check_question(question)
        if tool and (among or dispatch_only):
            raise InvalidInput("tool", "skips the dispatcher, which the request is about", "no tool")
        if len(among) > MAX_AMONG:
            raise InvalidInput("among", f"has {len(among)} names", f"at most {MAX_AMONG}")
        named = self._named(tool) if tool else None
        meter = Meter(forward=self._store.ledger.add, tenant=tenant, request_id=new_request_id())
        patience = Patience.of(deadline_s, cancellation)
        request = _Request(question, meter, patience, among, dispatch_only, bypass_cache)
        return self._solve(request, named)

    def _named(self, reference: str) -> RegisteredTool:
        tool = self._store.get_tool(reference, lot=draw())
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
        ending = yield from self._caller.ask(
            user,
            ToolCard.of_registered(tool),
            request.question,
            purpose=PURPOSE,
            patience=request.patience,
            bypass_cache=request.bypass_cache,
        )
        tokens = request.meter.tokens()
        if ending.answered and ending.execution is not None:
            yield Answered(ending.answer, ending.result_json, tool.reference, ending.execution.execution_id, tokens)
        else:
            yield Failed(ending.problem, tool.reference, ending.status, tokens)

    def _chosen(self, request: _Request) -> Generator[SolveEvent, None, RegisteredTool | None]:
        """Return the tool that the dispatcher chose, made first if need be; None once it is said how it ended else."""
        dispatcher = self._models.metered(Role.DISPATCHER, USING, request.meter)
        offer = self._choices.offered_for(request.question, request.among)
        decision = dispatch(
            dispatcher, request.question, offer.choices, request.patience, threshold=self._settings.threshold
        )
        choice = decision.choice
        tool = None
        if choice is not None and choice.reference and not request.dispatch_only:
            tool = self._meant(choice)
        yield _dispatched(decision, tool)
        if request.dispatch_only:
            return None
        if choice is None:
            yield from self._missed(request, decision, offer.vector)
            return None
        if tool is not None and (held := self._held(tool)):
            yield from self._without(request, tool, held)
            return None
        if tool is not None:
            return tool
        return (yield from self._pending.tool_for(choice.name, request.meter, request.patience))

    def _meant(self, choice: Choice) -> RegisteredTool:
        """Return what the name of a choice means now, or the version that was offered if it means nothing."""
        try:
            return self._store.get_tool(choice.name, lot=draw())
        except NotFound:
            return self._store.get_tool(choice.reference)

    def _held(self, tool: RegisteredTool) -> str:
        """Return why a tool is not run now, before a model is asked to call it; empty if it is."""
        if tool.state is not ToolState.ACTIVE:
            return not_in_use(tool)
        try:
            self._compositions.source(tool)
        except NotReady as held:
            return str(held)
        return ""

    def _without(self, request: _Request, tool: RegisteredTool, why: str) -> Generator[SolveEvent, None, None]:
        """End a question whose tool is not run now: another one of the kind is not made beside it."""
        if self._settings.answer_misses is AnswerMisses.STRONG:
            strong = self._models.metered(Role.STRONG, USING, request.meter, task=tool.version.name)
            if answer := strong_answer(strong, request.question, (), request.patience):
                yield Answered(answer, "", "", "", request.meter.tokens(), BY_STRONG_MODEL)
                return
        yield Declined(why, request.meter.tokens())

    def _missed(self, request: _Request, decision: Decision, vector: bytes) -> Generator[SolveEvent, None, None]:
        """Keep a question that no tool fits; answer it all the same where somebody does."""
        miss, group = self._desk.note(request.question, vector)
        policy, answer, by = self._settings.answer_misses, miss.answer, miss.answered_by
        if policy is AnswerMisses.STRONG and not answer:
            strong = self._models.metered(Role.STRONG, USING, request.meter, task=group.name or group.group_id)
            earlier = self._store.misses.answered(group.group_id, limit=MAX_SHOWN)
            answer, by = strong_answer(strong, request.question, earlier, request.patience), BY_STRONG_MODEL
            if answer:
                group = self._desk.answer(miss, answer, by=by)
        yield Missed(group.group_id, group.answered, self._settings.needed, miss.miss_id)
        if answer and policy is not AnswerMisses.NONE:
            yield Answered(answer, "", "", "", request.meter.tokens(), by)
            return
        told = {
            AnswerMisses.NONE: "",
            AnswerMisses.STRONG: "; the strong model has no answer either",
            AnswerMisses.PERSON: f"; it waits for a person's answer: toolwright misses answer {miss.miss_id}",
        }
        yield Declined(decision.reason + told[policy], request.meter.tokens())


def _dispatched(decision: Decision, tool: RegisteredTool | None) -> Dispatched:
    """Return the decision as an event; `tool` is the version that its name stands for in this request."""
    choice = decision.choice
    reference, task = ("", "") if choice is None else (choice.reference, "" if choice.reference else choice.name)
    reference = tool.reference if tool is not None else reference
    return Dispatched(reference, task, decision.reason, decision.confidence, decision.named)
