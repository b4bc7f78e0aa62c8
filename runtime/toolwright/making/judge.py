"""Judging one attempt: through the gates, one after the other. A maker's code and a person's take the same road."""

from __future__ import annotations

import secrets
import time
from collections.abc import Generator
from dataclasses import dataclass, replace

from toolwright.domain.events import Checked, Judged
from toolwright.domain.gates import GatePolicy, GateVerdict
from toolwright.domain.record import Stage, VerificationRecord
from toolwright.domain.tool import ToolVersion
from toolwright.execution.base import Executor
from toolwright.making import feedback
from toolwright.making.budget import BudgetedExecutor, BudgetSpent
from toolwright.making.candidate import Candidate
from toolwright.making.case import Case, NotReached
from toolwright.making.gates import GATES, Gate, Ruling
from toolwright.making.observed import ObservedExecutor, ObservedModel, prompt_hash
from toolwright.making.verdict import Refusal
from toolwright.making.verifier import Verifier

_SEED_BITS = 48

__all__ = ["Candidate", "Judge", "Ruled", "Verified", "open_case", "walk"]


@dataclass(frozen=True, slots=True)
class Verified:
    """A wrapped tool that passed, and the evidence. What a store admits."""

    version: ToolVersion
    record: VerificationRecord


@dataclass(frozen=True, slots=True)
class Ruled:
    """One gate's verdict for the record, and its ruling for the maker."""

    verdict: GateVerdict
    ruling: Ruling


class Judge:
    """Judges candidates. Keeps nothing between them; safe to use from many threads."""

    def __init__(
        self, executor: Executor, *, verify_s: float, policy: GatePolicy | None = None, seed: int | None = None
    ) -> None:
        """Run code through `executor`.

        Args:
            executor: the only road to tool code.
            verify_s: a candidate whose calls run for more seconds in all is refused.
            policy: how much a tool has to show; the defaults of `GatePolicy` if None.
            seed: of all that is drawn; a new one for each candidate if None, so that no maker can know it.
        """
        self._executor, self._verify_s = executor, verify_s
        self._policy, self._seed = policy or GatePolicy(), seed

    def judge(self, candidate: Candidate) -> Generator[Checked | Judged, None, Verified | Refusal]:
        """Try `candidate`, and return it wrapped with its record, or why it is refused.

        Raises:
            ModelError: the light model's endpoint failed.
            ToolwrightError: what `Executor.execute` and `Patience.check` raise.
        """
        seed = secrets.randbits(_SEED_BITS) if self._seed is None else self._seed
        case = open_case(candidate, BudgetedExecutor(self._executor, self._verify_s), self._policy, seed)
        try:
            ruled = yield from walk(case)
        except BudgetSpent:
            return Refusal(Stage.VERIFY, feedback.on_budget(self._verify_s))
        last = ruled[-1]
        if not last.verdict.passed:
            return Refusal(Stage.VERIFY, last.ruling.feedback, last.ruling.failed)
        version = replace(case.version, limits=case.limits, image_digest=self._executor.info.image_digest)
        return Verified(version, self._record(case, version, tuple(each.verdict for each in ruled)))

    def _record(self, case: Case, version: ToolVersion, gates: tuple[GateVerdict, ...]) -> VerificationRecord:
        sandbox, candidate = self._executor.info, case.candidate
        return VerificationRecord(
            verification_id=secrets.token_hex(16),
            tool_digest=version.digest,
            task_digest=candidate.task.digest,
            image_digest=sandbox.image_digest,
            runtime=sandbox.runtime,
            maker_model=candidate.maker_model,
            user_model=candidate.user.name,
            # What the light model made no call for was not run: the gates' evidence counts it.
            checks=tuple(trial.check for trial in case.trials if trial.ending.execution is not None),
            attempts=candidate.attempt,
            at=time.time(),
            gates=gates,
            seed=case.seed,
            maker_prompts=(prompt_hash(candidate.maker_prompt),) if candidate.maker_prompt else (),
            user_prompts=tuple(case.model.prompts),
            limits=case.limits,
            policy=case.policy.as_evidence,
        )


def open_case(candidate: Candidate, executor: Executor, policy: GatePolicy, seed: int) -> Case:
    """Return the case of `candidate`, of which nothing is known yet."""
    observed, model = ObservedExecutor(executor), ObservedModel(candidate.user)
    verifier = Verifier(observed, model, candidate.patience, candidate.attempt)
    return Case(candidate, verifier, observed, model, policy, seed)


def walk(
    case: Case, gates: tuple[Gate, ...] = GATES, *, on: bool = False
) -> Generator[Checked | Judged, None, tuple[Ruled, ...]]:
    """Lead `case` through `gates` until one refuses it, or `on` to the last whatever they say.

    Raises:
        BudgetSpent: the calls together ran for longer than they may.
        ModelError: the light model's endpoint failed.
        ToolwrightError: what `Executor.execute` and `Patience.check` raise.
    """
    ruled: list[Ruled] = []
    for gate in gates:
        case.candidate.patience.check()
        try:
            ruling = yield from gate.judge(case)
        except NotReached as missing:
            ruling = Ruling({"not_reached": str(missing)}, feedback.on_not_reached(str(missing)))
        verdict = GateVerdict(gate.name, ruling.passed, ruling.evidence)
        ruled.append(Ruled(verdict, ruling))
        yield Judged(case.candidate.attempt, gate.name, verdict.passed, verdict.summary)
        if not (verdict.passed or on):
            break
    return tuple(ruled)
