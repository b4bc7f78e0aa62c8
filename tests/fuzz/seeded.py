"""Targets with a fault that was put in on purpose: a fuzzer that does not find these finds nothing."""

from __future__ import annotations

import json
from typing import Any

from tests.fuzz import agent_frames, json_oracle, requests, streams
from toolwright.domain.call import ExecutionRequest
from toolwright.domain.json_rules import JsonRefused, JsonRules
from toolwright.domain.outcome import Execution
from toolwright.sandbox.frames import FrameDecoder, FrameType
from toolwright.services.calls import CallScope
from toolwright.services.testing import ScriptedExecutor, sample_execution
from toolwright_agent import frames


class _TrustingDecoder(FrameDecoder):
    """Believes that every type has a name."""

    def _header(self) -> tuple[FrameType, int, int]:
        if self._buffer.startswith(b"TWFR\x01"):
            FrameType(self._buffer[5])
        return super()._header()


def stream(data: bytes) -> None:
    """A decoder that raises ValueError on a type of frame that nobody knows."""
    streams.check(data, _TrustingDecoder)


class _HastyReader(frames.FrameReader):
    """Gives out a frame whose last byte is still to come."""

    def feed(self, data: bytes) -> list[tuple[frames.FrameType, int, bytes]]:
        read = super().feed(data)
        return read or super().feed(b"\0" if data else b"")


def agent_stream(data: bytes) -> None:
    """A reader that does not wait for the end of a frame."""
    agent_frames.check(data, _HastyReader)


class _ForgivingRules(JsonRules):
    """Lets control characters pass."""

    def parse(self, text: str | bytes) -> Any:
        try:
            return super().parse(text)
        except JsonRefused as refused:
            if "control character" in str(refused):
                return json.loads(text, strict=False)
            raise


def json_text(data: bytes) -> None:
    """Rules that let a string hold a line end as it is."""
    json_oracle.check(data[1:], _ForgivingRules(max_bytes=4_096))


def _trusts(request: ExecutionRequest, _: CallScope) -> Execution:
    return sample_execution(result_json=str(json.loads(request.arguments_json)["a"]))


_TRUSTING = requests.handlers(ScriptedExecutor(_trusts))


def request(data: bytes) -> None:
    """A server that takes arguments for what its callers say that they are: INTERNAL."""
    requests.check(data, _TRUSTING)
