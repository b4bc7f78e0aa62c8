"""The pictures of docs/benchmarks.md: calls a second against callers, and how long a call takes, beside its floors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import Any, Final

from toolwright.cli.bench_report import tail
from toolwright.cli.cost_curve import round_ticks
from toolwright.cli.svg import FONTS, GRID, SOFT, dot, line, text

_WIDTH: Final = 880
_LEFT, _RIGHT = 96, 848
_TOP, _BOTTOM = 92, 348
_COLOURS: Final = ("#0f8a5f", "#2b6cb0", "#b7791f", "#c8372d")
_OURS, _FLOOR = "#0f8a5f", "#9aa5b1"
_BARS_TOP, _BAR = 470, 26
_BARS_LEFT = 320

_Found = Mapping[str, Any]


def benchmark_svg(rate: _Found | None, times: Sequence[tuple[str, bool, _Found]]) -> str:
    """Return both pictures, one above the other.

    Args:
        rate: the section of that name, or None.
        times: (name, whether it is ours, spread in milliseconds), from the quickest on.
    """
    height = _BARS_TOP + _BAR * len(times) + 70
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}">',
        f"<g font-family='{FONTS}'>",
        f"<title>{escape('Calls a second against callers; how long a call takes')}</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        *(_rates(rate) if rate else ()),
        *_bars(times),
        "</g>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _rates(rate: _Found) -> Iterator[str]:
    senders = rate["senders"]
    points = [point for sender in senders.values() for point in sender]
    counts = sorted({int(point["callers"]) for point in points})
    highest = 1.08 * max(float(point["most"]) for point in points)

    def x(callers: float) -> float:
        # By doublings: each step to the right is twice as many callers.
        return _LEFT + 30 + (_RIGHT - _LEFT - 60) * math.log2(callers / counts[0]) / math.log2(counts[-1] / counts[0])

    def y(value: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * value / highest

    yield text(_LEFT, 36, "Calls a second against callers at once", size=18, weight=600)
    for value in round_ticks(highest, most=6):
        yield line(_LEFT, y(value), _RIGHT, y(value), GRID if value else SOFT)
        yield text(_LEFT - 10, y(value) + 4, f"{value:,.0f}", size=12, fill=SOFT, anchor="end")
    for callers in counts:
        yield text(x(callers), _BOTTOM + 21, str(callers), size=12, fill=SOFT, anchor="middle")
    yield text((_LEFT + _RIGHT) / 2, _BOTTOM + 44, "callers", size=13, fill=SOFT, anchor="middle")
    for number, (name, sender) in enumerate(senders.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        places = [(x(point["callers"]), point) for point in sender]
        for (one, left), (other, right) in pairwise(places):
            yield line(one, y(left["calls_per_second"]), other, y(right["calls_per_second"]), colour, width=3)
        for place, point in places:
            yield line(place, y(point["least"]), place, y(point["most"]), colour, width=1.5)
            yield dot(place, y(point["calls_per_second"]), colour)
        legend = _LEFT + 150 * number
        yield line(legend, 60, legend + 28, 60, colour, width=3)
        yield text(legend + 38, 64, name, size=13)


def _bars(times: Sequence[tuple[str, bool, _Found]]) -> Iterator[str]:
    if not times:
        return
    lowest = 10 ** math.floor(math.log10(min(one["p50"] for _, _, one in times)))
    highest = 10 ** math.ceil(math.log10(max(_late(one) for _, _, one in times)))
    bottom = _BARS_TOP + _BAR * len(times)

    def x(milliseconds: float) -> float:
        share = math.log10(max(milliseconds, lowest) / lowest) / math.log10(highest / lowest)
        return _BARS_LEFT + (_RIGHT - _BARS_LEFT) * share

    yield text(
        _LEFT,
        _BARS_TOP - 44,
        "How long a call takes: p50 (bar) to p99 (line; of fewer than 100: p90)",
        size=18,
        weight=600,
    )
    yield text(_LEFT, _BARS_TOP - 22, "milliseconds; each step to the right is ten times as long", size=12, fill=SOFT)
    for power in range(round(math.log10(lowest)), round(math.log10(highest)) + 1):
        place = x(10.0**power)
        yield line(place, _BARS_TOP - 8, place, bottom, GRID)
        yield text(place, bottom + 20, f"{10.0**power:,g}", size=12, fill=SOFT, anchor="middle")
    for number, (name, ours, one) in enumerate(times):
        middle = _BARS_TOP + _BAR * (number + 0.5)
        colour, width = (_OURS if ours else _FLOOR), x(one["p50"]) - _BARS_LEFT
        yield text(_BARS_LEFT - 12, middle + 4, name, size=12.5, anchor="end", weight=600 if ours else 400)
        yield f'<rect x="{_BARS_LEFT}" y="{middle - 7:.1f}" width="{width:.1f}" height="14" fill="{colour}"/>'
        yield line(x(one["p50"]), middle, x(_late(one)), middle, colour, width=2)
        yield text(x(_late(one)) + 8, middle + 4, f"{one['p50']:.3g}", size=12, fill=SOFT)


def _late(one: _Found) -> float:
    late = tail(one)
    return float(one["p90"] if late is None else late)
