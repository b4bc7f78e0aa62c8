"""A call's end as its caller sees it."""

from __future__ import annotations

from typing import Any

import pytest

from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Execution, Failure, Outcome, Provenance, Status, Timing

pytestmark = pytest.mark.unit


def _execution(outcome: Outcome) -> Execution:
    return Execution("e", outcome, Limits(), Timing(), Provenance())


@pytest.mark.parametrize(
    ("text", "value"), [("9" * 400, 10**400 - 1), ("null", None), ('{"a": [1.5, "é"]}', {"a": [1.5, "é"]})]
)
def test_result_is_decoded(text: str, value: Any) -> None:
    """The JSON value, with every digit of an integer."""
    assert _execution(Outcome(Status.SUCCESS, text)).result == value


def test_no_result_is_none() -> None:
    """A call that failed has none; the status says so."""
    assert _execution(Outcome(Status.TOOL_ERROR, failure=Failure("ValueError", "no"))).result is None
