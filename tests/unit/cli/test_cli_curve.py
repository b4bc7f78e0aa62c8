"""The cost curve: the arithmetic, the picture, the plot."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from toolwright.cli.cost_curve import CostCurve, CurvePoint, merged_use, round_ticks
from toolwright.cli.curve_svg import curve_svg
from toolwright.cli.curve_text import curve_plot, curve_table
from toolwright.cli.rendering import dollars
from toolwright.cli.testing import MAKER_USE, USER_USE

pytestmark = pytest.mark.unit

CURVE = CostCurve(making_usd=0.42, light_usd=0.001, strong_usd=0.011)


def test_break_even_is_the_first_request_that_is_cheaper_with_tools() -> None:
    """Just before it tools cost more or the same, at it less."""
    even = CURVE.break_even
    assert even == 43
    assert CURVE.light_after(even) < CURVE.strong_after(even)
    assert CURVE.light_after(even - 1) >= CURVE.strong_after(even - 1)


@pytest.mark.parametrize("curve", [CostCurve(1.0, 0.02, 0.02), CostCurve(1.0, 0.03, 0.02), CostCurve(0.0, 0.0, 0.0)])
def test_tools_that_never_pay_off_have_no_break_even(curve: CostCurve) -> None:
    """Equal or dearer requests never make up for the making, and both pictures say so."""
    assert curve.break_even is None
    assert "no break-even point" in curve_svg(curve, title="t", note="n")
    assert "◆" not in curve_plot(curve).plain


@pytest.mark.parametrize("making", [0.0, 1e-6, 0.42, 3.0, 1e6])
def test_the_span_shows_both_sides_of_the_break_even_point(making: float) -> None:
    """The point is never at the very edge."""
    curve = CostCurve(making, 0.001, 0.011)
    assert curve.break_even is not None
    assert 2 * curve.break_even <= curve.span or curve.span == 10


def test_picture_is_sound_xml_and_takes_no_markup_from_texts() -> None:
    """Any SVG viewer opens it, and a text stays a text."""
    root = ET.fromstring(curve_svg(CURVE, title="<script>x</script> & more", note="<b>note</b>"))  # noqa: S314 - ours
    texts = ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "<script>x</script> & more" in texts
    assert "<b>note</b>" in texts
    assert any("at 43 questions" in text for text in texts)
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))


def test_plot_and_table_show_both_ways() -> None:
    """The plot has both lines and the point; the table has the break-even row."""
    plain = curve_plot(CURVE).plain
    assert {"━", "·", "◆"} <= set(plain)
    assert curve_table(CURVE).row_count == 6


@pytest.mark.parametrize(("highest", "most", "ticks"), [(1.05, 6, 6), (100, 8, 6), (0.0031, 6, 4), (0, 6, 1)])
def test_ticks_are_few_and_round(highest: float, most: int, ticks: int) -> None:
    """Never more than asked for, and never beyond the end."""
    found = round_ticks(highest, most=most)
    assert len(found) == ticks
    assert found[-1] <= highest * (1 + 1e-9)


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "$0"), (1234.5, "$1,234.50"), (0.42, "$0.42"), (0.0012, "$0.0012"), (0.00012345, "$0.000123"), (0.1, "$0.1")],
)
def test_amounts_are_readable(amount: float, text: str) -> None:
    """Cents above a dollar, three digits that count below."""
    assert dollars(amount) == text


def test_use_is_summed_by_role_and_model() -> None:
    """Two uses of one model become one entry."""
    maker, user = merged_use([MAKER_USE, USER_USE, MAKER_USE])
    assert (maker.calls, maker.cost_usd, user.calls) == (4, 0.18, 1)


MEASURED = CostCurve(
    making_usd=0.42,
    light_usd=0.001,
    strong_usd=0.011,
    points=(
        CurvePoint(0, 0.42, 0.0),
        CurvePoint(10, 0.43, 0.11),
        CurvePoint(10, 0.53, 0.11),
        CurvePoint(20, 0.54, 0.22),
    ),
)


@pytest.mark.parametrize(
    ("questions", "light", "strong"),
    [(0, 0.42, 0.0), (5, 0.425, 0.055), (10, 0.53, 0.11), (15, 0.535, 0.165), (20, 0.54, 0.22), (30, 0.55, 0.33)],
)
def test_lines_are_as_measured_and_then_go_on_by_the_means(questions: int, light: float, strong: float) -> None:
    """Between two points straight; where much was spent at once, what stands after it."""
    assert MEASURED.light_after(questions) == pytest.approx(light)
    assert MEASURED.strong_after(questions) == pytest.approx(strong)


def test_break_even_beyond_what_was_measured_goes_on_from_its_end() -> None:
    """What was spent late counts in full."""
    even = MEASURED.break_even
    assert even == 53
    assert MEASURED.light_after(even) < MEASURED.strong_after(even)
    assert MEASURED.light_after(even - 1) >= MEASURED.strong_after(even - 1)


@pytest.mark.parametrize(
    ("points", "even"),
    [
        ([(0, 0.1, 0.0), (10, 0.12, 0.2)], 6),
        ([(0, 0.1, 0.0), (10, 0.12, 0.2), (10, 0.31, 0.2), (20, 0.31, 0.4)], 16),
        ([(1, 0.1, 0.2)], 1),
        ([(0, 0.1, 0.0), (1, 0.12, 0.5)], 1),
    ],
)
def test_break_even_within_what_was_measured(points: list[tuple[int, float, float]], even: int) -> None:
    """From there on tools were the cheaper way to the end: an earlier crossing that did not last is none."""
    curve = CostCurve(0.1, 0.001, 0.02, tuple(CurvePoint(*point) for point in points))
    assert curve.break_even == even


def test_the_span_shows_all_that_was_measured() -> None:
    """However early the tools paid off."""
    assert CostCurve(0.1, 0.001, 0.02, (CurvePoint(0, 0.1, 0.0), CurvePoint(990, 0.2, 9.0))).span == 1000


def test_both_pictures_tell_what_was_from_what_may_be() -> None:
    """Other marks beyond the questions that were asked."""
    assert "╌" in curve_plot(MEASURED).plain
    assert "beyond the 20 questions asked" in curve_plot(MEASURED).plain
    assert "stroke-dasharray" in curve_svg(MEASURED, title="t", note="n").split("<circle")[0]
    assert "╌" not in curve_plot(CURVE).plain
