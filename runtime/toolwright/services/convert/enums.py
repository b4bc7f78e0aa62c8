"""Enums of the domain ⇄ enums of the wire, by explicit tables; a test asserts that no member is left out."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, Generic, TypeVar

from toolwright.domain.call import Isolation, Operation
from toolwright.domain.job import JobState
from toolwright.domain.ledger import CostKey
from toolwright.domain.outcome import Status
from toolwright.domain.task import AnswerKind
from toolwright.domain.tool import ToolState
from toolwright.errors import InvalidInput
from toolwright.v1 import execution_pb2, ledger_pb2, makings_pb2, types_pb2

Ours = TypeVar("Ours", bound=Enum)
Wire = TypeVar("Wire", bound=int)


class EnumTable(Generic[Ours, Wire]):
    """One enum in both worlds."""

    def __init__(self, rows: Mapping[Ours, Wire]) -> None:
        self.rows: Final = dict(rows)
        self._back: Final[dict[int, Ours]] = {wire: ours for ours, wire in rows.items()}

    def to_wire(self, ours: Ours) -> Wire:
        """Return the wire's member for `ours`."""
        return self.rows[ours]

    def from_wire(self, wire: int, field: str) -> Ours:
        """Return our member for `wire`.

        Raises:
            InvalidInput: it is 0, or from a newer version of the protocol; names `field`.
        """
        try:
            return self._back[wire]
        except KeyError:
            raise InvalidInput(
                field, f"{wire} is not a known value", ", ".join(ours.name for ours in self.rows)
            ) from None


STATUS: Final = EnumTable(
    {
        Status.SUCCESS: types_pb2.STATUS_SUCCESS,
        Status.TOOL_ERROR: types_pb2.STATUS_TOOL_ERROR,
        Status.TIMEOUT: types_pb2.STATUS_TIMEOUT,
        Status.OUT_OF_MEMORY: types_pb2.STATUS_OUT_OF_MEMORY,
        Status.CRASHED: types_pb2.STATUS_CRASHED,
        Status.OUTPUT_LIMIT: types_pb2.STATUS_OUTPUT_LIMIT,
        Status.RESULT_INVALID: types_pb2.STATUS_RESULT_INVALID,
        Status.LOAD_ERROR: types_pb2.STATUS_LOAD_ERROR,
        Status.PROTOCOL: types_pb2.STATUS_PROTOCOL,
        Status.INFRASTRUCTURE: types_pb2.STATUS_INFRASTRUCTURE,
    }
)
ANSWER_KIND: Final = EnumTable(
    {
        AnswerKind.CHOICE: types_pb2.ANSWER_KIND_CHOICE,
        AnswerKind.NUMBER: types_pb2.ANSWER_KIND_NUMBER,
        AnswerKind.TEXT: types_pb2.ANSWER_KIND_TEXT,
    }
)
TOOL_STATE: Final = EnumTable(
    {
        ToolState.DRAFT: types_pb2.TOOL_STATE_DRAFT,
        ToolState.VERIFIED: types_pb2.TOOL_STATE_VERIFIED,
        ToolState.ACTIVE: types_pb2.TOOL_STATE_ACTIVE,
        ToolState.QUARANTINED: types_pb2.TOOL_STATE_QUARANTINED,
        ToolState.RETIRED: types_pb2.TOOL_STATE_RETIRED,
    }
)
MAKING_STATE: Final = EnumTable(
    {
        JobState.QUEUED: makings_pb2.MAKING_STATE_QUEUED,
        JobState.RUNNING: makings_pb2.MAKING_STATE_RUNNING,
        JobState.DONE: makings_pb2.MAKING_STATE_DONE,
        JobState.FAILED: makings_pb2.MAKING_STATE_FAILED,
        JobState.CANCELLED: makings_pb2.MAKING_STATE_CANCELLED,
    }
)
OPERATION: Final = EnumTable(
    {
        Operation.CALL: execution_pb2.OPERATION_CALL,
        Operation.DESCRIBE: execution_pb2.OPERATION_DESCRIBE,
    }
)
ISOLATION: Final = EnumTable(
    {
        Isolation.CALL: types_pb2.ISOLATION_CALL,
        Isolation.TOOL: types_pb2.ISOLATION_TOOL,
        Isolation.TENANT: types_pb2.ISOLATION_TENANT,
    }
)
COST_KEY: Final = EnumTable(
    {
        CostKey.ROLE: ledger_pb2.COST_KEY_ROLE,
        CostKey.MODEL: ledger_pb2.COST_KEY_MODEL,
        CostKey.TASK: ledger_pb2.COST_KEY_TASK,
        CostKey.TOOL: ledger_pb2.COST_KEY_TOOL,
        CostKey.TENANT: ledger_pb2.COST_KEY_TENANT,
        CostKey.PURPOSE: ledger_pb2.COST_KEY_PURPOSE,
    }
)


def isolation_to_wire(isolation: Isolation | None) -> types_pb2.Isolation.ValueType:
    """Return the wire's level; None (not said) is UNSPECIFIED."""
    return types_pb2.ISOLATION_UNSPECIFIED if isolation is None else ISOLATION.to_wire(isolation)


def isolation_from_wire(isolation: int, field: str = "isolation") -> Isolation | None:
    """Return our level; UNSPECIFIED is None (not said).

    Raises:
        InvalidInput: the value is not known.
    """
    return None if isolation == types_pb2.ISOLATION_UNSPECIFIED else ISOLATION.from_wire(isolation, field)


def status_to_wire(status: Status | None) -> types_pb2.Status.ValueType:
    """Return the wire's status; None (nothing ran) is UNSPECIFIED."""
    return types_pb2.STATUS_UNSPECIFIED if status is None else STATUS.to_wire(status)


def status_from_wire(status: int, field: str = "status") -> Status | None:
    """Return our status; UNSPECIFIED is None (nothing ran).

    Raises:
        InvalidInput: the value is not known.
    """
    return None if status == types_pb2.STATUS_UNSPECIFIED else STATUS.from_wire(status, field)
