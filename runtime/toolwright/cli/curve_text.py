"""The cost curve in a terminal: a plot of characters and a table."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from toolwright.cli.cost_curve import CostCurve
from toolwright.cli.rendering import dollars

_COLUMNS, _ROWS = 64, 14
_LIGHT, _STRONG, _AHEAD = ("━", "bold green"), ("·", "bold red"), ("╌", "green")


def curve_plot(curve: CostCurve) -> Text:
    """Return the two lines over the number of questions, with the break-even point marked."""
    span = curve.span
    highest = max(curve.strong_after(span), curve.light_after(span)) or 1.0
    cells: dict[tuple[int, int], tuple[str, str]] = {}
    for column in range(_COLUMNS):
        questions = round(span * column / (_COLUMNS - 1))
        light = _AHEAD if 0 < curve.measured < questions else _LIGHT
        for mark, cost in ((_STRONG, curve.strong_after(questions)), (light, curve.light_after(questions))):
            cells[column, round((_ROWS - 1) * cost / highest)] = mark
    if curve.break_even is not None and curve.break_even <= span:
        column = round((_COLUMNS - 1) * curve.break_even / span)
        cells[column, round((_ROWS - 1) * curve.light_after(curve.break_even) / highest)] = ("◆", "bold yellow")
    return _drawn(cells, span, highest, measured=curve.measured)


def curve_table(curve: CostCurve) -> Table:
    """Return cumulative costs after some numbers of questions."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("questions", justify="right")
    table.add_column("light model with tools", justify="right", style="green")
    table.add_column("strong model for all", justify="right", style="red")
    table.add_column("with tools / without", justify="right")
    even = curve.break_even
    for questions in sorted({1, 10, 100, 1_000, 10_000, *([even] if even else [])}):
        light, strong = curve.light_after(questions), curve.strong_after(questions)
        ratio = f"{light / strong:.2f}" if strong else "–"
        mark = "  ◆ break-even" if questions == even else ""
        table.add_row(f"{questions:,}", dollars(light), dollars(strong), ratio + mark)
    return table


def _drawn(cells: dict[tuple[int, int], tuple[str, str]], span: int, highest: float, *, measured: int) -> Text:
    labels = {_ROWS - 1: dollars(highest), 0: "$0"}
    width = max(map(len, labels.values()))
    text = Text()
    for row in reversed(range(_ROWS)):
        text.append(f"{labels.get(row, ''):>{width}} ┤" if row in labels else f"{'':>{width}} │")
        for column in range(_COLUMNS):
            glyph, style = cells.get((column, row), (" ", ""))
            text.append(glyph, style=style)
        text.append("\n")
    text.append(f"{'':>{width}} └{'─' * _COLUMNS}\n")
    text.append(f"{'':>{width}}  0{f'{span:,} questions':>{_COLUMNS - 1}}\n")
    legend = [(_LIGHT, "light model with tools, making included"), (_STRONG, "strong model for all")]
    if 0 < measured < span:
        legend.insert(1, (_AHEAD, f"the same beyond the {measured:,} questions asked, if it goes on so"))
    for (glyph, style), meaning in legend:
        text.append(f"{'':>{width}}  {glyph * 3} ", style=style)
        text.append(f"{meaning}\n")
    return text
