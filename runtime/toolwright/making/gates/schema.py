"""The function is described again, elsewhere, as it was: in another container, and under further user ids."""

from __future__ import annotations

from typing import Final

from toolwright.domain.gates import GateName
from toolwright.domain.tool import Description
from toolwright.making import feedback
from toolwright.making.case import Case
from toolwright.making.description import DescriptionRefused, read_description
from toolwright.making.gates.base import Ruling, gate
from toolwright.making.verifier import REPLICA

_AGAIN: Final = 2
"""In a row, so that one of them has an even user id and one an odd one."""


def _judge(case: Case) -> Ruling:
    """Compare what the function says of itself in several processes."""
    first = case.description
    again = [describe_again(case) for _ in range(_AGAIN)]
    case.described_again = again[-1]
    differed = sum(description != first for description in again)
    evidence = {"descriptions": 1 + _AGAIN, "differed": differed}
    return Ruling(evidence, feedback.on_changed_description(differed, _AGAIN) if differed else "")


def describe_again(case: Case) -> Description | None:
    """Have the function described in the container of the repetitions; None if it is not, or wrongly."""
    candidate = case.candidate
    execution = case.verifier.describe(candidate.task.name, candidate.source, replica=REPLICA)
    try:
        return read_description(execution.outcome.result_json or "")
    except DescriptionRefused:
        return None


GATE: Final = gate(GateName.SCHEMA, _judge)
