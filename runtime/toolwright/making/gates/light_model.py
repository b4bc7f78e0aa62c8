"""The light model answers held-out questions from the wrapped text alone, with calls of its own."""

from __future__ import annotations

from typing import Final

from toolwright.domain.gates import GateName
from toolwright.making import feedback
from toolwright.making.case import Case, NotReached
from toolwright.making.gates.base import Ruling, gate


def _judge(case: Case) -> Ruling:
    """Judge the trials of the held-out gate by another measure: what was not called is wrong here."""
    trials = case.held_out
    if not trials:
        raise NotReached("no held-out example was tried")
    right = sum(trial.passed for trial in trials)
    first = sum(trial.passed and not trial.repaired for trial in trials)
    policy = case.policy
    evidence = {
        "questions": len(trials),
        "right": right,
        "right_at_once": first,
        "no_call": sum(trial.ending.execution is None for trial in trials),
        "needed_share": policy.light_share,
        "needed_share_at_once": policy.light_first_share,
    }
    failed = tuple(trial.example.id for trial in trials if not trial.passed)
    if right < policy.light_share * len(trials) or first < policy.light_first_share * len(trials):
        return Ruling(evidence, feedback.on_light_model(right, first, len(trials)), failed)
    return Ruling(evidence)


GATE: Final = gate(GateName.LIGHT_MODEL, _judge)
