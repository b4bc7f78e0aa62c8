"""The frames of one call have one order, one id, one result and bounded sizes; all else breaks the framing."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolwright.domain.limits import Limits
from toolwright.sandbox.frames import Frame, FrameType, FramingBroken
from toolwright.sandbox.transcript import CONFINED, MAX_FAILURE_BYTES, RESULT_HEADER, ResultKind, Transcript

pytestmark = pytest.mark.unit

CALL_ID = 77
S, O, E, R, X = FrameType.STARTED, FrameType.STDOUT, FrameType.STDERR, FrameType.RESULT, FrameType.EXITED  # noqa: E741 - short, so that the orders below can be read
MakeReport = Callable[..., bytes]


@pytest.fixture
def fresh() -> Transcript:
    """A transcript that has heard nothing yet."""
    return Transcript(CALL_ID, Limits(output_bytes=1_000, result_bytes=2_000))


@pytest.fixture
def hear(make_report: MakeReport) -> Callable[..., None]:
    """Add one frame of a kind, with a body that is right for it."""

    def add(transcript: Transcript, kind: FrameType, body: bytes | None = None, call_id: int = CALL_ID) -> None:
        bodies = {S: b"", X: make_report(stdout_bytes=4, stderr_bytes=4), FrameType.HELLO: b"{}"}
        transcript.add(Frame(kind, call_id, bodies.get(kind, b"x") if body is None else body))

    return add


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_every_order_of_frames_is_right_or_refused(hear: Callable[..., None], length: int) -> None:
    """Of all sequences, exactly those of started ▸ output* ▸ exited pass."""

    def accepted(order: tuple[FrameType, ...]) -> bool:
        transcript = Transcript(CALL_ID, Limits())
        try:
            for kind in order:
                hear(transcript, kind)
        except FramingBroken:
            return False
        assert (transcript.exit is not None) == (order[-1] is X)
        return True

    for order in itertools.product([S, O, E, R, X, FrameType.HELLO], repeat=length):
        right = order[0] is S and all(kind in {O, E, R} for kind in order[1:-1])
        right = right and (length == 1 or order[-1] in {O, E, R, X})
        assert accepted(order) == right, order


@pytest.mark.parametrize("kind", [S, O, E, R, X])
def test_a_frame_of_another_call_is_refused(fresh: Transcript, hear: Callable[..., None], kind: FrameType) -> None:
    """A late word of an earlier call, or a guess at an id, never enters this call."""
    if kind is not S:
        hear(fresh, S)
    with pytest.raises(FramingBroken, match="another call"):
        hear(fresh, kind, call_id=CALL_ID + 1)


@pytest.mark.parametrize(("kind", "cap"), [(O, 1_000), (E, 1_000), (R, MAX_FAILURE_BYTES + 64)])
def test_streams_end_at_their_caps(fresh: Transcript, hear: Callable[..., None], kind: FrameType, cap: int) -> None:
    """The agent cuts; one that does not is broken, whatever the pieces."""
    hear(fresh, S)
    left = cap
    while left:
        hear(fresh, kind, bytes(min(left, 999)))
        left -= min(left, 999)
    with pytest.raises(FramingBroken, match="beyond its cap"):
        hear(fresh, kind, b"x")


def test_a_result_larger_than_a_failure_text_has_its_own_cap(hear: Callable[..., None]) -> None:
    """The cap on results follows the call's limit once that is above the room that any failure has."""
    limits = Limits(result_bytes=MAX_FAILURE_BYTES + 1_000)
    transcript = Transcript(CALL_ID, limits)
    hear(transcript, S)
    hear(transcript, R, bytes(limits.result_bytes + 64))
    with pytest.raises(FramingBroken):
        hear(transcript, R, b"x")


def test_result_is_there_only_when_whole(fresh: Transcript, hear: Callable[..., None]) -> None:
    """Half a result is none; its announced length is known from its header on."""
    data = CONFINED + RESULT_HEADER.pack(ResultKind.RAISED.value, 3) + b"abc"
    hear(fresh, S)
    assert not fresh.confined
    for index in range(len(data)):
        assert fresh.result() is None
        assert fresh.announced_result_bytes == (3 if index >= 6 else None)
        hear(fresh, R, data[index : index + 1])
        assert fresh.confined

    assert fresh.result() == (ResultKind.RAISED, b"abc")


def test_an_empty_result_body_is_whole(fresh: Transcript, hear: Callable[..., None]) -> None:
    """A length of zero waits for nothing."""
    hear(fresh, S)
    hear(fresh, R, CONFINED + RESULT_HEADER.pack(0, 0))

    assert fresh.result() == (ResultKind.VALUE, b"")


def test_two_results_are_none(fresh: Transcript, hear: Callable[..., None]) -> None:
    """Bytes after the first result break the framing: neither is believed."""
    hear(fresh, S)
    hear(fresh, R, CONFINED + 2 * (RESULT_HEADER.pack(0, 1) + b"1"))
    with pytest.raises(FramingBroken, match="more than one"):
        fresh.result()


