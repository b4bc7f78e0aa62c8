"""Parts of pictures, written by hand: no plotting library is needed to open or to make one."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

INK = "#1f2933"
SOFT = "#616e7c"
GRID = "#e4e7eb"
FONTS = "system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"


def line(x1: float, y1: float, x2: float, y2: float, colour: str, *, width: float = 1) -> str:
    """Return a straight line."""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}" '
        'stroke-linecap="round"/>'
    )


def path(places: Iterable[tuple[float, float]], colour: str, *, width: float = 1, dashed: bool = False) -> str:
    """Return straight lines from place to place."""
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dashes = ' stroke-dasharray="2 7"' if dashed else ""
    return (
        f'<polyline points="{corners}" fill="none" stroke="{colour}" stroke-width="{width}"{dashes} '
        'stroke-linecap="round" stroke-linejoin="round"/>'
    )


def dot(x: float, y: float, colour: str) -> str:
    """Return a mark, with a white rim so that it stands out from its line."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5.5" fill="{colour}" stroke="#ffffff" stroke-width="2"/>'


def text(
    x: float, y: float, value: str, *, size: float, fill: str = INK, anchor: str = "start", weight: int = 400
) -> str:
    """Return a line of text; `value` is taken literally."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}" text-anchor="{anchor}" '
        f'font-weight="{weight}">{escape(value)}</text>'
    )
