"""What a stream of questions came to: by hundreds, and in money."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from toolwright.cli.rendering import dollars
from toolwright.cli.stream import StreamReply
from toolwright.domain.miss import MissGroup

WINDOW = 100
LAST_PART = 5
"""The last part is one of so many: what counts is how the stream ends."""


@dataclass(frozen=True, slots=True)
class Point:
    """The stream after some number of questions; rates are of the window that ends there."""

    questions: int
    hit_rate: float
    accuracy: float
    tools: int
    """Different tools that have answered so far."""
    cost_usd: float
    """All so far, makings included."""
    strong_usd: float
    """What the strong model alone would have cost."""


@dataclass(frozen=True, slots=True)
class StreamResult:
    """All replies, and the groups of misses behind the tools."""

    replies: Sequence[StreamReply]
    groups: Sequence[MissGroup]

    @property
    def strong_each_usd(self) -> float:
        """What the strong model takes for a question, from those that it answered here; 0 if there were none."""
        asked = [reply.strong_usd for reply in self.replies if reply.strong_usd]
        return sum(asked) / len(asked) if asked else 0.0

    @property
    def making_usd(self) -> float:
        """What all makings cost."""
        return sum(group.cost_usd for group in self.groups)

    @property
    def last(self) -> Sequence[StreamReply]:
        """The last part of the stream."""
        return self.replies[-max(1, len(self.replies) // LAST_PART) :]

    def points(self) -> list[Point]:
        """Return a point for each hundred questions, and one for the end."""
        costs = self.costs()
        ends = [*range(WINDOW, len(self.replies), WINDOW), len(self.replies)]
        return [self._point(end, costs) for end in ends]

    def costs(self) -> list[float]:
        """Return the cost of all so far, after each question. A tool's making counts from its first answer on."""
        makings = {group.tool: group.cost_usd for group in self.groups if group.tool}
        costs, total = [], 0.0
        for reply in self.replies:
            total += reply.cost_usd + makings.pop(reply.tool, 0.0)
            costs.append(total)
        if costs:  # what was spent on tools that never answered
            told = sum(group.cost_usd for group in self.groups if group.tool) - sum(makings.values())
            costs[-1] += self.making_usd - told
        return costs

    def document(self) -> dict[str, Any]:
        """Return what `eval --stream --json` shows of it."""
        hits = [reply for reply in self.replies if reply.hit]
        wrong = [reply.index for reply in self.replies if not reply.right]
        using = sum(reply.cost_usd for reply in self.replies)
        return {
            "questions": len(self.replies),
            "hits": len(hits),
            "hit_rate": _rate(reply.hit for reply in self.replies),
            "accuracy": _rate(reply.right for reply in self.replies),
            "last_part": {
                "questions": len(self.last),
                "hit_rate": _rate(reply.hit for reply in self.last),
                "accuracy": _rate(reply.right for reply in self.last),
            },
            "hits_right": sum(reply.right for reply in hits),
            "tools": sorted({reply.tool for reply in hits}),
            "wrong": wrong[:WINDOW],
            "points": [{name: getattr(point, name) for name in Point.__dataclass_fields__} for point in self.points()],
            "cost": {
                "making_usd": self.making_usd,
                "using_usd": using,
                "total_usd": self.making_usd + using,
                "strong_each_usd": self.strong_each_usd,
                "all_strong_usd": self.strong_each_usd * len(self.replies),
            },
        }

    def _point(self, end: int, costs: Sequence[float]) -> Point:
        window = self.replies[max(0, (end - 1) // WINDOW * WINDOW) : end]
        return Point(
            end,
            _rate(reply.hit for reply in window),
            _rate(reply.right for reply in window),
            len({reply.tool for reply in self.replies[:end] if reply.hit}),
            costs[end - 1],
            self.strong_each_usd * end,
        )


def points_table(points: Sequence[Point]) -> Table:
    """Return one row for each hundred questions."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("questions", "answered by tools", "right", "tools", "cost so far", "strong model for all"):
        table.add_column(heading, justify="right")
    for point in points:
        table.add_row(
            f"{point.questions:,}",
            f"{100 * point.hit_rate:.1f} %",
            f"{100 * point.accuracy:.1f} %",
            str(point.tools),
            dollars(point.cost_usd),
            dollars(point.strong_usd),
        )
    return table


def _rate(values: Iterator[bool] | Sequence[bool]) -> float:
    kept = list(values)
    return sum(kept) / len(kept) if kept else 0.0
