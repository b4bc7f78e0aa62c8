"""Making a tool: propose ▸ verify ▸ wrap ▸ admit."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

from toolwright.calling.models import MAKING, Models
from toolwright.calling.patience import Patience
from toolwright.domain.answers import check_expected
from toolwright.domain.events import Checked, Judged, Made, MakingEvent, NotMade, Proposed, Rejected
from toolwright.domain.gates import GatePolicy
from toolwright.domain.lifecycle import NO_ORIGIN, Origin
from toolwright.domain.record import DEFAULT_TENANT, Role, Stage
from toolwright.domain.source import ToolSource
from toolwright.domain.task import Task
from toolwright.domain.tool import RegisteredTool
from toolwright.errors import InvalidInput, NotReady
from toolwright.execution.base import Executor
from toolwright.llm.base import ChatModel, Message
from toolwright.llm.ledger import Meter, Record
from toolwright.making import prompts
from toolwright.making.budget import DEFAULT_VERIFY_S
from toolwright.making.ingredients import Ingredients, gather
from toolwright.making.journal import AttemptNotes, open_journal
from toolwright.making.judge import Candidate, Judge
from toolwright.making.proposal import Proposal, read_proposal
from toolwright.making.verdict import Refusal
from toolwright.registry.admission import Admission
from toolwright.registry.base import Store
from toolwright.sandbox.base import Cancellation

DEFAULT_ATTEMPTS = 5
MAX_ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class Work:
    """One task being worked on: with which models, at whose cost, for how long."""

    task: Task
    maker: ChatModel
    user: ChatModel
    meter: Meter
    patience: Patience
    ingredients: Ingredients
    origin: Origin | None = None
    """Of a person's code; None if the maker writes it."""