@pytest.mark.parametrize("kind", [4, 17, 255])
def test_a_result_of_no_known_kind_is_refused(fresh: Transcript, hear: Callable[..., None], kind: int) -> None:
    """What the result is has to be one of four things."""
    hear(fresh, S)
    hear(fresh, R, CONFINED + RESULT_HEADER.pack(kind, 0))
    with pytest.raises(FramingBroken, match=f"kind {kind}"):
        fresh.result()


BAD_REPORTS: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"\x80\x04K\x01.",
    "a list": b"[]",
    "a string": b'"clean"',
    "a number": b"0",
    "null": b"null",
    "an empty object": b"{}",
    "duplicate keys": b'{"status": 0, "status": 0}',
    "too deep": b"[" * 99 + b"]" * 99,
    "lone surrogate": b'{"status": "\\ud800"}',
    "beyond 4,096 bytes": b" " * 5_000 + b"{}",
}


@pytest.mark.parametrize("name", BAD_REPORTS)
def test_an_unreadable_end_report_is_refused(fresh: Transcript, hear: Callable[..., None], name: str) -> None:
    """The agent's words are hostile, too: its report is strict JSON or the framing is broken."""
    hear(fresh, S)
    with pytest.raises(FramingBroken, match="end report"):
        hear(fresh, X, BAD_REPORTS[name])
    assert fresh.exit is None


BAD_NUMBERS: list[Any] = ["0", [], True, -1, 2**53]
BAD_FIELDS: list[tuple[str, Any]] = [
    *[(name, None) for name in ("status", "wall_ms", "cpu_ms", "ooms", "flooded", "cut_off", "clean", "stdout_bytes")],
    *[(name, value) for name in ("status", "peak_memory_bytes", "wall_ms") for value in BAD_NUMBERS],
    ("status", 1.5),
    ("status", 2**31),  # beyond C's int: os.WIFSIGNALED raises
    ("status", 0x1_0000),
    ("status", 0x137F),  # stopped, not ended
    ("status", 0xFFFF),  # continued
    ("stdout_bytes", 1.0),
]


@pytest.mark.parametrize(("field", "value"), BAD_FIELDS)
def test_an_end_report_with_a_bad_field_is_refused(
    fresh: Transcript, hear: Callable[..., None], make_report: MakeReport, field: str, value: object
) -> None:
    """Every number has its type and range; a wait status is one of a process that has ended."""
    hear(fresh, S)
    with pytest.raises(FramingBroken, match="end report"):
        hear(fresh, X, make_report(**{field: value}))


@pytest.mark.parametrize("value", [1, "yes", [True], 0])
def test_only_true_is_clean(
    fresh: Transcript, hear: Callable[..., None], make_report: MakeReport, value: object
) -> None:
    """Anything but `true` is no proof that nothing is left."""
    hear(fresh, S)
    hear(fresh, X, make_report(clean=value))

    assert fresh.exit is not None
    assert not fresh.exit.clean


@pytest.mark.parametrize(("kind", "field"), [(O, "stdout_bytes"), (E, "stderr_bytes")])
def test_a_count_below_what_came_is_refused(
    fresh: Transcript, hear: Callable[..., None], make_report: MakeReport, kind: FrameType, field: str
) -> None:
    """A report cannot say that less was written than was seen."""
    hear(fresh, S)
    hear(fresh, kind, b"12345")
    with pytest.raises(FramingBroken, match="end report"):
        hear(fresh, X, make_report(**{field: 4}))


def test_output_counts_what_was_dropped(fresh: Transcript, hear: Callable[..., None], make_report: MakeReport) -> None:
    """Kept bytes and the true count stand side by side."""
    hear(fresh, S)
    hear(fresh, O, b"abc")
    assert (fresh.stdout.kept, fresh.stdout.truncated) == (b"abc", False)
    hear(fresh, X, make_report(stdout_bytes=10, stderr_bytes=3))

    assert (fresh.stdout.kept, fresh.stdout.total_bytes, fresh.stdout.truncated) == (b"abc", 10, True)
    assert (fresh.stderr.kept, fresh.stderr.truncated) == (b"", True)


numbers = st.integers() | st.floats() | st.booleans() | st.none() | st.text(max_size=5)


@pytest.mark.case("PR-42")
@given(st.dictionaries(st.sampled_from(["status", "wall_ms", "cpu_ms", "ooms", "clean", "stdout_bytes"]), numbers))
def test_no_report_raises_anything_else(fields: dict[str, Any]) -> None:
    """PR-42: a report is an `Exit` or `FramingBroken`, and an `Exit`'s status can be read by `os`."""
    report = {"peak_memory_bytes": 0, "flooded": False, "cut_off": False, "stderr_bytes": 0, **fields}
    transcript = Transcript(CALL_ID, Limits())
    transcript.add(Frame(S, CALL_ID, b""))
    try:
        transcript.add(Frame(X, CALL_ID, json.dumps(report).encode()))
    except FramingBroken:
        return
    assert transcript.exit is not None
    assert 0 <= transcript.exit.status <= 0xFFFF
