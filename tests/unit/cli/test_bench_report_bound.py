"""How ratios are shown: a figure that is missed never looks like its bound."""

from __future__ import annotations

import pytest

from toolwright.cli.bench_report import bound

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1 / 11.6, "1/11.6"),
        (1 / 11.96, "1/11.9"),
        (1 / 12, "1/12"),
        (1 / 15, "1/15"),
        (1 / 49, "1/49"),
        (1 / 250.7, "1/250"),
        (1.0, "1.00"),
    ],
)
def test_ratio_as_people_read_it(value: float, shown: str) -> None:
    """With a tenth where it has one, cut and not rounded."""
    assert bound(value, "ratio") == shown
