"""Tools that cheat are refused, and twenty honest ones are admitted. Real containers, scripted light models."""

from __future__ import annotations

from tests.integration.gates.cheating import CHEATING
from tests.integration.gates.court import Court
from tests.integration.gates.honest import HONEST
from toolwright.making.judge import Verified
from toolwright.making.verdict import Refusal


def test_honest_tools_are_admitted(court: Court) -> None:
    """All twenty pass all gates, and get limits of their own."""
    ends = court.judge_all(HONEST)

    assert len(ends) == 20
    refused = {name: end.feedback for name, end in ends.items() if isinstance(end, Refusal)}
    assert not refused
    for end in ends.values():
        assert isinstance(end, Verified)
        assert end.record.passed
        assert end.version.limits is not None


def test_cheating_tools_are_refused(court: Court) -> None:
    """None of them passes, each for what is wrong with it."""
    ends = court.judge_all([cheat.trade for cheat in CHEATING])

    assert len(ends) == len(CHEATING) >= 20
    assert [name for name, end in ends.items() if isinstance(end, Verified)] == []
    for cheat in CHEATING:
        end = ends[cheat.trade.name]
        assert isinstance(end, Refusal)
        assert cheat.told in end.feedback, cheat.trade.name
