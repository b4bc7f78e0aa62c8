"""The cost curve as an SVG picture, written by hand: no plotting library is needed to open or to make it."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from toolwright.cli.cost_curve import CostCurve, round_ticks
from toolwright.cli.rendering import dollars
from toolwright.cli.svg import FONTS, GRID, SOFT, dot, line, path, text

_WIDTH, _HEIGHT = 880, 556
_LEFT, _RIGHT, _TOP, _BOTTOM = 96, 848, 112, 428
_BOX = f"0 0 {_WIDTH} {_HEIGHT}"
_LABEL_WIDTH, _ROOM_FOR_TEXT = 112, 40
_GREEN, _RED, _AMBER = "#0f8a5f", "#c8372d", "#b7791f"


@dataclass(frozen=True, slots=True)
class _Frame:
    """Turns questions and dollars into places on the picture."""

    span: int
    highest: float

    def x(self, questions: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * questions / self.span

    def y(self, cost: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * cost / self.highest


def curve_svg(curve: CostCurve, *, title: str, note: str) -> str:
    """Return the picture: axes, two lines, the break-even point, a legend, and `note` below."""
    frame = _Frame(curve.span, 1.06 * max(curve.strong_after(curve.span), curve.light_after(curve.span)) or 1.0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" viewBox="{_BOX}">',
        f"<g font-family='{FONTS}'>",
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        text(_LEFT, 40, title, size=20, weight=600),
        *_legend(curve),
        *_axes(frame),
        *_lines(curve, frame),
        *_mark(curve, frame),
        *_notes(note),
        "</g>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _axes(frame: _Frame) -> list[str]:
    parts = []
    for cost in round_ticks(frame.highest, most=6):
        y = frame.y(cost)
        parts.append(line(_LEFT, y, _RIGHT, y, GRID if cost else SOFT))
        parts.append(text(_LEFT - 10, y + 4, _tick_dollars(cost), size=12, fill=SOFT, anchor="end"))
    for questions in round_ticks(frame.span, most=8):
        x = frame.x(questions)
        parts.append(line(x, _BOTTOM, x, _BOTTOM + 5, SOFT))
        parts.append(text(x, _BOTTOM + 21, f"{questions:,.0f}", size=12, fill=SOFT, anchor="middle"))
    parts.append(text((_LEFT + _RIGHT) / 2, _BOTTOM + 46, "questions", size=13, fill=SOFT, anchor="middle"))
    middle = (_TOP + _BOTTOM) / 2
    parts.append(
        f'<text x="22" y="{middle:.1f}" transform="rotate(-90 22 {middle:.1f})" font-size="13" fill="{SOFT}" '
        'text-anchor="middle">cumulative cost, US dollars</text>'
    )
    return parts


def _lines(curve: CostCurve, frame: _Frame) -> list[str]:
    parts = _saving(curve, frame)
    for start, end in ((0, curve.measured), (curve.measured, frame.span)):
        corners, dashed = list(curve.path(start, end)), start == curve.measured > 0
        strong = [(frame.x(corner.questions), frame.y(corner.strong_usd)) for corner in corners]
        light = [(frame.x(corner.questions), frame.y(corner.light_usd)) for corner in corners]
        if start < end:
            parts.append(path(strong, _RED, width=3, dashed=dashed))
            parts.append(path(light, _GREEN, width=3, dashed=dashed))
    return [*parts, dot(frame.x(0), frame.y(curve.light_after(0)), _GREEN), _making_label(curve, frame)]


def _making_label(curve: CostCurve, frame: _Frame) -> str:
    """Return the label of the green line's start, high enough for the line to pass below its end."""
    end = frame.span * _LABEL_WIDTH / (_RIGHT - _LEFT)
    y = frame.y(curve.light_after(end)) - 10
    return text(frame.x(0) + 12, y, f"making: {dollars(curve.making_usd)}", size=12, fill=_GREEN)


def _saving(curve: CostCurve, frame: _Frame) -> list[str]:
    even = curve.break_even
    if even is None or even > frame.span:
        return []
    corners = list(curve.path(even, frame.span))
    upper = [(frame.x(corner.questions), frame.y(corner.strong_usd)) for corner in corners]
    lower = [(frame.x(corner.questions), frame.y(corner.light_usd)) for corner in corners]
    right, top, bottom = upper[-1][0], upper[-1][1], lower[-1][1]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (*upper, *reversed(lower)))
    area = f'<polygon points="{points}" fill="{_GREEN}" fill-opacity="0.09"/>'
    if bottom - top < _ROOM_FOR_TEXT:
        return [area]
    return [area, text(right - 10, (top + bottom) / 2 + 4, "saved", size=13, fill=_GREEN, anchor="end")]


def _mark(curve: CostCurve, frame: _Frame) -> list[str]:
    even = curve.break_even
    if even is None or even > frame.span:
        return [text(_RIGHT, _TOP - 8, "no break-even point", size=13, fill=_AMBER, anchor="end", weight=600)]
    x, y = frame.x(even), frame.y(curve.light_after(even))
    return [
        f'<path d="M{x:.1f} {y:.1f}V{_BOTTOM}" stroke="{_AMBER}" stroke-width="1.5" stroke-dasharray="4 4"/>',
        dot(x, y, _AMBER),
        text(x + 12, (y + _BOTTOM) / 2, "break-even", size=13, fill=_AMBER, weight=600),
        text(x + 12, (y + _BOTTOM) / 2 + 18, f"at {even:,} questions", size=13, fill=_AMBER, weight=600),
    ]


def _legend(curve: CostCurve) -> list[str]:
    entries = (
        (_GREEN, f"light model with tools: {dollars(curve.light_usd)} a question, after making them once"),
        (_RED, f"strong model for all: {dollars(curve.strong_usd)} a question"),
    )
    parts = []
    if curve.measured:
        told = f"solid: the {curve.measured:,} questions asked; dotted: if it goes on so"
        parts.append(text(_RIGHT, 84, told, size=12, fill=SOFT, anchor="end"))
    for index, (colour, meaning) in enumerate(entries):
        y = 64 + 20 * index
        parts.append(line(_LEFT, y - 4, _LEFT + 28, y - 4, colour, width=3))
        parts.append(text(_LEFT + 38, y, meaning, size=13))
    return parts


def _notes(note: str) -> list[str]:
    words, lines = note.split(), [""]
    for word in words:
        if len(lines[-1]) + len(word) > 120:  # noqa: PLR2004 - characters that fit at this size
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return [text(_LEFT, 502 + 16 * index, words, size=11.5, fill=SOFT) for index, words in enumerate(lines)]


def _tick_dollars(cost: float) -> str:
    return "$0" if cost == 0 else "$" + f"{cost:.6f}".rstrip("0").rstrip(".")
