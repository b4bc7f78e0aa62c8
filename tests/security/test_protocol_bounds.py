"""PR, without an engine: what the controller accepts of the bytes that come out of a sandbox."""

from __future__ import annotations

import bz2
import gzip
import json
import logging
import lzma
import marshal
import pickle
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import pytest

from tests.unit.sandbox.fake_agent import Rig, make_rig
from toolwright.domain.call import ExecutionRequest
from toolwright.domain.limits import MIB, Limits
from toolwright.domain.outcome import Failure, Outcome, Status
from toolwright.domain.source import ToolSource
from toolwright.execution.record import Record, begun
from toolwright.registry.open import open_store
from toolwright.sandbox.base import SandboxInfo
from toolwright.sandbox.container import KILL_GRACE_S
from toolwright.sandbox.frames import (
    HEADER,
    MAGIC,
    MAX_BODY,
    PROTOCOL_VERSION,
    Frame,
    FrameDecoder,
    FrameType,
    FramingBroken,
    pack,
)
from toolwright.sandbox.transcript import CONFINED, RESULT_HEADER, Transcript
from toolwright.sandbox.verdict import judge
from toolwright.services.convert.execution import execution_from_wire, execution_to_wire
from toolwright.services.log import service_log
from toolwright.services.testing import sample_execution as sample_reply
from toolwright.v1 import execution_pb2

pytestmark = [pytest.mark.security, pytest.mark.threat("T-LIE-03")]

_CALL: Final = 7
_CAP: Final = MAX_BODY[FrameType.STDOUT]


def _header(length: int) -> bytes:
    return HEADER.pack(MAGIC, PROTOCOL_VERSION, FrameType.STDOUT, 0, _CALL, length)


@pytest.mark.case("PR-08")
@pytest.mark.parametrize("length", [_CAP + 1, 2**31, 2**32 - 1, "2**63", "-1"])
def test_pr_08_frame_length_is_refused_by_its_header(length: int | str) -> None:
    """PR-08: a frame longer than its kind may be is refused before a byte of it is waited for or kept."""
    # The length has four bytes. A wider or signed one is read as what its first four say.
    wide = {"2**63": struct.pack(">Q", 2**63), "-1": struct.pack(">q", -1)}
    raw = _header(length) if isinstance(length, int) else _header(0)[:-4] + wide[length]
    decoder = FrameDecoder()

    tracemalloc.start()
    try:
        with pytest.raises(FramingBroken, match="more than 65536"):
            decoder.feed(raw)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 16 * 1024


@pytest.mark.case("PR-08")
@pytest.mark.parametrize("length", [0, 1, _CAP])
def test_pr_08_frame_length_within_its_cap_is_taken(length: int) -> None:
    """PR-08, control: the same header with a length up to the cap is a frame."""
    frames = FrameDecoder().feed(_header(length) + b"x" * length)

    assert frames == [Frame(FrameType.STDOUT, _CALL, b"x" * length)]


