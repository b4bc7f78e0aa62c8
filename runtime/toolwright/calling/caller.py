"""One question to one tool: the light model's call, the run, the answer; one repair turn where something fails."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace

from toolwright.calling import prompts
from toolwright.calling.card import ToolCard
from toolwright.calling.patience import Patience
from toolwright.calling.repair import repair_turn
from toolwright.domain.answers import NoAnswer, answer_from_result
from toolwright.domain.call import MAX_ARGUMENTS_BYTES, ExecutionRequest
from toolwright.domain.events import Called, Ran
from toolwright.domain.outcome import Execution, Status
from toolwright.errors import InvalidInput, ModelContextExceeded, ModelRefused
from toolwright.execution.arguments import check_arguments
from toolwright.execution.base import Executor
from toolwright.execution.watch import NoWatch, Watch
from toolwright.llm.base import ChatModel, Message, Reply


@dataclass(frozen=True, slots=True)
class Ending:
    """How a question ended: with an `answer`, or with the `problem` that kept it from one."""

    answer: str = ""
    problem: str = ""
    """Why there is no answer; empty if there is one. May quote what tool and model said."""
    arguments_json: str = ""
    """Of the last call, as the model gave them."""
    execution: Execution | None = None
    """The last run; None if none of the calls could be run."""

    @property
    def answered(self) -> bool:
        """Whether there is an answer."""
        return not self.problem

    @property
    def status(self) -> Status | None:
        """How the last run ended; None if nothing ran."""
        return self.execution.outcome.status if self.execution else None

    @property
    def result_json(self) -> str:
        """What the last run returned; empty if nothing."""
        return (self.execution.outcome.result_json or "") if self.execution else ""


@dataclass(frozen=True, slots=True)
class _Asking:
    """One question being put to one tool."""

    model: ChatModel
    card: ToolCard
    question: str
    purpose: str
    patience: Patience
    bypass_cache: bool

    def complete(self, chat: list[Message], *, required: bool = True) -> Reply:
        """Ask the model, which may call the tool alone."""
        self.patience.check()
        function = prompts.function_of(self.card)
        return self.model.complete(chat, functions=[function], required=required, task=function.name)


@dataclass(frozen=True, slots=True)
class Caller:
    """Lets light models call tools. Keeps nothing between questions."""

    executor: Executor
    max_calls: int = 1
    """Calls that a model may make for one question, each after it has seen what the last one returned."""
    watch: Watch = field(default_factory=NoWatch)
    """Is told of arguments that a kept tool's schema refuses."""

    def ask(  # noqa: PLR0913 - one question with all that bounds it
        self,
        model: ChatModel,
        card: ToolCard,
        question: str,
        *,
        purpose: str,
        patience: Patience,
        bypass_cache: bool = False,
    ) -> Generator[Called | Ran, None, Ending]:
        """Have `model` answer `question` by calling the tool on `card`; yield each step.

        A bad call, a tool that fails and a result that is no answer are told to the model, once. The
        answer is always what the tool returned, and of several calls the last one.

        Raises:
            ModelError: the model's endpoint failed. That the model declined is an ending, not an error.
            ToolwrightError: what `Executor.execute` and `Patience.check` raise.
        """
        asking = _Asking(model, card, question, purpose, patience, bypass_cache)
        try:
            chat, reply = self._opened(asking)
            ending = yield from self._turn(asking, reply, repair=False)
        except ModelRefused as refusal:
            return Ending(problem=str(refusal))
        if not ending.answered and ending.status is not Status.INFRASTRUCTURE:
            chat, reply, ending = yield from self._repaired(asking, chat, reply, ending)
        if ending.answered and self.max_calls > 1:
            ending = yield from self._further(asking, chat, reply, ending)
        return ending

    def _opened(self, asking: _Asking) -> tuple[list[Message], Reply]:
        """Put the question. Where that is too long for the model, worked examples are left out one by one."""
        card = asking.card
        while True:
            chat = prompts.opening(card, asking.question, calls=self.max_calls)
            try:
                return chat, asking.complete(chat)
            except ModelContextExceeded:
                if not card.demonstrations:
                    raise
                card = replace(card, demonstrations=card.demonstrations[:-1])

    def _repaired(
        self, asking: _Asking, chat: list[Message], reply: Reply, first: Ending
    ) -> Generator[Called | Ran, None, tuple[list[Message], Reply, Ending]]:
        """Tell the model what was wrong, and run what it calls then."""
        name = asking.card.name
        correction = prompts.correction(name, first.problem)
        chat = chat + repair_turn(reply, name, correction=correction, nudge=prompts.nudge(name))
        try:
            reply = asking.complete(chat)
        except (ModelContextExceeded, ModelRefused):
            return chat, reply, first
        second = yield from self._turn(asking, reply, repair=True)
        # A second turn that comes to no run tells less than a first one that did.
        return chat, reply, second if second.execution or first.execution is None else first

    def _further(
        self, asking: _Asking, chat: list[Message], reply: Reply, ending: Ending
    ) -> Generator[Called | Ran, None, Ending]:
        """Show the model each result, and run what it calls upon that, until it calls no more or may not."""
        for _ in range(self.max_calls - 1):
            shown = prompts.result(asking.card.name, ending.result_json)
            chat = chat + repair_turn(reply, asking.card.name, correction=shown, nudge=shown)
            try:
                reply = asking.complete(chat, required=False)
            except (ModelContextExceeded, ModelRefused):
                return ending
            if not reply.calls:
                return ending
            ending = yield from self._turn(asking, reply, repair=False)
            if not ending.answered:
                # What came before was only a step on the way, so it is no answer either.
                return ending
        return ending

    def _turn(self, asking: _Asking, reply: Reply, *, repair: bool) -> Generator[Called | Ran, None, Ending]:
        card = asking.card
        arguments_json = reply.calls[0].arguments_json[:MAX_ARGUMENTS_BYTES] if reply.calls else ""
        refusal = _refusal(card, reply)
        yield Called(card.reference, arguments_json, repair, refusal)
        if refusal:
            if card.digest and _is_for(card, reply):
                self.watch.refused(card.digest)
            return Ending(problem=refusal, arguments_json=arguments_json)
        execution = yield from self._run(asking, arguments_json)
        outcome = execution.outcome
        if outcome.result_json is None:
            return Ending("", prompts.problem_of(outcome), arguments_json, execution)
        try:
            answer = answer_from_result(card.answer_kind, outcome.result_json, asking.question)
        except NoAnswer as no_answer:
            return Ending("", str(no_answer), arguments_json, execution)
        return Ending(answer, "", arguments_json, execution)

    def _run(self, asking: _Asking, arguments_json: str) -> Generator[Called | Ran, None, Execution]:
        card = asking.card
        request = ExecutionRequest(
            card.target,
            arguments_json,
            purpose=asking.purpose,
            candidate_for=card.name,
            bypass_cache=asking.bypass_cache,
        )
        execution = self._execute(request, asking.patience)
        yield Ran(execution)
        if execution.outcome.status is Status.INFRASTRUCTURE:
            # Ours, not the tool's; and a tool is pure and sealed off, so running it twice does no harm.
            execution = self._execute(request, asking.patience)
            yield Ran(execution)
        return execution

    def _execute(self, request: ExecutionRequest, patience: Patience) -> Execution:
        patience.check()
        return self.executor.execute(request, deadline_s=patience.remaining_s, cancellation=patience.cancellation)


def _is_for(card: ToolCard, reply: Reply) -> bool:
    """Whether the reply is a call of this tool and nothing else, so that a refusal is its schema's."""
    return [call.name for call in reply.calls] == [card.name]


def _refusal(card: ToolCard, reply: Reply) -> str:
    """Return why the reply is no call that can be run; empty if it is one."""
    if not reply.calls:
        return "the model called no function"
    if len(reply.calls) > 1:
        return f"the model made {len(reply.calls)} calls at once; exactly one is needed"
    call = reply.calls[0]
    if call.name != card.name:
        return f"the model called {call.name[:64]!r}, and there is only {card.name!r}"
    try:
        check_arguments(card.parameters, call.arguments_json)
    except InvalidInput as fault:
        return str(fault)
    return ""
