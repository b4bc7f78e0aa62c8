"""Trying a function: in the sandbox, through the light model's calls, with answers compared out here."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from toolwright.calling.caller import Caller, Ending
from toolwright.calling.card import ToolCard
from toolwright.calling.patience import Patience
from toolwright.domain.answers import same_answer
from toolwright.domain.call import ExecutionRequest, Operation
from toolwright.domain.events import Called, Checked
from toolwright.domain.limits import LimitsRequest
from toolwright.domain.outcome import Execution, Status
from toolwright.domain.source import ToolSource
from toolwright.domain.task import Example
from toolwright.errors import SandboxUnavailable
from toolwright.execution.base import Executor
from toolwright.llm.base import ChatModel
from toolwright.making.verdict import Trial

PURPOSE = "verify"
REPLICA = 1
"""Repetitions run in another container than the first calls, with other hashes of its texts."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """Tries one attempt at a tool, with one light model."""

    executor: Executor
    model: ChatModel
    patience: Patience
    attempt: int

    def describe(self, name: str, source: ToolSource, *, replica: int = 0) -> Execution:
        """Load the code in the sandbox and let it be described.

        Raises:
            SandboxUnavailable: the sandbox was lost; the code is not to blame.
            ToolwrightError: what `Executor.execute` raises.
        """
        request = ExecutionRequest(
            source, operation=Operation.DESCRIBE, purpose=PURPOSE, replica=replica, candidate_for=name
        )
        return self._execute_surely(request)

    def call(
        self,
        name: str,
        source: ToolSource,
        arguments_json: str,
        *,
        replica: int = 0,
        limits: LimitsRequest | None = None,
    ) -> Execution:
        """Call the function, without the light model.

        Raises:
            SandboxUnavailable: the sandbox was lost; the code is not to blame.
            ToolwrightError: what `Executor.execute` raises.
        """
        request = ExecutionRequest(
            source,
            arguments_json,
            limits or LimitsRequest(),
            purpose=PURPOSE,
            replica=replica,
            candidate_for=name,
        )
        return self._execute_surely(request)

    def try_all(
        self, card: ToolCard, examples: Sequence[Example], *, held_out: bool
    ) -> Generator[Checked, None, tuple[Trial, ...]]:
        """Let the light model answer `examples` with the tool.

        Raises:
            ModelError: the light model's endpoint failed.
            ToolwrightError: what `Executor.execute` and `Patience.check` raise.
        """
        trials = []
        for example in examples:
            ending, repaired = self._ask(card, example.question)
            passed = ending.answered and same_answer(card.answer_kind, example.answer, ending.answer, example.question)
            trials.append(Trial(example, held_out, ending, passed, repaired))
            yield Checked(self.attempt, example.id, held_out, passed, ending.status)
        return tuple(trials)

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

    def _ask(self, card: ToolCard, question: str) -> tuple[Ending, bool]:
        """Return how the question ended, and whether the light model was given a second turn."""
        steps = Caller(self.executor).ask(self.model, card, question, purpose=PURPOSE, patience=self.patience)
        repaired = False
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                ending: Ending = end.value
                break
            repaired = repaired or (isinstance(step, Called) and step.repair)
        if ending.status is Status.INFRASTRUCTURE:
            raise _lost()
        return ending, repaired


def _lost() -> SandboxUnavailable:
    return SandboxUnavailable("a sandbox was lost while a tool was verified; nothing was kept. Try again")
