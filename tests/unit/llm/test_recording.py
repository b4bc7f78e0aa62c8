"""What is kept of exchanges, and how they are answered from it."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from toolwright.errors import (
    InvalidInput,
    ModelContextExceeded,
    ModelError,
    ModelExchangeMissing,
    ModelRefused,
    ModelRejected,
    ModelReplyInvalid,
    ModelUnavailable,
)
from toolwright.llm.recording import Recorder, RecordingExchange
from toolwright.llm.replay import Recording, ReplayExchange

pytestmark = pytest.mark.unit

KEY = 'sk-very"secret\\1234'


@dataclass
class Scripted:
    """An exchange that gives these, or raises them."""

    steps: list[bytes | Exception] = field(default_factory=list)

    def send(self, body: Mapping[str, Any]) -> bytes:
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    def close(self) -> None:
        pass


def body(question: str, model: str = "m") -> dict[str, Any]:
    """A request."""
    return {"model": model, "messages": [{"role": "user", "content": question}], "temperature": 0.5}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where to record to."""
    return tmp_path / "run.jsonl"


@pytest.fixture
def recorder(path: Path) -> Iterator[Recorder]:
    """Records there, and knows the key."""
    opened = Recorder(path, [KEY])
    yield opened
    opened.close()


def test_requests_get_what_came_back_then_in_order(path: Path, recorder: Recorder) -> None:
    """Equal requests get their replies in turn, at last the last; the bytes are the same."""
    replies = ["eins ü".encode(), b"zwei", b"other"]
    exchange = RecordingExchange(Scripted(list(replies)), recorder, "user")
    for question in ("a", "a", "b"):
        exchange.send(body(question))

    replay = ReplayExchange(Recording(path), "user")

    assert replay.send(body("b")) == b"other"
    assert [replay.send(dict(reversed(body("a").items()))) for _ in range(4)] == [replies[0], *[b"zwei"] * 3]


FAULTS: list[ModelError] = [
    ModelUnavailable("busy"),
    ModelRejected("no strict", status=400, subject="strict"),
    ModelReplyInvalid("page"),
    ModelContextExceeded("long"),
    ModelRefused("no"),
]


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_come_again_too(path: Path, recorder: Recorder, fault: ModelError) -> None:
    """Else a replay would not take the road that the run took: leave out what was refused, ask the next endpoint."""
    exchange = RecordingExchange(Scripted([fault, b"then"]), recorder, "user")
    with pytest.raises(type(fault)):
        exchange.send(body("a"))
    exchange.send(body("a"))

    replay = ReplayExchange(Recording(path), "user")

    with pytest.raises(type(fault), match=str(fault)) as caught:
        replay.send(body("a"))
    if isinstance(fault, ModelRejected):
        assert isinstance(caught.value, ModelRejected)
        assert (caught.value.status, caught.value.subject) == (400, "strict")
    assert replay.send(body("a")) == b"then"


def test_a_missing_exchange_is_named_with_the_nearest_one(path: Path, recorder: Recorder) -> None:
    """Role, model, hash, how the last message begins, and where the nearest kept request differs."""
    RecordingExchange(Scripted([b"x", b"y"]), recorder, "user").send(body("How many apples are there?"))
    RecordingExchange(Scripted([b"y"]), recorder, "user").send(body("unlike"))

    with pytest.raises(ModelExchangeMissing) as caught:
        ReplayExchange(Recording(path), "dispatcher").send(body("How many pears are there?"))

    text = str(caught.value)
    for part in ("run.jsonl", "dispatcher", "'m'", "How many pears are there?", "apples"):
        assert part in text


def test_an_empty_recording_says_so(path: Path, recorder: Recorder) -> None:
    """Nothing is near to anything."""
    with pytest.raises(ModelExchangeMissing, match="none at all"):
        ReplayExchange(Recording(path), "user").send(body("a"))


def test_no_key_is_in_the_file(path: Path, recorder: Recorder) -> None:
    """Neither in what was sent, nor in what came back, nor in a fault, plain or escaped; a replay works."""
    asked = body(f"My key is {KEY}.")
    escaped = json.dumps({"echo": KEY}).encode()
    faults = ModelRejected(f"bad {KEY}", status=401, subject=KEY)
    exchange = RecordingExchange(Scripted([KEY.encode(), escaped, faults]), recorder, "user")
    exchange.send(asked)
    exchange.send(asked)
    with pytest.raises(ModelRejected):
        exchange.send(asked)

    text = path.read_text()
    assert "secret" not in text
    assert text.count("[key]") >= 5
    assert ReplayExchange(Recording(path), "user").send(asked) == b"[key]"


def test_a_word_in_place_of_a_key_is_none(tmp_path: Path) -> None:
    """What local servers want as key may be any short word, and must not be struck out of everything."""
    recorder = Recorder(tmp_path / "r", ["", "m"])
    assert recorder.clean("my model m") == "my model m"
    recorder.close()


def test_only_its_owner_can_read_the_file(path: Path) -> None:
    """Also where it was there before, readable by all; what it held stays."""
    path.write_text("")
    path.chmod(0o644)
    recorder = Recorder(path)
    RecordingExchange(Scripted([b"x"]), recorder, "user").send(body("a"))
    recorder.close()
    again = Recorder(path)
    RecordingExchange(Scripted([b"y"]), again, "user").send(body("b"))
    again.close()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.read_text().splitlines()) == 2


def test_lines_of_many_threads_stay_whole(path: Path, recorder: Recorder) -> None:
    """Large requests at the same time; each can be found again."""
    count, padding = 60, "x" * 50_000

    def one(number: int) -> None:
        exchange = RecordingExchange(Scripted([str(number).encode()]), recorder, "user")
        exchange.send(body(f"{number} {padding}"))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(one, range(count)))

    replay = ReplayExchange(Recording(path), "user")
    assert [replay.send(body(f"{n} {padding}")) for n in range(count)] == [str(n).encode() for n in range(count)]


def test_models_are_known_by_role(path: Path, recorder: Recorder) -> None:
    """So that a recording can be replayed without any settings."""
    RecordingExchange(Scripted([b"x"]), recorder, "maker").send(body("a", model="big"))

    recording = Recording(path)

    assert (recording.model_of("maker"), recording.model_of("user")) == ("big", "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "line 1"),
        ('{"v": 1}\n', "line 1 lacks"),
        ('{"v": 2, "key": "k", "request": {}, "reply": "x"}', "version"),
        ('{"v": 1, "key": "k", "request": {}, "reply": "x"}\n\n{"v": 1, "key": 3}', "line 3"),
        ('{"v": 1, "key": "k", "request": {}, "reply": "x", "fault": {}}', "one reply or fault"),
        ("[1]", "line 1"),
    ],
)
def test_what_is_no_recording_is_refused(path: Path, text: str, words: str) -> None:
    """The line is named."""
    path.write_text(text)
    with pytest.raises(InvalidInput, match=words):
        Recording(path)


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    """No file to replay; a directory or a link to record to, which could lead anywhere."""
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidInput, match="missing"):
        Recording(tmp_path / "missing")
    for place in (tmp_path, link):
        with pytest.raises(InvalidInput, match="cannot be written"):
            Recorder(place)
