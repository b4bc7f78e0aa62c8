"""Target: all that reads a container. Docker's stream, frames, transcript, verdict, JSON, and the reply made of them.

The first four bytes steer: two say where the stream is cut; one how it is built (see `Plan`) and why we ended the call,
if we did; one how small its limits are. The rest is the stream, or what its frames carry.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Execution, Outcome, Provenance, Status, Timing
from toolwright.sandbox.frames import MAX_BODY, FrameDecoder, FrameType, FramingBroken, MuxDecoder, pack
from toolwright.sandbox.transcript import CONFINED, RESULT_HEADER, Transcript
from toolwright.sandbox.verdict import Stop, broken, judge
from toolwright.services.convert.execution import execution_to_wire

Target = Callable[[bytes], None]
"""What is fuzzed: raises AssertionError where something is not as it has to be."""

CALL_ID: Final = 77
_STEER: Final = struct.Struct(">HBB")
_FRAMED, _UNMUXED, _ENDED = 1, 2, 4
_STOPS: Final = (*[None] * 8, *Stop)
_LIMITS: Final = (Limits(), Limits(output_bytes=50, result_bytes=50))
_MARKS: Final = (CONFINED, CONFINED + b"L", CONFINED + b"L", b"")
"""What the process of a call writes before its result, as far as it gets."""
_TEXT_CAPS: Final = {"type": 200, "message": 8_192, "traceback": 65_536}
REPORT: Final = json.dumps(
    {
        **dict.fromkeys(("status", "wall_ms", "cpu_ms", "peak_memory_bytes", "ooms", "stderr_bytes"), 0),
        "stdout_bytes": 2**30,
        "flooded": False,
        "cut_off": False,
        "clean": True,
    }
).encode()
"""A good end."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the bytes of an input stand for."""

    stream: bytes
    cut: int
    muxed: bool
    stop: Stop | None
    limits: Limits

    @classmethod
    def read(cls, data: bytes) -> Plan:
        """Read an input.

        Bits of its third byte: frames of the right lengths are made of what follows, so that it gets past the
        decoder (1); Docker's headers are left out (2); a good beginning and end are put around it (4); the rest
        chooses why the call was ended.
        """
        cut, how, small = _STEER.unpack_from(data)
        muxed, stream = not how & _UNMUXED, data[_STEER.size :]
        if how & _FRAMED:
            stream = _framed(stream, ended=bool(how & _ENDED))
            if muxed:
                stream = struct.pack(">BxxxI", 1, len(stream)) + stream
        return cls(stream, cut, muxed, _STOPS[(how >> 3) % len(_STOPS)], _LIMITS[small % len(_LIMITS)])


def _framed(data: bytes, *, ended: bool) -> bytes:
    """Make frames: a byte for the type, one for the length, that many for the body; of no type: a result."""
    kinds = sorted(MAX_BODY)
    frames = [pack(FrameType.STARTED, CALL_ID)] if ended else []
    at = 0
    while at + 2 <= len(data):
        number, length = data[at], data[at + 1]
        body = data[at + 2 : at + 2 + length]
        if number < len(kinds):
            frames.append(pack(kinds[number], CALL_ID, body))
        else:
            head = _MARKS[number % len(_MARKS)] + RESULT_HEADER.pack(number % 5, len(body))
            frames.append(pack(FrameType.RESULT, CALL_ID, head, body))
        at += 2 + length
    if ended:
        frames.append(pack(FrameType.EXITED, CALL_ID, REPORT))
    return b"".join(frames)


def check(data: bytes, decoder: type[FrameDecoder] = FrameDecoder) -> None:
    """Read a stream to its verdict, whole and cut: the same one, within all caps, and fit for a reply.

    Raises:
        AssertionError: it is not; or anything but `FramingBroken` came out.
    """
    if len(data) < _STEER.size:
        return
    plan = Plan.read(data)
    whole = _outcome(plan, [plan.stream], decoder)
    cut = _outcome(plan, [plan.stream[: plan.cut], plan.stream[plan.cut :]], decoder)
    assert whole == cut, f"{plan.stream!r} is {whole}, but cut at {plan.cut} it is {cut}"
    if whole is not None:
        _check_outcome(whole, plan)


def _outcome(plan: Plan, pieces: list[bytes], make_decoder: type[FrameDecoder]) -> Outcome | None:
    """Return the verdict; None where the framing is broken."""
    mux, decoder, transcript = MuxDecoder(), make_decoder(), Transcript(CALL_ID, plan.limits)
    try:
        for piece in pieces:
            for frame in decoder.feed(mux.feed(piece) if plan.muxed else piece):
                assert len(frame.body) <= MAX_BODY[frame.kind]
                transcript.add(frame)
        outcome = judge(transcript, plan.limits, plan.stop)
    except FramingBroken as fault:
        # What was heard before is still told.
        _check_outcome(broken(transcript, fault), plan)
        return None
    return outcome if decoder.empty else None


def _check_outcome(outcome: Outcome, plan: Plan) -> None:
    limits = plan.limits
    assert len(outcome.stdout.kept) <= limits.output_bytes >= len(outcome.stderr.kept)
    if outcome.status is Status.SUCCESS:
        assert plan.stop is not Stop.RESULT_TOO_LARGE
        assert outcome.result_json is not None
        assert len(outcome.result_json.encode()) <= limits.result_bytes
        json.loads(outcome.result_json, parse_constant=_no_such_number)
    else:
        assert outcome.failure is not None
        assert all(len(getattr(outcome.failure, name)) <= cap for name, cap in _TEXT_CAPS.items())
    provenance = Provenance("sha256:0", "sha256:0", "runc", "c", "")
    execution_to_wire(Execution("e", outcome, limits, Timing(), provenance)).SerializeToString()


def _no_such_number(name: str) -> None:
    raise AssertionError(f"a result holds {name}")
