"""The wrapped tool is right on examples that no prompt of its maker held. A call that was not made does not count."""

from __future__ import annotations

from typing import Final

from toolwright.calling.card import ToolCard
from toolwright.domain.gates import GateName
from toolwright.making import feedback
from toolwright.making.case import Case
from toolwright.making.gates.base import Gate, Ruling, Steps


def _judge(case: Case) -> Steps:
    """Try the examples through the prompt that every later question uses."""
    card = ToolCard.of_version(case.version)
    case.held_out = yield from case.verifier.try_all(card, case.candidate.task.held_out, held_out=True)
    for trial in case.held_out:
        case.note(trial)
    ran = [trial for trial in case.held_out if trial.ending.execution is not None]
    failed = [trial for trial in case.held_out if not trial.passed]
    right = sum(trial.passed for trial in ran)
    needed, wanted = case.policy.held_out_share, case.policy.held_out_minimum
    evidence = {"examples": len(case.held_out), "ran": len(ran), "right": right, "needed_share": needed}
    ids = tuple(trial.example.id for trial in failed)
    if ran and right < needed * len(ran):
        return Ruling(evidence, feedback.on_held_out(failed, len(case.held_out)), ids)
    if len(ran) < max(1, wanted):
        evidence["needed"] = wanted
        if len(case.held_out) < wanted:
            return Ruling(evidence, feedback.on_too_few(len(case.held_out), wanted))
        return Ruling(evidence, feedback.on_held_out(failed, len(case.held_out)), ids)
    return Ruling(evidence)


GATE: Final = Gate(GateName.HELD_OUT, _judge)
