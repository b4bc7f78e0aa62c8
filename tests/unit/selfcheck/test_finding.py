"""One comparison: exact in value and type, and safe to show."""

from __future__ import annotations

import pytest

from toolwright.sandbox.selfcheck.finding import compare

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("expected", "found", "holds"),
    [
        ("EPERM", "EPERM", True),
        ("EPERM", "EACCES", False),
        (True, True, True),
        (True, 1, False),
        ("1", 1, False),
        (1.0, 1, False),
        ([0, 0], [0, 0], True),
        ([0, 0], (0, 0), False),
        ("EPERM", None, False),
        (None, None, True),
        ("EPERM", "EPERM\n", False),
        ("x" * 400, "x" * 399 + "y", False),
    ],
)
def test_value_and_type_both_count(expected: object, found: object, *, holds: bool) -> None:
    """What is nearly so is not so, and what differs only where it is cut off is not the same."""
    assert compare("layer", "check", expected, found).holds is holds


def test_what_a_sandbox_says_is_cut_and_escaped() -> None:
    """Nothing that a container answers can flood or steer a terminal."""
    finding = compare("layer", "check", "no", "\x1b[2J\u202e" + "x" * 10_000)
    assert len(finding.found) <= 300
    assert finding.found.isprintable()
