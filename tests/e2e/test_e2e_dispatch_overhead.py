"""What choosing among a thousand tools costs beside the model's own time."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "dispatch_overhead.py"


@pytest.mark.e2e
@pytest.mark.slow
def test_a_thousand_tools_cost_a_question_little() -> None:
    """10 ms for half of the questions, with a registry on disk, and the right tool is always among those offered."""
    spec = importlib.util.spec_from_file_location("dispatch_overhead", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)

    result = program.measure(1_000, 200)

    assert result["right_among_offered"] == 1.0
    assert result["p50_ms"] <= 10, result
