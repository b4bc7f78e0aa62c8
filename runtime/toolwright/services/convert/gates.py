"""What gates found, and the limits that a tool was given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from toolwright.domain.gates import GateName, GateVerdict
from toolwright.domain.json_rules import JsonRefused, JsonRules
from toolwright.domain.limits import LimitsRequest
from toolwright.errors import InvalidInput
from toolwright.v1 import tools_pb2, types_pb2

_EVIDENCE: Final = JsonRules(max_bytes=256 * 1024)


def gate_name_from_wire(name: str) -> GateName:
    """Return the gate of that name.

    Raises:
        InvalidInput: there is none.
    """
    try:
        return GateName(name)
    except ValueError:
        raise InvalidInput("gate", f"{name[:80]!r} is not known", ", ".join(GateName)) from None


def verdict_to_wire(verdict: GateVerdict) -> tools_pb2.GateVerdict:
    """Return a gate's verdict as a message."""
    return tools_pb2.GateVerdict(
        gate=verdict.gate.value, passed=verdict.passed, evidence_json=json.dumps(dict(verdict.evidence))
    )


def verdict_from_wire(message: tools_pb2.GateVerdict) -> GateVerdict:
    """Return a gate's verdict.

    Raises:
        InvalidInput: the gate is not known, or its evidence is no JSON object of texts and numbers.
    """
    evidence = _object(message.evidence_json, "gate.evidence_json")
    known = {name: value for name, value in evidence.items() if isinstance(value, str | int | float)}
    return GateVerdict(gate_name_from_wire(message.gate), message.passed, known)


def policy_from_wire(policy_json: str) -> Mapping[str, int | float]:
    """Return what the gates asked for.

    Raises:
        InvalidInput: it is no JSON object of numbers.
    """
    policy = _object(policy_json, "verification.policy_json")
    return {name: value for name, value in policy.items() if isinstance(value, int | float)}


def own_limits_to_wire(limits: LimitsRequest | None) -> types_pb2.Limits | None:
    """Return a tool's own limits as a message; None where it has none."""
    if limits is None:
        return None
    return types_pb2.Limits(
        wall_time_s=limits.wall_time_s or 0,
        memory_bytes=limits.memory_bytes or 0,
        output_bytes=limits.output_bytes or 0,
        result_bytes=limits.result_bytes or 0,
    )


def own_limits_from_wire(message: types_pb2.Limits) -> LimitsRequest:
    """Return a tool's own limits."""
    return LimitsRequest(
        wall_time_s=message.wall_time_s or None,
        memory_bytes=message.memory_bytes or None,
        output_bytes=message.output_bytes or None,
        result_bytes=message.result_bytes or None,
    )


def _object(text: str, field: str) -> Mapping[str, object]:
    if not text:
        return {}
    try:
        value = _EVIDENCE.parse(text)
    except JsonRefused as fault:
        raise InvalidInput(field, str(fault)) from None
    if not isinstance(value, dict):
        raise InvalidInput(field, "is no JSON object")
    return value
