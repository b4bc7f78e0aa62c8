"""`toolwright call --batch`: many calls of one tool from JSON Lines."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from toolwright.cli.testing import FakeWorld, RunCli, execution
from toolwright.domain.outcome import Failure, Status
from toolwright.errors import ConnectionLost, InvalidInput, SandboxUnavailable, ToolwrightError

pytestmark = pytest.mark.unit


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """A file of three calls in both forms, with an empty line and digits that a float would lose."""
    path = tmp_path / "calls.jsonl"
    path.write_text(
        '{"n": 12345678901234567890123}\n\n{"id": "b", "arguments": {"n": 1}}\n{"id": 7, "arguments": {}}\n', "utf-8"
    )
    return path


def test_each_line_is_a_call_and_each_answer_a_line(cli: RunCli, world: FakeWorld, calls: Path) -> None:
    """Ids are the line's own or its number; arguments that stand alone go as they were written."""
    ran = cli("call", "add@1", "--batch", calls, "--json")
    assert ran.status == 0
    assert [(line["id"], line["tool"], line["result"]) for line in ran.lines] == [
        ("1", "add@1", 5), ("b", "add@1", 5), ("7", "add@1", 5),
    ]  # fmt: skip
    assert world.services_.executed == [
        ("add@1", '{"n": 12345678901234567890123}', None), ("add@1", '{"n": 1}', None), ("add@1", "{}", None),
    ]  # fmt: skip


def test_people_get_a_summary(cli: RunCli, world: FakeWorld, calls: Path) -> None:
    """How many, how fast and how they ended; on stderr why the first ones failed."""
    world.services_.executions = [execution(), execution(Status.TOOL_ERROR, failure=Failure("ValueError", "no", ""))]
    ran = cli("call", "add", "--batch", calls)
    assert ran.status == 1
    assert ran.out.startswith("3 calls in ")
    assert ran.out.endswith(": 2 SUCCESS, 1 TOOL_ERROR\n")
    assert ran.err == "b: TOOL_ERROR, ValueError: no\n"


def test_only_the_first_failures_are_told(cli: RunCli, world: FakeWorld, tmp_path: Path) -> None:
    """A batch of a thousand failures is no flood on the terminal."""
    path = tmp_path / "calls.jsonl"
    path.write_text("{}\n" * 1000, "utf-8")
    world.services_.executions = [execution(Status.TIMEOUT)] * 500
    ran = cli("call", "add", "--batch", path)
    assert len(ran.err.splitlines()) == 6
    assert ran.err.splitlines()[-1] == "more failed; --json tells of each"
    assert "500 SUCCESS, 500 TIMEOUT" in ran.out or "500 TIMEOUT, 500 SUCCESS" in ran.out


@pytest.mark.parametrize(
    ("fault", "status"),
    [(InvalidInput("arguments_json.n", "is missing"), 2), (SandboxUnavailable("no container"), 3)],
)
def test_the_gravest_end_decides(
    cli: RunCli, world: FakeWorld, calls: Path, fault: ToolwrightError, status: int
) -> None:
    """One refused call is one line with its error, and the others are answered."""
    world.services_.executions = [execution(Status.CRASHED), fault]
    ran = cli("call", "add", "--batch", calls, "--json")
    assert ran.status == status
    assert [line.get("status") for line in ran.lines] == ["CRASHED", None, "SUCCESS"]
    assert ran.lines[1]["error"]["reason"] == fault.reason


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"{}\n[1]\n", "line 2: is no JSON object"),
        (b'{}\n\n{"n": NaN}\n', "line 3: "),
        (b'{"id": "a", "arguments": [1]}', "line 1: arguments: is no JSON object"),
        (b'{"id": true, "arguments": {}}', "line 1: id: is neither a text nor a whole number"),
        (b'{"id": "", "arguments": {}}', "line 1: id: has 0 characters"),
        (b'{"id": "' + b"x" * 129 + b'", "arguments": {}}', "line 1: id: has 129 characters"),
        (b'{}\n{"a": "\xff"}', "line 2: is not UTF-8 at byte 7"),
        (b'{"a": "' + b"x" * 2**21 + b'"}', "line 1: has more than"),
        (b"\n \n", "holds no calls"),
        (b"", "holds no calls"),
    ],
)
def test_a_bad_line_in_a_file_is_named_and_nothing_runs(
    cli: RunCli, world: FakeWorld, tmp_path: Path, text: bytes, problem: str
) -> None:
    """Status 2 with the file and the line, wherever it stands."""
    path = tmp_path / "calls.jsonl"
    path.write_bytes(text)
    ran = cli("call", "add", "--batch", path, "--json")
    assert ran.status == 2
    assert str(path) in ran.document["error"]["message"]
    assert problem in ran.document["error"]["message"]
    assert world.services_.executed == []


