"""Source rules: size, encoding and names. What it imports and the image lacks is noted: advice, never the wall."""

from __future__ import annotations

from typing import Final

from toolwright.domain.gates import GateName
from toolwright.domain.source import ToolSource
from toolwright.errors import InvalidInput
from toolwright.making import feedback
from toolwright.making.case import Case
from toolwright.making.gates.base import Ruling, gate
from toolwright.making.source_report import MAX_MODULES


def _judge(case: Case) -> Ruling:
    """Measure the text, and have it read in the sandbox."""
    source = case.candidate.source
    size = len(source.code.encode("utf-8", "surrogatepass"))
    evidence: dict[str, str | int | float] = {"bytes": size, "digest": source.digest}
    try:
        ToolSource(source.code, source.function)
    except InvalidInput as fault:
        return Ruling(evidence, feedback.on_source(str(fault)))
    if size > case.policy.source_bytes:
        problem = f"it has {size} bytes; a tool may have {case.policy.source_bytes}"
        return Ruling(evidence, feedback.on_source(problem))
    # What cannot be read will hardly load, and loading tells better why.
    if case.report is not None:
        evidence["imports"] = " ".join(case.report.imports)
        evidence["missing_in_image"] = " ".join(case.report.missing[:MAX_MODULES])
    return Ruling(evidence)


GATE: Final = gate(GateName.SOURCE, _judge)
