"""Judging one attempt: verify ▸ wrap ▸ sum up the evidence. A maker's code and a person's take the same road."""

from __future__ import annotations

import secrets
import time
from collections.abc import Generator
from dataclasses import dataclass

from toolwright.calling.card import ToolCard
from toolwright.calling.patience import Patience
from toolwright.domain.events import Checked
from toolwright.domain.record import Stage, VerificationRecord
from toolwright.domain.source import ToolSource
from toolwright.domain.task import Task
from toolwright.domain.tool import ToolVersion
from toolwright.execution.base import Executor
from toolwright.llm.base import ChatModel
from toolwright.making import feedback
from toolwright.making.budget import BudgetedExecutor, BudgetSpent
from toolwright.making.verdict import TRAINING_SHOWN, Refusal, Trial
from toolwright.making.verifier import Verifier
from toolwright.making.wrapper import wrap


@dataclass(frozen=True, slots=True)
class Candidate:
    """Code to be judged: for which task, by whose hand, tried with which light model."""

    task: Task
    source: ToolSource
    user: ChatModel
    patience: Patience
    attempt: int
    """1, 2, …"""
    maker_model: str = ""
    """Empty for a person's code."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A wrapped tool that passed, and the evidence. What a store admits."""

    version: ToolVersion
    record: VerificationRecord


class Judge:
    """Judges candidates. Keeps nothing between them; safe to use from many threads."""

    def __init__(self, executor: Executor, *, verify_s: float) -> None:
        """Run code through `executor`; a candidate whose calls run for over `verify_s` seconds in all is refused."""
        self._executor, self._verify_s = executor, verify_s

    def judge(self, candidate: Candidate) -> Generator[Checked, None, Verified | Refusal]:
        """Try `candidate`, and return it wrapped with its record, or why it is refused.

        Raises:
            ModelError: the light model's endpoint failed.
            ToolwrightError: what `Executor.execute` and `Patience.check` raise.
        """
        budgeted = BudgetedExecutor(self._executor, self._verify_s)
        verifier = Verifier(budgeted, candidate.user, candidate.patience, candidate.attempt)
        try:
            return (yield from self._verified(candidate, verifier))
        except BudgetSpent:
            return Refusal(Stage.VERIFY, feedback.on_budget(self._verify_s))

    def _verified(self, candidate: Candidate, verifier: Verifier) -> Generator[Checked, None, Verified | Refusal]:
        task, source = candidate.task, candidate.source
        description = verifier.describe(task.name, source)
        if isinstance(description, Refusal):
            return description
        draft = ToolCard.of_draft(task.name, source, description, task.answer_kind)
        seen = yield from verifier.try_training(draft, task.training[:TRAINING_SHOWN])
        if isinstance(seen, Refusal):
            return seen
        version = wrap(task, source, description, seen)
        # What is tried from here on is the wrapped tool, through the prompt that every later question uses.
        wrapped = ToolCard.of_version(version)
        unseen = yield from verifier.try_held_out(wrapped, task.held_out)
        if isinstance(unseen, Refusal):
            return unseen
        if (unsteady := verifier.repeat(wrapped, seen + unseen)) is not None:
            return unsteady
        return Verified(version, self._record(candidate, version, seen + unseen))

    def _record(self, candidate: Candidate, version: ToolVersion, trials: tuple[Trial, ...]) -> VerificationRecord:
        sandbox = self._executor.info
        return VerificationRecord(
            verification_id=secrets.token_hex(16),
            tool_digest=version.digest,
            task_digest=candidate.task.digest,
            image_digest=sandbox.image_digest,
            runtime=sandbox.runtime,
            maker_model=candidate.maker_model,
            user_model=candidate.user.name,
            checks=tuple(trial.check for trial in trials),
            attempts=candidate.attempt,
            at=time.time(),
        )
