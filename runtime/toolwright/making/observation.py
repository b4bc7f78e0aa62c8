"""How one call ended, in the form in which two calls are compared."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any, Final

from toolwright.domain.json_rules import JsonRefused, JsonRules
from toolwright.domain.limits import MIB
from toolwright.domain.outcome import Execution, Status, Usage

_RESULT: Final = JsonRules(max_bytes=16 * MIB)
_EXACT: Final = 2**53

REFUSALS: Final = frozenset(
    {
        "ValueError",
        "JSONDecodeError",
        "UnicodeError",
        "UnicodeDecodeError",
        "UnicodeEncodeError",
        "ArithmeticError",
        "ZeroDivisionError",
        "OverflowError",
        "FloatingPointError",
        "InvalidOperation",
        "DivisionByZero",
        "StatisticsError",
        "LookupError",
    }
)
"""Exceptions by which a tool may refuse arguments of the right types: bad values and impossible arithmetic, which
Python itself reports so. No others: TypeError, AttributeError, NameError, AssertionError, RecursionError and SystemExit
tell of a mistake in the code, and KeyError and IndexError of a look-up that nobody guarded, with a text that helps no
caller."""


@dataclass(frozen=True, slots=True)
class Observation:
    """The end of one call."""

    arguments_json: str
    execution: Execution
    at: float = field(default_factory=time.monotonic)
    """When it was over, by `time.monotonic`, in seconds."""

    @property
    def usage(self) -> Usage:
        """What it used."""
        return self.execution.outcome.usage

    @property
    def succeeded(self) -> bool:
        """Whether there is a result."""
        return self.execution.outcome.status is Status.SUCCESS

    @property
    def refused(self) -> bool:
        """Whether the tool refused the arguments, as it may."""
        outcome = self.execution.outcome
        return outcome.status is Status.TOOL_ERROR and outcome.failure is not None and outcome.failure.type in REFUSALS

    @property
    def key(self) -> str:
        """Equal for ends that are the same: the result as a JSON value (3 and 3.0 are one), or the kind of failure."""
        outcome = self.execution.outcome
        if outcome.result_json is None:
            return f"{outcome.status.value} {outcome.failure.type if outcome.failure else ''}"
        try:
            return "= " + canonical(_RESULT.parse(outcome.result_json))
        except JsonRefused as refused:
            return f"no JSON: {refused}"


def canonical(value: object) -> str:
    """Return the one text that stands for a JSON value, whatever the order of its keys; 3.0 is written 3."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"))


def _plain(value: Any) -> Any:  # noqa: ANN401 - a JSON value
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