class Maker:
    """Makes tools. Keeps nothing between requests; safe to use from many threads."""

    def __init__(  # noqa: PLR0913 - what making stands on, each by name
        self,
        *,
        models: Models,
        executor: Executor,
        store: Store,
        attempts: int = DEFAULT_ATTEMPTS,
        verify_s: float = DEFAULT_VERIFY_S,
        gates: GatePolicy | None = None,
        admission: Admission | None = None,
    ) -> None:
        """Use `models` to propose and to call, `executor` to run, `store` to keep.

        What passed is kept by `admission`; by default, signed with a key that nobody trusts.

        A request that names no number of attempts gets `attempts`. An attempt whose calls run for more than
        `verify_s` seconds in all is refused. `gates` says how much a tool has to show.
        """
        self._models, self._store = models, store
        self._admission = admission or Admission(store)
        self._attempts, self._jury = attempts, Judge(executor, verify_s=verify_s, policy=gates)

    @property
    def jury(self) -> Judge:
        """Who judges candidates: the same for what is made, brought, and verified again."""
        return self._jury

    def make(  # noqa: PLR0913 - what a request says
        self,
        task: Task,
        *,
        attempts: int = 0,
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
        budget = attempts or self._attempts
        if not 1 <= budget <= MAX_ATTEMPTS:
            raise InvalidInput("attempts", f"is {budget}", f"1 to {MAX_ATTEMPTS}")
        meter = Meter(forward=record) if record else self._meter(tenant)
        work = self._work(task, cancellation, deadline_s, meter)
        return self._make(work, budget)

    def register(  # noqa: PLR0913 - what is asked, and by whom
        self,
        task: Task,
        source: ToolSource,
        *,
        cancellation: Cancellation | None = None,
        deadline_s: float | None = None,
        tenant: str = DEFAULT_TENANT,
        origin: Origin = NO_ORIGIN,
    ) -> RegisteredTool:
        """Put a person's code through the same checks as a maker's, and keep it with its `origin`.

        Raises:
            NotReady: a check failed; the text says which and how. Nothing was kept but the attempt.
            InvalidInput, NotFound, ModelError, ToolwrightError: as for `make`.
        """
        work = replace(self._work(task, cancellation, deadline_s, self._meter(tenant)), origin=origin)
        self._store.save_task(task)
        with open_journal(self._store, task.name, work.meter) as journal:
            with journal.attempt(1) as notes:
                notes.source = source.code
                verdict = _last(self._judge(work, source, 1, notes, maker_model=""))
            if isinstance(verdict, RegisteredTool):
                journal.tool_digest = verdict.version.digest
                return verdict
            journal.failure = verdict.feedback
        failed = f" Failed examples: {', '.join(verdict.failed)}." if verdict.failed else ""
        raise NotReady(f"the code for {task.name!r} was not kept.{failed} {verdict.feedback}")

    def _meter(self, tenant: str) -> Meter:
        return Meter(forward=self._store.ledger.add, tenant=tenant)

    def _work(self, task: Task, cancellation: Cancellation | None, deadline_s: float | None, meter: Meter) -> Work:
        check_expected(task.answer_kind, task.training + task.held_out)
        return Work(
            task,
            self._models.metered(Role.MAKER, MAKING, meter),
            self._models.metered(Role.USER, MAKING, meter),
            meter,
            Patience.of(deadline_s, cancellation),
            gather(self._store, task),
        )

    def _make(self, work: Work, attempts: int) -> Generator[MakingEvent, None, None]:
        """Propose, verify, wrap, admit; each refusal is fed back until the attempts are spent."""
        task = work.task
        self._store.save_task(task)
        chat = prompts.opening(task, work.ingredients.tools)
        end: MakingEvent = NotMade("no attempt was made", 0, ())
        with open_journal(self._store, task.name, work.meter) as journal:
            for number in range(1, attempts + 1):
                with journal.attempt(number) as notes:
                    verdict = yield from self._attempt(work, chat, number, notes)
                if isinstance(verdict, RegisteredTool):
                    journal.tool_digest = verdict.version.digest
                    end = Made(verdict.info, number, work.meter.tokens())
                    break
                yield Rejected(number, verdict.stage, verdict.feedback)
                chat += prompts.next_turn(notes.reply, verdict.feedback)
                end = NotMade(journal.refuse(number, verdict.feedback), number, work.meter.tokens())
        yield end

    def _attempt(
        self, work: Work, chat: list[Message], number: int, notes: AttemptNotes
    ) -> Generator[MakingEvent, None, RegisteredTool | Refusal]:
        proposal = self._propose(work, chat, notes)
        yield Proposed(number, proposal.code)
        if isinstance(proposal.verdict, Refusal):
            return _refuse(notes, proposal.verdict)
        return (yield from self._judge(work, proposal.verdict, number, notes, maker_model=work.maker.name))

    def _propose(self, work: Work, chat: list[Message], notes: AttemptNotes) -> Proposal:
        work.patience.check()
        notes.prompt = prompts.as_json(chat)
        notes.reply = work.maker.complete(chat, task=work.task.name).text
        proposal = read_proposal(notes.reply, work.task.name)
        notes.source = proposal.code
        return proposal

    def _judge(
        self, work: Work, source: ToolSource, number: int, notes: AttemptNotes, *, maker_model: str
    ) -> Generator[Checked | Judged, None, RegisteredTool | Refusal]:
        """Judge ▸ admit: the part of the road that a person's code takes too."""
        notes.stage = Stage.VERIFY
        candidate = Candidate(
            work.task,
            work.ingredients.added_to(source),
            work.user,
            work.patience,
            number,
            maker_model,
            notes.prompt if maker_model else "",
        )
        verdict = yield from self._jury.judge(candidate)
        if isinstance(verdict, Refusal):
            return _refuse(notes, verdict)
        notes.stage = Stage.WRAP
        origin = work.origin or Origin(f"maker:{maker_model}")
        tool = self._admission.admit(verdict.version, verdict.record, work.task, origin=origin)
        held_out = sum(check.held_out for check in verdict.record.checks)
        notes.accepted = True
        notes.verdict = f"{len(verdict.record.checks) - held_out} training and {held_out} held-out examples passed"
        return tool


def _refuse(notes: AttemptNotes, refusal: Refusal) -> Refusal:
    notes.verdict = refusal.feedback
    return refusal


def _last(steps: Generator[Checked | Judged, None, RegisteredTool | Refusal]) -> RegisteredTool | Refusal:
    """Run `steps` to their end and return what they come to."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            verdict: RegisteredTool | Refusal = end.value
            return verdict
