"""For each gate one tool that it alone refuses: all the other gates, asked too, let it pass."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from tests.integration.gates.cheating import CHEATING
from tests.integration.gates.court import Court, Row, Trade
from tests.integration.gates.honest import HONEST
from toolwright.domain.gates import GateName, GatePolicy
from toolwright.domain.task import AnswerKind

_CHEATS: Final = {cheat.trade.name: cheat.trade for cheat in CHEATING}
_ADD: Final = HONEST[0]
_ROWS: Final[tuple[Row, ...]] = (*_ADD.rows, ({"a": 8, "b": 90}, 98))


def _adding(code: str, **changes: object) -> Trade:
    trade = Trade("add_numbers", code, _ROWS, AnswerKind.NUMBER)
    return replace(trade, **changes)  # type: ignore[arg-type]  # fields by name


_DOCUMENTED: Final = '    """Add two numbers: a, such as 1, and b, such as 2."""\n'

ALONE: Final = {
    GateName.SOURCE: _adding(f"{_ADD.code}\n# {'A zero-width space hides here: '}\u200b\n"),
    GateName.INTERFACE: _adding(f"def add_numbers(a: int, b: int):\n{_DOCUMENTED}    return a + b\n"),
    GateName.SCHEMA: _CHEATS["lying_schema"],
    GateName.TRAINING: _adding(
        f"def add_numbers(a: int, b: int) -> int:\n{_DOCUMENTED}    return a + b if a != 30 else a - b\n"
    ),
    # One of two is wrong: too many here, and not too many for the light model by this policy.
    GateName.HELD_OUT: _adding(
        f"def add_numbers(a: int, b: int) -> int:\n{_DOCUMENTED}    return a + b if a != 70 else a - b\n",
        policy=GatePolicy(light_share=0.5, light_first_share=0.5),
    ),
    GateName.DEGENERATE: _CHEATS["deaf"],
    GateName.PROBES: _adding(
        f"def add_numbers(a: int, b: int) -> int:\n{_DOCUMENTED}    assert a > 0 and b > 0\n    return a + b\n",
    ),
    GateName.DETERMINISM: _CHEATS["hash_order"],
    GateName.RESOURCES: _CHEATS["hog"],
    GateName.LIGHT_MODEL: _adding(_ADD.code, silent=(4,)),
}


@pytest.mark.parametrize("gate", GateName, ids=lambda gate: str(gate.value))
def test_refused_by_one_gate_alone(court: Court, gate: GateName) -> None:
    """The gate refuses, and no other would have."""
    verdicts = court.all_verdicts(ALONE[gate])

    assert [name for name, verdict in verdicts.items() if not verdict.passed] == [gate], {
        name.value: verdict.summary for name, verdict in verdicts.items() if not verdict.passed
    }
    assert list(verdicts) == list(GateName)
    assert all(verdict.evidence for verdict in verdicts.values())


def test_the_same_tools_mended_are_refused_by_none(court: Court) -> None:
    """The control: what all of them would be without their fault."""
    verdicts = court.all_verdicts(_adding(_ADD.code))

    assert all(verdict.passed for verdict in verdicts.values())
