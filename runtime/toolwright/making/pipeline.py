"""Making a tool: propose ▸ verify ▸ wrap ▸ merge or admit."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

from toolwright.calling.models import MAKING, Models
from toolwright.calling.patience import Patience
from toolwright.domain.answers import check_expected
from toolwright.domain.events import Checked, Judged, Made, MakingEvent, NotMade, Proposed, Rejected, Resumed
from toolwright.domain.gates import GatePolicy
from toolwright.domain.job import Budget, JobKind
from toolwright.domain.lifecycle import NO_ORIGIN, Origin
from toolwright.domain.record import DEFAULT_TENANT, Role, Stage
from toolwright.domain.source import ToolSource
from toolwright.domain.task import Task
from toolwright.domain.tool import RegisteredTool
from toolwright.errors import DeadlineExceeded, NotFound, NotReady
from toolwright.execution.base import Executor
from toolwright.llm.base import ChatModel, Message
from toolwright.llm.ledger import Meter, Record
from toolwright.making import conversation, prompts
from toolwright.making.budget import DEFAULT_VERIFY_S
from toolwright.making.heard import HeardModel
from toolwright.making.hold import Hold, Unheld
from toolwright.making.ingredients import gather
from toolwright.making.journal import Journal, open_journal
from toolwright.making.judge import Candidate, Judge, Verified
from toolwright.making.keeping import Keeper
from toolwright.making.merging import Merger
from toolwright.making.order import Order, check_budget
from toolwright.making.proposal import read_proposal
from toolwright.making.rounds import run_round
from toolwright.making.spending import SECONDS, BudgetedModel, BudgetEnded, Spending
from toolwright.making.tried import Tried, best_passed, best_refused
from toolwright.making.verdict import Refusal
from toolwright.making.work import Work
from toolwright.registry.admission import Admission
from toolwright.registry.base import Store
from toolwright.sandbox.base import Cancellation

DEFAULT_ATTEMPTS = 5


class Maker:
    """Makes tools. Keeps nothing between requests; safe to use from many threads."""

    def __init__(  # noqa: PLR0913 - each is somebody else's to decide
        self,
        *,
        models: Models,
        executor: Executor,
        store: Store,
        attempts: int = DEFAULT_ATTEMPTS,
        verify_s: float = DEFAULT_VERIFY_S,
        merge: bool = True,
        gates: GatePolicy | None = None,
        admission: Admission | None = None,
    ) -> None:
        """Use `models` to propose and to call, `executor` to run, `store` to keep.

        A request that names no number of attempts gets `attempts`. An attempt whose calls run for more than
        `verify_s` seconds in all is refused. With `merge`, a tool that only repeats another one is not kept.
        `gates` says how much a tool has to show. What passed is kept by `admission`; by default, signed with a key that
        nobody trusts.
        """
        self._models, self._store = models, store
        self._attempts, self._jury = attempts, Judge(executor, verify_s=verify_s, policy=gates)
        self._keeper = Keeper(store, admission or Admission(store), Merger(store, executor) if merge else None)

    @property
    def jury(self) -> Judge:
        """Who judges candidates: the same for what is made, brought, and verified again."""
        return self._jury

    def make(  # noqa: PLR0913 - the fields of the request
        self,
        task: Task,
        *,
        attempts: int = 0,
        budget: Budget | None = None,
        candidates: int = 1,
        kind: JobKind = JobKind.MAKE,  # noqa: ARG002 - only jobs are told apart by it; see `Workshop`
        cancellation: Cancellation | None = None,
        deadline_s: float | None = None,
        record: Record | None = None,
        tenant: str = DEFAULT_TENANT,
    ) -> Generator[MakingEvent, None, None]:
        """Make a tool for `task`; the last event is `Made` or `NotMade`.

        The input is checked at once; the work is done as events are asked for. Closing the iterator
        ends the making; its record says so.

        Args:
            task: what the tool is for. It is kept, whether or not a tool comes of it; only where a tool of the name
                is there already, its task is not replaced before another one is admitted.
            attempts: proposals that the maker may make, 1 to 10; 0 for as many as set at the start.
            budget: what may be spent besides; its own number of attempts counts where `attempts` is 0.
            candidates: proposals asked for at a time, 1 to 8.
            kind: why it is made.
            cancellation: ends the making from another thread.
            deadline_s: seconds from now after which the caller has no use for the tool.
            record: is told of each exchange with a model; the store's ledger if None.
            tenant: whose making it is; what it costs is kept as theirs, unless `record` sees to that.

        Raises:
            InvalidInput: `attempts`, an example's answer that is none of the task's kind, or a tool in `task.uses`.
            NotFound, NotReady: a tool in `task.uses`.
            ModelError: a model's endpoint failed. The attempt is recorded.
            ToolwrightError: what `Executor.execute`, `Patience.check` and the store raise.
        """
        wanted = budget or Budget()
        wanted = replace(wanted, attempts=attempts or wanted.attempts or self._attempts)
        order = Order(task, wanted, candidates, tenant)
        return self.carry_out(order, cancellation=cancellation, deadline_s=deadline_s, record=record)

    def carry_out(
        self,
        order: Order,
        *,
        hold: Hold | None = None,
        cancellation: Cancellation | None = None,
        deadline_s: float | None = None,
        record: Record | None = None,
    ) -> Generator[MakingEvent, None, None]:
        """Make the tool that `order` asks for, going on where it says that the making stopped; else as `make`.

        `hold` is asked whether the making is still ours, and told how far it has come.

        Raises:
            LetGo: the making is not ours any more. Nothing more of it was recorded.
            InvalidInput, ModelError, ToolwrightError: as for `make`.
        """
        check_budget(order.budget, order.candidates)
        check_expected(order.task.answer_kind, order.task.training + order.task.held_out)
        spending = Spending(
            order.budget, self._meter(order.tenant, record), order.begun, order.token_use, seconds_before=order.seconds
        )
        left = [seconds for seconds in (deadline_s, spending.seconds_left) if seconds is not None]
        patience = Patience.of(min(left, default=None), cancellation)
        work = Work(order.task, spending, patience, hold or Unheld(), gather(self._store, order.task))
        return self._make(order, work)

    def register(  # noqa: PLR0913 - what is asked, and by whom
        self,
        task: Task,
        source: ToolSource,
        *,
        cancellation: Cancellation | None = None,
        deadline_s: float | None = None,
        tenant: str = DEFAULT_TENANT,
        origin: Origin = NO_ORIGIN,
        uses: Sequence[str] | None = None,
    ) -> RegisteredTool:
        """Put a person's code through the same checks as a maker's, and keep it with its `origin`.

        `uses` are references of tools that the code uses, in place of what the task's mean now.

        Raises:
            NotReady: a check failed; the text says which and how. Nothing was kept but the attempt.
            InvalidInput, NotFound, ModelError, ToolwrightError: as for `make`.
        """
        check_expected(task.answer_kind, task.training + task.held_out)
        patience = Patience.of(deadline_s, cancellation)
        spending = Spending(Budget(attempts=1), self._meter(tenant))
        used = task if uses is None else replace(task, uses=tuple(uses))
        work = Work(task, spending, patience, ingredients=gather(self._store, used), origin=origin)
        self._store.save_task(task)
        with open_journal(self._store, task.name, Order(task, Budget()).making_id, work.hold) as journal:
            tried = self._tried(work, 1)
            with journal.attempt(tried):
                tried.notes.source = source.code
                for _ in self._judge(work, tried, source, maker_model=""):
                    pass
            if tried.verified is not None:
                return self._keeper.admit(tried, tried.verified, work, journal)
            refusal = tried.verdict
            assert isinstance(refusal, Refusal)  # noqa: S101 - a judge's verdict is one or the other
            journal.failure = refusal.feedback
        failed = f" Failed examples: {', '.join(refusal.failed)}." if refusal.failed else ""
        raise NotReady(f"the code for {task.name!r} was not kept.{failed} {refusal.feedback}")

    def _meter(self, tenant: str, record: Record | None = None) -> Meter:
        return Meter(forward=record or self._store.ledger.add, tenant=tenant)

    def _make(self, order: Order, work: Work) -> Generator[MakingEvent, None, None]:
        """Propose, verify, wrap, admit, and keep on record what happens."""
        self._store.save_task(work.task)
        with open_journal(self._store, work.task.name, order.making_id, work.hold) as journal:
            if order.resumed:
                yield Resumed(order.begun, len(order.lost))
            for number in order.lost:
                journal.keep_lost(number)
            end = self._made_before(order, work, journal)
            if end is None:
                end = yield from self._rounds(order, work, journal)
        yield end

    def _made_before(self, order: Order, work: Work, journal: Journal) -> MakingEvent | None:
        """Return how the making ended, if its tool was admitted just before its server ended."""
        code = next((attempt.source for attempt in order.kept if attempt.accepted), None)
        if code is None:
            return None
        try:
            tool = self._store.get_tool(work.task.name)
        except NotFound:
            return None
        merged = tool.version.name != work.task.name
        if not merged and tool.version.source.code != code:
            return None
        journal.tool_digest = tool.version.digest
        return Made(tool.info, order.begun, work.spending.token_use, merged)

    def _rounds(self, order: Order, work: Work, journal: Journal) -> Generator[MakingEvent, None, Made | NotMade]:
        """Let the maker propose until a tool is kept or a budget is spent; each refusal is fed back."""
        chat, last = conversation.rebuilt(prompts.opening(work.task, work.ingredients.tools), order.kept)
        try:
            while True:
                tried = [self._tried(work, number) for number in work.spending.begin(order.candidates)]
                work.note(f"attempt {', '.join(str(one.number) for one in tried)}")
                yield from self._round(work, chat, tried, journal)
                best = best_passed(tried, self._keeper.milliseconds)
                if best is not None:
                    tool, merged = self._keeper.keep_best(best, tried, work, journal)
                    return Made(tool.info, work.spending.begun, work.spending.token_use, merged)
                if (refused := best_refused(tried)) is not None:
                    last = refused[1].feedback
                    chat = chat + prompts.next_turn(refused[0].notes.reply, last)
        except (BudgetEnded, DeadlineExceeded) as fault:
            if not isinstance(fault, BudgetEnded) and not work.spending.is_out_of_time:
                raise
            which = fault.which if isinstance(fault, BudgetEnded) else SECONDS
        begun = work.spending.begun
        reason = journal.refuse(begun, work.spending.report(which), last)
        return NotMade(reason, begun, work.spending.token_use, which)

    def _round(
        self, work: Work, chat: list[Message], tried: Sequence[Tried], journal: Journal
    ) -> Generator[MakingEvent, None, None]:
        return run_round(tried, lambda one: self._attempt(work, chat, one, journal), work.patience.cancellation)

    def _tried(self, work: Work, number: int) -> Tried:
        meter = Meter(forward=work.spending.meter.record)
        user = self._models.metered(Role.USER, MAKING, meter)
        return Tried(number, meter, HeardModel(BudgetedModel(user, work.spending)))

    def _attempt(
        self, work: Work, chat: list[Message], tried: Tried, journal: Journal
    ) -> Generator[MakingEvent, None, None]:
        """Propose ▸ verify ▸ wrap, once."""
        with journal.attempt(tried):
            maker = BudgetedModel(self._models.metered(Role.MAKER, MAKING, tried.meter), work.spending)
            source = self._propose(work, chat, tried, maker)
            yield Proposed(tried.number, tried.notes.source)
            if source is not None:
                yield from self._judge(work, tried, source, maker_model=maker.name)
        work.note(f"attempt {tried.number} ended in {tried.notes.stage.value}")
        if isinstance(tried.verdict, Refusal):
            yield Rejected(tried.number, tried.verdict.stage, tried.verdict.feedback)

    def _propose(self, work: Work, chat: list[Message], tried: Tried, maker: ChatModel) -> ToolSource | None:
        """Ask for code, and return it if it can be tried."""
        work.patience.check()
        tried.notes.prompt = prompts.as_json(chat)
        tried.notes.reply = maker.complete(chat, task=work.task.name).text
        work.note(f"attempt {tried.number}: proposed")
        proposal = read_proposal(tried.notes.reply, work.task.name)
        tried.notes.source = proposal.code
        if isinstance(proposal.verdict, ToolSource):
            return proposal.verdict
        _refuse(tried, proposal.verdict)
        return None

    def _judge(
        self, work: Work, tried: Tried, source: ToolSource, *, maker_model: str
    ) -> Generator[MakingEvent, None, None]:
        """The part of the road that a person's code takes too."""
        tried.notes.stage = Stage.VERIFY
        steps = self._jury.judge(
            Candidate(
                work.task,
                work.ingredients.added_to(source),
                tried.user,
                work.patience,
                tried.number,
                maker_model,
                tried.notes.prompt if maker_model else "",
            )
        )
        verdict = yield from _counted(steps, tried)
        if isinstance(verdict, Refusal):
            _refuse(tried, verdict)
            return
        tried.notes.stage, tried.verdict = Stage.WRAP, verdict


def _counted(
    steps: Generator[Checked | Judged, None, Verified | Refusal], tried: Tried
) -> Generator[MakingEvent, None, Verified | Refusal]:
    """Pass on `steps` and their verdict, and count the examples that `tried` answered rightly."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            verdict: Verified | Refusal = end.value
            return verdict
        tried.passed += isinstance(step, Checked) and step.passed
        yield step


def _refuse(tried: Tried, refusal: Refusal) -> None:
    tried.verdict, tried.notes.verdict = refusal, refusal.feedback
