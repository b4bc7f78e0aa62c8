"""Source rules: size, encoding and names. What it imports and the image lacks is noted: advice, never the wall."""

from __future__ import annotations

from typing import Final

from toolwright.calling.quoting import shorten
from toolwright.domain.gates import GateName
from toolwright.domain.source import ToolSource
from toolwright.errors import InvalidInput
from toolwright.making import feedback
from toolwright.making.case import Case
from toolwright.making.gates.base import Ruling, gate
from toolwright.making.source_report import MAX_MODULES

MAX_MODULES_CHARS: Final = 1_000
"""Of all names together: a source chooses them, and each may be as long as a line."""


def _judge(case: Case) -> Ruling:
    """Measure the text, and have it read in the sandbox."""
    source = case.candidate.source
    size = len(source.code.encode("utf-8", "surrogatepass"))
    evidence: dict[str, str | int | float] = {"bytes": size, "digest": source.digest}
    try:
        ToolSource(source.code, source.function, source.modules)
    except InvalidInput as fault:
        return Ruling(evidence, feedback.on_source(str(fault)))
    if size > case.policy.source_bytes:
        problem = f"it has {size} bytes; a tool may have {case.policy.source_bytes}"
        return Ruling(evidence, feedback.on_source(problem))
    # What cannot be read will hardly load, and loading tells better why.
    if case.report is not None:
        evidence["imports"] = shorten(" ".join(case.report.imports[:MAX_MODULES]), MAX_MODULES_CHARS)
        # `tools` is what the code is made from; it is there when the code runs.
        missing = [name for name in case.report.missing if not (source.modules and name == "tools")]
        evidence["missing_in_image"] = shorten(" ".join(missing[:MAX_MODULES]), MAX_MODULES_CHARS)
    return Ruling(evidence)


GATE: Final = gate(GateName.SOURCE, _judge)
