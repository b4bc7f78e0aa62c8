"""Trying a function: in the sandbox, through the light model's calls, with answers compared out here."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from toolwright.calling.caller import Caller, Ending
from toolwright.calling.card import ToolCard
from toolwright.calling.patience import Patience
from toolwright.domain.answers import NoAnswer, answer_from_result, same_answer
from toolwright.domain.call import ExecutionRequest, Operation
from toolwright.domain.events import Checked
from toolwright.domain.outcome import Execution, Status
from toolwright.domain.record import Stage
from toolwright.domain.source import ToolSource
from toolwright.domain.task import Example
from toolwright.domain.tool import Description
from toolwright.errors import SandboxUnavailable
from toolwright.execution.base import Executor
from toolwright.llm.base import ChatModel
from toolwright.making import feedback
from toolwright.making.description import DescriptionRefused, read_description
from toolwright.making.verdict import Refusal, Trial

PURPOSE = "verify"
REPEATS = 2
"""Further calls with the same arguments for each example that was answered: a tool that is right one time in two
passes five examples in three per cent of all attempts, and with the repeats in three of 100,000."""
_REPLICA = 1
"""Repeats run in another container than the first calls, with other hashes of its texts."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """Tries one attempt at a tool, with one light model."""

    executor: Executor
    model: ChatModel
    patience: Patience
    attempt: int

    def describe(self, name: str, source: ToolSource) -> Description | Refusal:
        """Load the code in the sandbox and return what the function says of itself.

        Raises:
            SandboxUnavailable: the sandbox was lost; the code is not to blame.
            ToolwrightError: what `Executor.execute` raises.
        """
        request = ExecutionRequest(source, operation=Operation.DESCRIBE, purpose=PURPOSE, candidate_for=name)
        execution = self._execute_surely(request)
        if execution.outcome.result_json is None:
            return Refusal(Stage.VERIFY, feedback.on_load(execution))
        try:
            return read_description(execution.outcome.result_json)
        except DescriptionRefused as refused:
            return Refusal(Stage.VERIFY, feedback.on_description(str(refused)))

    def try_training(
        self, card: ToolCard, examples: Sequence[Example]
    ) -> Generator[Checked, None, tuple[Trial, ...] | Refusal]:
        """Try the examples that the maker has seen."""
        trials = yield from self._try_all(card, examples, held_out=False)
        failed = [trial for trial in trials if not trial.passed]
        if failed:
            return Refusal(Stage.VERIFY, feedback.on_training(failed), tuple(trial.example.id for trial in failed))
        return trials

    def try_held_out(
        self, card: ToolCard, examples: Sequence[Example]
    ) -> Generator[Checked, None, tuple[Trial, ...] | Refusal]:
        """Try the examples that the maker never sees."""
        trials = yield from self._try_all(card, examples, held_out=True)
        failed = [trial for trial in trials if not trial.passed]
        if failed:
            text = feedback.on_held_out(failed, len(trials))
            return Refusal(Stage.VERIFY, text, tuple(trial.example.id for trial in failed))
        return trials

    def repeat(self, card: ToolCard, trials: Sequence[Trial]) -> Refusal | None:
        """Make the calls of `trials` again, without the light model; each must give the right answer each time.

        Raises:
            SandboxUnavailable: the sandbox was lost; the code is not to blame.
            ToolwrightError: what `Executor.execute` raises.
        """
        calls = [trial for trial in trials for _ in range(REPEATS)]
        differed = sum(not self._right_again(card, trial) for trial in calls)
        return Refusal(Stage.VERIFY, feedback.on_repeats(differed, len(calls))) if differed else None

    def _right_again(self, card: ToolCard, trial: Trial) -> bool:
        example = trial.example
        request = ExecutionRequest(
            card.target,
            trial.ending.arguments_json,
            purpose=PURPOSE,
            replica=_REPLICA,
            candidate_for=card.name,
        )
        result = self._execute_surely(request).outcome.result_json
        try:
            answer = answer_from_result(card.answer_kind, result or "", example.question)
        except NoAnswer:
            return False
        return same_answer(card.answer_kind, example.answer, answer, example.question)

    def _execute_surely(self, request: ExecutionRequest) -> Execution:
        """Run a call, once more if the sandbox was lost: a tool is pure and sealed off, so that does no harm."""
        execution = self._execute(request)
        if execution.outcome.status is Status.INFRASTRUCTURE:
            execution = self._execute(request)
        if execution.outcome.status is Status.INFRASTRUCTURE:
            raise _lost()
        return execution

    def _execute(self, request: ExecutionRequest) -> Execution:
        self.patience.check()
        return self.executor.execute(
            request, deadline_s=self.patience.remaining_s, cancellation=self.patience.cancellation
        )

    def _try_all(
        self, card: ToolCard, examples: Sequence[Example], *, held_out: bool
    ) -> Generator[Checked, None, tuple[Trial, ...]]:
        trials = []
        for example in examples:
            ending = self._ask(card, example.question)
            passed = ending.answered and same_answer(card.answer_kind, example.answer, ending.answer, example.question)
            trials.append(Trial(example, held_out, ending, passed))
            yield Checked(self.attempt, example.id, held_out, passed, ending.status)
        return tuple(trials)

    def _ask(self, card: ToolCard, question: str) -> Ending:
        steps = Caller(self.executor).ask(self.model, card, question, purpose=PURPOSE, patience=self.patience)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                ending: Ending = end.value
                break
        if ending.status is Status.INFRASTRUCTURE:
            raise _lost()
        return ending


def _lost() -> SandboxUnavailable:
    return SandboxUnavailable("a sandbox was lost while a tool was verified; nothing was kept. Try again")
