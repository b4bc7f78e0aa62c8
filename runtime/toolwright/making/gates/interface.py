"""The code loads, and offers one entry point: documented, and with types for parameters and result."""

from __future__ import annotations

import re
from typing import Final

from toolwright.domain.gates import GateName
from toolwright.making import feedback
from toolwright.making.case import Case
from toolwright.making.description import DescriptionRefused, read_description
from toolwright.making.gates.base import Ruling, gate

_RESULT: Final = re.compile(r"\)\s*->\s*\S")


def _judge(case: Case) -> Ruling:
    """Have the function described in the sandbox."""
    candidate = case.candidate
    execution = case.verifier.describe(candidate.task.name, candidate.source)
    case.first_description = execution
    status: dict[str, str | int | float] = {"status": execution.outcome.status.value}
    if execution.outcome.result_json is None:
        missing = case.report.missing if case.report else ()
        return Ruling(status, feedback.on_load(execution, missing))
    try:
        case.described = read_description(execution.outcome.result_json)
    except DescriptionRefused as refused:
        return Ruling(status, feedback.on_description(str(refused)))
    evidence = {**status, "parameters": len(case.described.parameters["properties"])}
    if not _RESULT.search(case.described.signature):
        problem = "its result has no type annotation; add one, as in `-> str`"
        return Ruling(evidence, feedback.on_description(problem))
    return Ruling(evidence)


GATE: Final = gate(GateName.INTERFACE, _judge)
