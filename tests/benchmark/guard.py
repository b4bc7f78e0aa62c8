"""Judges ratios: loose enough for a machine's moods, tight enough to catch a doubling."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

FACTOR: Final = 1.6
"""Above the baseline; well below 2."""
PUBLISHED: Final = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.json"

Ratios = Mapping[str, float]
"""Of a warm call to fork and pipe, and of forks to calls a second (`warm`, `rate`): less is better."""


def ratios_of(measured: Mapping[str, Any]) -> Ratios:
    """Return the ratios of one measurement of the program."""
    return {name: found["ratio"] for name, found in measured.items()}


def baseline() -> Ratios:
    """Return the ratios that `docs/benchmarks.json` publishes; one that it does not have is not there."""
    sections = json.loads(PUBLISHED.read_text(encoding="utf-8"))["sections"]
    published = {
        "warm": sections["warm"]["ratios"]["tool_to_fork_pipe"]["p50"],
        "rate": sections["rate"].get("forks_to_calls"),
    }
    return {name: ratio for name, ratio in published.items() if ratio is not None}


def judge(measured: Ratios, allowed: Ratios) -> list[str]:
    """Return what has become too dear against the baseline `allowed`; nothing if all is well."""
    return [
        f"{name}: {measured[name]:.2f} times its floor, against {of:.2f} in the baseline (at most {FACTOR * of:.2f})"
        for name, of in allowed.items()
        if measured[name] > FACTOR * of
    ]