def test_arguments_named_like_ours_are_still_arguments(cli: RunCli, world: FakeWorld, tmp_path: Path) -> None:
    """Only an object with both keys and no other is the second form."""
    path = tmp_path / "calls.jsonl"
    path.write_text('{"id": 1}\n{"id": 1, "arguments": {}, "x": 2}\n', "utf-8")
    assert cli("call", "add", "--batch", path).status == 0
    assert [text for _, text, _ in world.services_.executed] == ['{"id": 1}', '{"id": 1, "arguments": {}, "x": 2}']


def test_stdin_is_read_as_answers_come(cli: RunCli, world: FakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came before a bad line has run and is answered; the line is named."""
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b'{"n": 1}\n{"n": 2}\n{"n": \n')))
    ran = cli("call", "add", "--batch", "-", "--json")
    assert ran.status == 2
    assert [line.get("id") for line in ran.lines] == ["1", "2", None]
    assert "stdin, line 3" in ran.lines[2]["error"]["message"]
    assert len(world.services_.executed) == 2


@pytest.mark.parametrize("text", ['{"n": 1}\n{"n": 2}\n', ""])
def test_a_pipe_is_read_once(cli: RunCli, world: FakeWorld, tmp_path: Path, text: str) -> None:
    """As a shell's `<(command)` is: its calls run; an empty one holds none, and is not waited for again."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=(text,))
    writer.start()
    ran = cli("call", "add", "--batch", path, "--json")
    writer.join(5)
    assert [line.get("id") for line in ran.lines] == (["1", "2"] if text else [None])
    assert ran.status == (0 if text else 2)
    assert len(world.services_.executed) == text.count("\n")


@pytest.mark.parametrize("name", ["none.jsonl", "."])
def test_a_file_that_cannot_be_read(cli: RunCli, tmp_path: Path, name: str) -> None:
    """Bad input, named."""
    ran = cli("call", "add", "--batch", tmp_path / name, "--json")
    assert (ran.status, ran.document["error"]["field"]) == (2, str(tmp_path / name))


def test_args_beside_a_batch_are_refused(cli: RunCli, calls: Path) -> None:
    """A flag that could have no effect is bad usage."""
    ran = cli("call", "add", "--batch", calls, "--args", '{"n": 1}', "--json")
    assert (ran.status, ran.document["error"]["field"]) == (2, "--args")


def test_a_batch_that_breaks_says_which_calls_are_open(cli: RunCli, world: FakeWorld, calls: Path) -> None:
    """What was answered stands on stdout, then the fault; status 3."""

    def breaking(calls_: object) -> object:
        yield from ()
        raise ConnectionLost("gone. Of the batch 1 calls have no answer: 'b'")

    world.services_.execute_batch = breaking  # type: ignore[method-assign,assignment]  # this world breaks
    ran = cli("call", "add", "--batch", calls, "--json")
    assert (ran.status, ran.document["error"]["reason"]) == (3, "CONNECTION_LOST")
    assert "'b'" in ran.document["error"]["message"]
