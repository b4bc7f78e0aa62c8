"""Enums of the domain and of the wire have the same members."""

from __future__ import annotations

from enum import Enum
from typing import Any

import pytest

from toolwright.domain.call import Operation
from toolwright.domain.job import JobState
from toolwright.domain.ledger import CostKey
from toolwright.domain.outcome import Status
from toolwright.domain.task import AnswerKind
from toolwright.domain.tool import ToolState
from toolwright.errors import InvalidInput
from toolwright.services.convert.enums import (
    ANSWER_KIND,
    COST_KEY,
    MAKING_STATE,
    OPERATION,
    STATUS,
    TOOL_STATE,
    EnumTable,
    status_from_wire,
    status_to_wire,
)
from toolwright.v1 import execution_pb2, ledger_pb2, makings_pb2, types_pb2

TABLES = [
    (STATUS, Status, types_pb2.Status),
    (ANSWER_KIND, AnswerKind, types_pb2.AnswerKind),
    (TOOL_STATE, ToolState, types_pb2.ToolState),
    (MAKING_STATE, JobState, makings_pb2.MakingState),
    (COST_KEY, CostKey, ledger_pb2.CostKey),
    (OPERATION, Operation, execution_pb2.Operation),
]


@pytest.mark.parametrize(("table", "ours", "wire"), TABLES)
def test_every_member_is_mapped_to_its_namesake(table: EnumTable[Any, int], ours: type[Enum], wire: Any) -> None:
    """No member is left out on either side, and names agree."""
    prefix = wire.Name(0).removesuffix("UNSPECIFIED")

    assert set(table.rows) == set(ours)
    assert set(table.rows.values()) == set(wire.values()) - {0}
    for member, number in table.rows.items():
        assert wire.Name(number) == prefix + member.name
        assert table.from_wire(number, "field") is member


@pytest.mark.parametrize(("table", "ours", "wire"), TABLES)
def test_unknown_member_is_refused_by_name_of_the_field(table: EnumTable[Any, int], ours: Any, wire: Any) -> None:
    """A number from a newer protocol is named, not guessed at."""
    with pytest.raises(InvalidInput, match=r"the\.field: 99 is not a known value"):
        table.from_wire(99, "the.field")


def test_status_of_what_did_not_run_is_unspecified() -> None:
    """None stands for "nothing ran" in both directions."""
    assert status_to_wire(None) == types_pb2.STATUS_UNSPECIFIED
    assert status_from_wire(types_pb2.STATUS_UNSPECIFIED) is None
    assert status_from_wire(status_to_wire(Status.TIMEOUT)) is Status.TIMEOUT
