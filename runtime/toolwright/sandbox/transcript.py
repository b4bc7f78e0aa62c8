"""What one call sent, checked as it comes: started ▸ (stdout | stderr | result)* ▸ exited, else PROTOCOL."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

from toolwright.domain.json_rules import JsonRefused, JsonRules
from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Output
from toolwright.sandbox.frames import Frame, FrameType, FramingBroken

CONFINED = b"C"
"""Precedes the result: written by the process of the call once it was confined, before it read its payload."""
LOADED = b"L"
"""Follows it once the source is loaded. The tool can write it too, so it decides nothing that would help the tool."""
RESULT_HEADER = struct.Struct(">BI")
"""Kind and length of a result, written by the process of the call itself."""
MAX_FAILURE_BYTES = 1024 * 1024
"""A failure's text may always have this many bytes, however small results have to be."""
_LARGEST = 2**53
_LARGEST_STATUS = 0xFFFF
_Number = TypeVar("_Number", int, float)
_REPORT_RULES = JsonRules(max_bytes=4_096, max_depth=2, max_items=32, max_number_chars=32)


class ResultKind(Enum):
    """What the process of the call says its result is."""

    VALUE = 0
    RAISED = 1
    NOT_LOADED = 2
    NOT_JSON = 3


@dataclass(frozen=True, slots=True)
class Exit:
    """How the process of the call ended, as the agent saw it."""

    status: int
    """Wait status, as of wait(2)."""
    wall_ms: float
    cpu_ms: float
    peak_memory_bytes: int
    ooms: int
    """Processes in the container that the kernel killed for memory meanwhile."""
    flooded: bool
    cut_off: bool
    """Whether it was killed for us, or by the agent's own clock, before it ended."""
    clean: bool
    """Whether nothing of the call is left, by proof."""
    stdout_bytes: int
    stderr_bytes: int


@dataclass
class Transcript:
    """Collects the frames of one call."""

    call_id: int
    limits: Limits
    started: bool = False
    exit: Exit | None = None
    _stdout: bytearray = field(default_factory=bytearray)
    _stderr: bytearray = field(default_factory=bytearray)
    _result: bytearray = field(default_factory=bytearray)

    def add(self, frame: Frame) -> None:
        """Take one frame.

        Raises:
            FramingBroken: it has no place here.
        """
        if frame.call_id != self.call_id:
            raise FramingBroken("a frame of another call")
        if self.exit is not None:
            raise FramingBroken("a frame after the end")
        if (frame.kind is FrameType.STARTED) == self.started:
            raise FramingBroken(f"{frame.kind.name} out of order")
        match frame.kind:
            case FrameType.STARTED:
                self.started = True
            case FrameType.STDOUT:
                self._keep(self._stdout, frame, self.limits.output_bytes)
            case FrameType.STDERR:
                self._keep(self._stderr, frame, self.limits.output_bytes)
            case FrameType.RESULT:
                self._keep(self._result, frame, result_room(self.limits) + 64)  # 64: the agent's allowance for the head
            case FrameType.EXITED:
                self.exit = _read_exit(frame.body, len(self._stdout), len(self._stderr))
            case _:
                raise FramingBroken(f"{frame.kind.name} in a call")

    @property
    def stdout(self) -> Output:
        """What came of standard output."""
        return Output(bytes(self._stdout), self.exit.stdout_bytes if self.exit else len(self._stdout))

    @property
    def stderr(self) -> Output:
        """What came of standard error."""
        return Output(bytes(self._stderr), self.exit.stderr_bytes if self.exit else len(self._stderr))

    @property
    def confined(self) -> bool:
        """Whether the process got as far as reading its payload."""
        return self._result.startswith(CONFINED)

    @property
    def loaded(self) -> bool:
        """Whether the source is loaded, as far as is known."""
        return self._result.startswith(CONFINED + LOADED)

    @property
    def announced_result_bytes(self) -> int | None:
        """Length that the result's header gives; None before it is there."""
        if len(self._result) < self._body_at:
            return None
        return int(RESULT_HEADER.unpack_from(self._result, self._head_at)[1])

    @property
    def result_is_too_large(self) -> bool:
        """Whether the header announces more than there is room for: a value's limit, or that of a failure's text."""
        length = self.announced_result_bytes
        if length is None:
            return False
        is_value = self._result[self._head_at] == ResultKind.VALUE.value
        return length > (self.limits.result_bytes if is_value else MAX_FAILURE_BYTES)

    def result(self) -> tuple[ResultKind, bytes] | None:
        """Return kind and body of the result; None if there is none, or only a part.

        Raises:
            FramingBroken: there is more than one result, or no such kind.
        """
        length = self.announced_result_bytes
        if length is None or len(self._result) < self._body_at + length:
            return None
        if len(self._result) > self._body_at + length:
            raise FramingBroken("more than one result")
        number = self._result[self._head_at]
        try:
            kind = ResultKind(number)
        except ValueError:
            raise FramingBroken(f"result of kind {number}") from None
        return kind, bytes(self._result[self._body_at :])

    @property
    def _head_at(self) -> int:
        return len(CONFINED) + len(LOADED) * self.loaded

    @property
    def _body_at(self) -> int:
        return self._head_at + RESULT_HEADER.size

    @staticmethod
    def _keep(kept: bytearray, frame: Frame, cap: int) -> None:
        if len(kept) + len(frame.body) > cap:
            raise FramingBroken(f"{frame.kind.name} beyond its cap")
        kept += frame.body


def result_room(limits: Limits) -> int:
    """Return how many bytes a result's body may have before its kind is known: a value's, or a failure text's."""
    return max(limits.result_bytes, MAX_FAILURE_BYTES)


def _read_exit(body: bytes, stdout_kept: int, stderr_kept: int) -> Exit:
    try:
        report = _REPORT_RULES.parse(body)
        return Exit(
            status=_status(report),
            wall_ms=float(_number(report, "wall_ms", float)),
            cpu_ms=float(_number(report, "cpu_ms", float)),
            peak_memory_bytes=_number(report, "peak_memory_bytes", int),
            ooms=_number(report, "ooms", int),
            flooded=report["flooded"] is True,
            cut_off=report["cut_off"] is True,
            clean=report["clean"] is True,
            stdout_bytes=_number(report, "stdout_bytes", int, stdout_kept),
            stderr_bytes=_number(report, "stderr_bytes", int, stderr_kept),
        )
    except (JsonRefused, KeyError, TypeError, ValueError) as fault:
        raise FramingBroken(f"end report: {fault}") from None


def _status(report: dict[str, object]) -> int:
    status = _number(report, "status", int)
    # `os` raises on what is no int of C, and on processes that were stopped and have not ended.
    if status > _LARGEST_STATUS or not (os.WIFEXITED(status) or os.WIFSIGNALED(status)):
        raise ValueError(f"status is {status}, which no ended process has")
    return status


def _number(report: dict[str, object], name: str, kind: type[_Number], least: int = 0) -> _Number:
    value = report[name]
    if not isinstance(value, (int, kind)) or isinstance(value, bool) or not least <= value < _LARGEST:
        raise ValueError(f"{name} is {value!r}")
    return kind(value)
