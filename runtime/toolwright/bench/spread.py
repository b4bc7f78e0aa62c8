"""Many measurements as a few numbers. A median without its spread says little on a machine that others use too."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

P99_NEEDS: Final = 100
"""Values, for one in a hundred to be another than the greatest of them."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Where measured values lie. Each of these but a median of an even number was measured itself."""

    p10: float
    p50: float
    p90: float
    p99: float | None
    """None of fewer than a hundred: there it would be the greatest."""
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of `values`, of which there is at least one."""
        return cls(
            percentile(values, 0.1),
            statistics.median(values),
            percentile(values, 0.9),
            percentile(values, 0.99) if len(values) >= P99_NEEDS else None,
            len(values),
        )

    def document(self) -> dict[str, Any]:
        """Return it for JSON, with as many digits as can mean something."""
        found = asdict(self)
        return {name: value if name == "count" or value is None else rounded(value) for name, value in found.items()}


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest of `values` that at least `share` of them do not pass."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def rounded(value: float) -> float:
    """Return `value` with four significant digits: no clock here knows more."""
    return float(f"{value:.4g}")


def flat(blocks: Sequence[Sequence[float]]) -> list[float]:
    """Return the values of all blocks."""
    return [value for block in blocks for value in block]


def ratio(ours: Sequence[Sequence[float]], floor: Sequence[Sequence[float]]) -> Spread:
    """Return ours ÷ floor, of the medians of blocks that were measured next to each other.

    A machine that grows slower halfway changes both sides of a block alike, and so not its ratio.
    """
    return Spread.of(
        [statistics.median(one) / statistics.median(other) for one, other in zip(ours, floor, strict=True)]
    )