@pytest.mark.case("PR-08")
@pytest.mark.parametrize("length", [4 * MIB + 1, 2**31, 2**32 - 1])
def test_pr_08_result_length_is_refused_by_its_header(length: int) -> None:
    """PR-08: so is a result, by the length that it announces; what it sends beyond its cap is PROTOCOL."""
    transcript = _transcript(CONFINED + RESULT_HEADER.pack(0, length))

    assert transcript.announced_result_bytes == length
    assert _ended(transcript).status is Status.RESULT_INVALID
    for _ in range(Limits().result_bytes // _CAP):
        transcript.add(Frame(FrameType.RESULT, _CALL, b"x" * (_CAP - 1)))
    with pytest.raises(FramingBroken, match="RESULT beyond its cap"):
        transcript.add(Frame(FrameType.RESULT, _CALL, b"x" * _CAP))


_EXIT: Final = {
    **dict.fromkeys(("status", "wall_ms", "cpu_ms", "peak_memory_bytes", "ooms", "stdout_bytes", "stderr_bytes"), 0),
    "flooded": False,
    "cut_off": False,
    "clean": True,
}


def _transcript(raw: bytes) -> Transcript:
    transcript = Transcript(_CALL, Limits())
    transcript.add(Frame(FrameType.STARTED, _CALL, b""))
    for at in range(0, len(raw), _CAP):
        transcript.add(Frame(FrameType.RESULT, _CALL, raw[at : at + _CAP]))
    return transcript


def _ended(transcript: Transcript, **report: int) -> Outcome:
    transcript.exit = None
    transcript.add(Frame(FrameType.EXITED, _CALL, json.dumps(_EXIT | report).encode()))
    outcome = judge(transcript, Limits(), None)
    transcript.exit = None
    return outcome


def _judged(body: str | bytes) -> Outcome:
    """Return the verdict on a process that ended well and said that its result is `body`."""
    raw = body.encode() if isinstance(body, str) else body
    return _ended(_transcript(CONFINED + RESULT_HEADER.pack(0, len(raw)) + raw))


@pytest.mark.case("PR-12")
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", '{"a":[1,NaN]}', "[1e400]"])
def test_pr_12_numbers_that_json_does_not_have(number: str) -> None:
    """PR-12: what is not finite is no result."""
    assert _judged(number).status is Status.RESULT_INVALID


@pytest.mark.case("PR-12")
@pytest.mark.parametrize("number", ["-0.0", "1e-999", "1e308", "0"])
def test_pr_12_finite_numbers_are_kept_as_written(number: str) -> None:
    """PR-12, control: what is finite is a result, and its text stays as it came: minus zero and the tiny too."""
    assert _judged(number).result_json == number


_MONSTERS: Final = {
    "100,000 deep": "[" * 100_000 + "]" * 100_000,
    "100,000 deep and open": "[" * 100_000,
    "100,000 deep in objects": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "1,000,000 keys": "{" + ",".join(f'"{number}":0' for number in range(300_000)) + "}",
    "10,000,000 items": "[" + "0," * 2_000_000 + "0]",
    "deep and wide": "[" * 60 + ",".join("[]" for _ in range(100_001)) + "]" * 60,
    "10,000 digits": "1" * 10_000,
}


@pytest.mark.case("PR-14")
@pytest.mark.parametrize("name", _MONSTERS)
def test_pr_14_monstrous_results(name: str) -> None:
    """PR-14: depth, keys and items are counted before anything is parsed; the parser never meets them.

    As many as fit into a result: a million keys, ten million items and a key of 10 MiB have more bytes than
    one may have (see the next test).
    """
    assert _judged(_MONSTERS[name]).status is Status.RESULT_INVALID


@pytest.mark.case("PR-14")
def test_pr_14_more_bytes_than_a_result_may_have() -> None:
    """PR-14: a key of 10 MiB is refused by the length that its header announces, as ten million items are."""
    for size in (10 * MIB, 20_000_001):
        transcript = _transcript(CONFINED + RESULT_HEADER.pack(0, size))
        assert _ended(transcript).status is Status.RESULT_INVALID


@pytest.mark.case("PR-14")
def test_pr_14_large_results_within_the_rules() -> None:
    """PR-14, control: 64 levels, 50,000 keys and a key of one MiB are results."""
    for value in ("[" * 64 + "]" * 64, json.dumps({str(n): 0 for n in range(50_000)}), json.dumps({"k" * MIB: 1})):
        assert _judged(value).result_json == value


_NO_UTF_8: Final = {
    "a byte that is none of it": b'"\xff"',
    "cut short": b'"\xf0\x9f\x98"',
    "overlong": b'"\xc0\xaf"',
    "overlong NUL": b'"\xc0\x80"',
    "a surrogate": b'"\xed\xa0\x80"',
    "beyond Unicode": b'"\xf4\x90\x80\x80"',
    "a byte order mark": b"\xef\xbb\xbf1",
    "UTF-16 with its mark": '{"a": 1}'.encode("utf-16"),
    "UTF-16, little end first": '"a"'.encode("utf-16-le"),
    "UTF-16, big end first": "[1]".encode("utf-16-be"),
    "UTF-32": "[1]".encode("utf-32-le"),
    "Latin-1": '"\xfc"'.encode("latin-1"),
}


@pytest.mark.case("PR-10")
@pytest.mark.parametrize("name", _NO_UTF_8)
def test_pr_10_results_that_are_no_utf_8(name: str) -> None:
    """PR-10: what is not strict UTF-8 without a mark is RESULT_INVALID; no other encoding is guessed."""
    assert _judged(_NO_UTF_8[name]).status is Status.RESULT_INVALID


@pytest.mark.case("PR-10")
def test_pr_10_control() -> None:
    """PR-10, control: the same values in UTF-8 are results, and the parser alone would have guessed encodings."""
    for text in ('"\xfc"', "[1]", '{"a": 1}', '"\U0001f600"', '"\ufeff"', '"\x7f\u2028"'):
        assert _judged(text).result_json == text
    assert [json.loads(_NO_UTF_8[name]) for name in ("UTF-16 with its mark", "UTF-32")] == [{"a": 1}, [1]]


_LONE: Final = ('"\\ud800"', '["\\udfff"]', '{"\\ud800": 1}', '"\\udc00\\ud800"', '{"a":{"b":"x\\uDBFFy"}}')


@pytest.mark.case("PR-11")
@pytest.mark.parametrize("text", _LONE)
def test_pr_11_lone_surrogates_in_results(tmp_path: Path, text: str) -> None:
    """PR-11: an escape that leaves a lone surrogate is refused, in values and in keys; a pair is its character."""
    outcome = _judged(text)

    assert outcome.status is Status.RESULT_INVALID
    _kept_and_sent(outcome, tmp_path)
    assert _judged('{"\\ud83d\\ude00": "\\ud83d\\ude00"}').result_json == '{"\\ud83d\\ude00": "\\ud83d\\ude00"}'


@pytest.mark.case("PR-11")
def test_pr_11_lone_surrogates_in_errors_and_output(tmp_path: Path) -> None:
    """PR-11: an error that holds one is replaced by a text of ours, and bytes of output stay the bytes they were."""
    report = b'{"type": "E", "message": "\\ud800", "traceback": "\\udfff"}'
    transcript = _transcript(CONFINED + RESULT_HEADER.pack(1, len(report)) + report)
    transcript.add(Frame(FrameType.STDOUT, _CALL, b"\xed\xa0\x80"))

    outcome = _ended(transcript, stdout_bytes=3)

    assert outcome.status is Status.TOOL_ERROR
    assert outcome.failure is not None
    assert outcome.failure.message == "the tool sent no readable error"
    assert outcome.stdout.kept == b"\xed\xa0\x80"
    _kept_and_sent(outcome, tmp_path)


@pytest.mark.case("PR-11")
def test_pr_11_one_that_got_through_harms_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """PR-11: were one in a text all the same, the reply, the record and the log would still be made, without it."""
    _kept_and_sent(Outcome(Status.TOOL_ERROR, failure=Failure("E\ud800", "\udfff", "\ud83d\ude00\ud800")), tmp_path)

    with caplog.at_level(logging.WARNING):
        service_log("tests").warning("an event", text="\ud800", **{"\udfff": 1})
    assert json.loads(caplog.messages[0])["event"] == "an event"
    caplog.messages[0].encode()


def _kept_and_sent(outcome: Outcome, place: Path) -> None:
    """Put the end of a call on record, and into a reply that a client reads."""
    store = open_store(place / "registry.db")
    record = Record(store, begun(ExecutionRequest(ToolSource("def f(): ...", "f")), "", "sha256:0", ""))
    try:
        record.begin(SandboxInfo("c", "sha256:0", "runc"))
        record.end(outcome)
        assert store.count_executions() == 1
    finally:
        store.close()
    sent = execution_to_wire(sample_reply(**_fields(outcome))).SerializeToString()
    read = execution_from_wire(execution_pb2.ExecuteToolResponse.FromString(sent))
    assert read.outcome.status is outcome.status


def _fields(outcome: Outcome) -> dict[str, Any]:
    return {field.name: getattr(outcome, field.name) for field in fields(outcome)}


_EXACT: Final = [2**53 + 1, -(2**53) - 1, 2**63, 2**64, 10**399, -(10**400) + 1]


@pytest.mark.case("PR-13")
@pytest.mark.parametrize("number", _EXACT, ids=lambda number: f"{len(str(number))} characters")
def test_pr_13_integers_stay_exact(number: int) -> None:
    """PR-13: an integer of up to 400 digits comes to the client to the last digit."""
    outcome = _judged(f"[{number}]")

    assert outcome.result_json == f"[{number}]"
    sent = execution_to_wire(sample_reply(**_fields(outcome))).SerializeToString()
    assert execution_from_wire(execution_pb2.ExecuteToolResponse.FromString(sent)).result == [number]


@pytest.mark.case("PR-13")
@pytest.mark.parametrize("digits", [401, 4_301, 5_000, 100_000, 4 * MIB])
def test_pr_13_longer_ones_are_refused_unread(digits: int) -> None:
    """PR-13: one digit more is RESULT_INVALID by our rule, not by Python's, and takes no more than linear time."""
    begun_at = time.process_time()

    outcome = _judged("9" * digits)

    assert outcome.status is Status.RESULT_INVALID
    assert outcome.failure is not None
    assert outcome.failure.message == "the result holds a number of more than 400 characters"
    assert time.process_time() - begun_at < 2.0  # the product of 4 MiB of digits takes minutes


_KEYS: Final = {
    "twice": '{"a":1,"b":2,"a":1}',
    "twice, escaped once": '{"a":1,"\\u0061":2}',
    "twice, deep inside": '[[{"x":{"k":1,"k":1}}]]',
    "twice, empty": '{"":1,"":2}',
    "a number": "{1:2}",
    "a boolean": "{true:1}",
    "null": "{null:1}",
    "an array": "{[]:1}",
    "bare": "{a:1}",
}
_PLAIN: Final = (
    '{"e\\u0301":1,"\\u00e9":2}',  # equal once normalised
    '{"\u212b":1,"\u00c5":2,"A\u030a":3}',
    '{"a":1,"A":2," a":3,"a\\u0000":4,"\u0430":5}',
    '{"1":1,"1.0":2,"01":3}',
    '{"__proto__":{"x":1},"constructor":{},"$ref":"file:///etc/passwd","@type":"x","__class__":"y"}',
)


@pytest.mark.case("PR-15")
@pytest.mark.parametrize("name", _KEYS)
def test_pr_15_keys_that_are_none(name: str) -> None:
    """PR-15: an object with a key twice, however it is spelt, or with one that is no string, is RESULT_INVALID."""
    assert _judged(_KEYS[name]).status is Status.RESULT_INVALID


@pytest.mark.case("PR-15")
@pytest.mark.parametrize("text", _PLAIN)
def test_pr_15_keys_that_only_look_odd(text: str) -> None:
    """PR-15, control: keys that look alike are different ones, and names that act elsewhere are names."""
    outcome = _judged(text)

    assert outcome.result_json == text
    sent = execution_to_wire(sample_reply(**_fields(outcome))).SerializeToString()
    assert execution_from_wire(execution_pb2.ExecuteToolResponse.FromString(sent)).result == json.loads(text)


_OTHER_FORMATS: Final = {
    "pickle of protocol 0": pickle.dumps({"a": 1}, 0),
    "pickle of protocol 5": pickle.dumps({"a": 1}, 5),
    "marshal": marshal.dumps({"a": 1}),
    "a YAML tag": b"!!python/object/apply:os.getpid []",
    "YAML": b"a: 1",
    "a msgpack extension": b"\xc7\x05\x01hello",
    "msgpack": b"\x81\xa1a\x01",
    "gzip": gzip.compress(b'{"a": 1}'),
    "zlib": zlib.compress(b'{"a": 1}'),
    "protobuf": b"\x0a\x03add",
    "XML": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "Python": b"__import__('os').getpid()",
    "JSON Lines": b"1\n2\n",
    "base64": b"eyJhIjogMX0=",
}


@pytest.mark.case("PR-34")
@pytest.mark.parametrize("name", _OTHER_FORMATS)
def test_pr_34_other_formats_as_a_result(name: str) -> None:
    """PR-34: a result that is no JSON is RESULT_INVALID; nothing is unpickled, unpacked, evaluated or looked up."""
    assert _judged(_OTHER_FORMATS[name]).status is Status.RESULT_INVALID


@pytest.mark.case("PR-39")
@pytest.mark.parametrize("pack_up", [gzip.compress, zlib.compress, bz2.compress, lzma.compress])
def test_pr_39_a_compressed_frame(pack_up: Callable[[bytes], bytes]) -> None:
    """PR-39: what expands 500-fold and more is no frame of ours: refused by its first bytes, and never unpacked."""
    frames = pack_up(pack(FrameType.RESULT, _CALL, bytes(_CAP)) * 500)
    assert len(frames) * 500 < 500 * _CAP
    decoder = FrameDecoder()

    tracemalloc.start()
    try:
        with pytest.raises(FramingBroken, match="no frame header"):
            decoder.feed(frames)
        body = _judged(frames)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert body.status is Status.RESULT_INVALID
    assert peak < MIB


@pytest.fixture
def rig() -> Iterator[Rig]:
    """A sandbox whose agent the test plays, over a socket."""
    made = make_rig(json.dumps(_EXIT).encode())
    yield made
    made.sandbox.destroy()
    made.agent.peer.close()


def _mux(data: bytes, stream: int = 1) -> bytes:
    return struct.pack(">BxxxI", stream, len(data)) + data


def _start(call_id: int) -> bytes:
    return pack(FrameType.STARTED, call_id)


_BROKEN_STREAMS: Final[dict[str, Callable[[int], bytes]]] = {
    "garbage": lambda _: _mux(b"Segmentation fault (core dumped)\n"),
    "garbage without Docker's header": lambda _: b"Segmentation fault (core dumped)\n",
    "output before the start": lambda call_id: _mux(pack(FrameType.STDERR, call_id, b"x")),
    "a start on stderr": lambda call_id: _mux(_start(call_id), 2) + _mux(pack(FrameType.EXITED, call_id)),
    "stream 0": lambda call_id: _mux(_start(call_id), 0),
    "stream 3": lambda call_id: _mux(_start(call_id), 3),
    "a compressed frame": lambda call_id: _mux(gzip.compress(_start(call_id))),
    "a frame in a frame": lambda call_id: _mux(pack(FrameType.STARTED, call_id, _start(call_id))),
    "a frame cut by the next": lambda call_id: _mux(_start(call_id)[:-9] + _start(call_id)),
    "a report that is no JSON": lambda call_id: _mux(_start(call_id) + pack(FrameType.EXITED, call_id, b"{")),
}


@pytest.mark.case("FT-20", "PR-39")
@pytest.mark.parametrize("name", _BROKEN_STREAMS)
def test_ft_20_a_stream_that_is_none(rig: Rig, name: str) -> None:
    """FT-20, PR-39: the verdict is PROTOCOL at once, and the container is not used again."""
    begun_at = time.monotonic()

    outcome = rig.run(lambda: rig.agent.peer.sendall(_BROKEN_STREAMS[name](rig.agent.hear())))

    assert outcome.status is Status.PROTOCOL
    assert time.monotonic() - begun_at < 2.0
    assert not rig.sandbox.usable


@pytest.mark.case("FT-20")
def test_ft_20_end_of_stream_in_a_frame(rig: Rig) -> None:
    """FT-20: a stream that ends within a frame is a container that died: INFRASTRUCTURE, and it is not used again.

    Our rule: whoever is killed may be killed within a frame, so an end is never the tool's breach of the framing.
    """

    def script() -> None:
        rig.agent.peer.sendall(_mux(_start(rig.agent.hear()))[:-3])
        rig.agent.peer.close()

    assert rig.run(script).status is Status.INFRASTRUCTURE
    assert not rig.sandbox.usable


@pytest.mark.case("FT-20")
def test_ft_20_good_streams_cut_at_each_byte(rig: Rig) -> None:
    """FT-20, control: however the engine cuts its stream, within its own headers too, a good call is a good call."""
    body = CONFINED + RESULT_HEADER.pack(0, 1) + b"1"

    def script(cut: int) -> None:
        call_id = rig.agent.hear()
        sent = _mux(_start(call_id)) + _mux(b"noise", 2) + _mux(pack(FrameType.RESULT, call_id, body))
        for piece in (sent[:cut], sent[cut:]):
            rig.agent.peer.sendall(piece)
            time.sleep(0.002)  # so that they are received apart
        rig.agent.say(pack(FrameType.EXITED, call_id, rig.agent.report))

    for cut in range(8 + HEADER.size + 8 + 5 + 8 + 1):
        outcome = rig.run(lambda cut=cut: script(cut))  # type: ignore[misc]  # the default is the cut
        assert (outcome.status, outcome.result_json) == (Status.SUCCESS, "1"), cut
    assert rig.sandbox.usable


@pytest.mark.case("PR-09")
def test_pr_09_a_drip(rig: Rig) -> None:
    """PR-09: one byte each 100 ms wins no time: the call's limit holds for all of it, and the verdict is TIMEOUT."""

    def script() -> None:
        call_id = rig.agent.hear()
        rig.agent.say(_start(call_id))
        for byte in _mux(pack(FrameType.STDOUT, call_id, bytes(200))):
            rig.agent.peer.sendall(bytes([byte]))
            time.sleep(0.1)
            if rig.api.killed:
                return

    begun_at = time.monotonic()
    outcome = rig.run(script, wall_time_s=0.7)
    took_s = time.monotonic() - begun_at

    assert outcome.status is Status.TIMEOUT
    assert took_s < 0.7 + KILL_GRACE_S + 1.5  # the agent gives no proof of the end, so the container is killed whole
    assert not rig.sandbox.usable
