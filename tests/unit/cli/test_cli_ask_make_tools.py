"""`toolwright ask`, `make` and `tools`."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from toolwright.cli.testing import MAKER_USE, USER_USE, FakeWorld, RunCli, answered, declined, execution, tool_info
from toolwright.domain.events import Called, Checked, Dispatched, Failed, NotMade, Proposed, Ran, Rejected, SolveEvent
from toolwright.domain.outcome import Status
from toolwright.domain.record import Stage
from toolwright.domain.task import MAX_QUESTION_BYTES
from toolwright.domain.tool import Dependency
from toolwright.errors import ModelUnavailable

pytestmark = pytest.mark.unit

TRACE: list[SolveEvent] = [
    Dispatched("sort_words@1", "", "it sorts"),
    Called("sort_words@1", "{}", repair=False),
    Ran(execution()),
]


def test_answer(cli: RunCli) -> None:
    """The answer alone is on stdout; with --json one document."""
    assert cli("ask", "Sort: b a").out.startswith("a b")
    ran = cli("ask", "Sort: b a", "--json")
    assert ran.status == 0
    assert ran.document["status"] == "ANSWERED"
    assert (ran.document["answer"], ran.document["tool"]) == ("a b", "sort_words@1")
    assert ran.document["cost"]["total_usd"] == USER_USE.cost_usd
    assert "trace" not in ran.document


def test_offline_model_says_so(cli: RunCli) -> None:
    """Wherever the offline model's figures appear, it says what it is."""
    ran = cli("ask", "Sort: b a", "--json")
    assert "tells about the runtime, not about any model" in ran.document["model_note"]
    assert "tells about the runtime, not about any model" in ran.err


def test_trace_holds_each_step(cli: RunCli, world: FakeWorld) -> None:
    """--trace shows the steps to people and puts them into the document."""
    world.services_.solving = lambda _: [*TRACE, *answered("a b")]
    ran = cli("ask", "Sort: b a", "--trace", "--json")
    assert [step["event"] for step in ran.document["trace"]] == ["dispatched", "called", "ran", "answered"]
    assert "dispatcher: sort_words@1" in ran.err


def test_declined_is_status_1_with_the_reason(cli: RunCli, world: FakeWorld) -> None:
    """A question that no tool fits is a failed task, not bad usage."""
    world.services_.solving = lambda _: declined("nothing fits")
    ran = cli("ask", "What is love?", "--json")
    assert ran.status == 1
    assert (ran.document["status"], ran.document["reason"], ran.document["answer"]) == (
        "DECLINED",
        "nothing fits",
        None,
    )


@pytest.mark.parametrize(("status", "expected"), [(Status.TIMEOUT, 1), (None, 1), (Status.INFRASTRUCTURE, 3)])
def test_failed_is_status_1_and_ours_is_3(cli: RunCli, world: FakeWorld, status: Status | None, expected: int) -> None:
    """The tool's failure is 1; a lost container is our fault."""
    world.services_.solving = lambda _: [Failed("it broke", "sort_words@1", status, ())]
    ran = cli("ask", "Sort: b a", "--json")
    assert (ran.status, ran.document["status"]) == (expected, "FAILED")


def test_dead_model_is_status_3_with_advice(cli: RunCli, world: FakeWorld) -> None:
    """A model's endpoint that does not answer is a missing service."""
    world.start_fault = ModelUnavailable("http://x does not answer")
    ran = cli("ask", "Sort: b a", "--json")
    assert (ran.status, ran.document["error"]["reason"]) == (3, "MODEL_UNAVAILABLE")
    assert "--offline" in ran.err


def test_stream_without_an_end_is_our_fault(cli: RunCli, world: FakeWorld) -> None:
    """A stream that breaks off is no answer."""
    world.services_.solving = lambda _: [TRACE[0]]
    assert cli("ask", "Sort: b a", "--json").status == 3


class _Stdin:
    """Standard input that holds bytes."""

    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"x" * 10 * 1024 * 1024, f"at most {MAX_QUESTION_BYTES} bytes"),
        (b"", "is empty"),
        (b"\xff", "is not UTF-8"),
    ],
)
def test_bad_question_from_stdin_names_field_and_limit(
    cli: RunCli, world: FakeWorld, monkeypatch: pytest.MonkeyPatch, content: bytes, problem: str
) -> None:
    """10 MiB, nothing, and bytes that are no text are refused before anything starts."""
    monkeypatch.setattr("sys.stdin", _Stdin(content))
    ran = cli("ask", "-", "--json")
    assert ran.status == 2
    assert ran.document["error"]["field"] == "question"
    assert problem in ran.document["error"]["message"]
    assert world.options is None


def test_question_from_stdin(cli: RunCli, world: FakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` reads the question, line ends and all."""
    monkeypatch.setattr("sys.stdin", _Stdin(b"Sort:\nb a"))
    cli("ask", "-")
    assert world.services_.asked == ["Sort:\nb a"]


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """A task file."""
    path = tmp_path / "sort_words.json"
    examples = [{"question": f"Sort: {letter} a", "answer": f"a {letter}"} for letter in "bcdef"]
    path.write_text(json.dumps({"examples": examples}), encoding="utf-8")
    return path


def test_make_shows_the_tool(cli: RunCli, task: Path) -> None:
    """A made tool is status 0, with its version and what it cost."""
    ran = cli("make", task, "--json")
    assert ran.status == 0
    assert (ran.document["status"], ran.document["tool"]["reference"]) == ("MADE", "sort_words@1")
    assert ran.document["cost"]["total_usd"] == MAKER_USE.cost_usd
    assert [event["event"] for event in ran.document["events"]] == ["proposed", "checked", "made"]


def test_not_made_is_status_1_with_every_rejection(cli: RunCli, world: FakeWorld, task: Path) -> None:
    """A task for which nothing passes is told with its attempts; hostile text in them is harmless."""
    world.services_.making = lambda _: [
        Proposed(1, "def sort_words(): ...\x1b[2J"),
        Checked(1, "4", held_out=True, passed=False, status=Status.SUCCESS),
        Rejected(1, Stage.VERIFY, "wrong \x1b[2J"),
        NotMade("no attempts left", 1, (MAKER_USE,)),
    ]
    ran = cli("make", task)
    assert ran.status == 1
    assert "\x1b" not in ran.out + ran.err
    assert "rejected in verify: wrong \\x1b[2J" in ran.out
    assert "held-out example 4: wrong answer" in ran.out
    assert cli("make", task, "--json").document["reason"] == "no attempts left"


def test_make_of_a_bad_file_is_status_2(cli: RunCli, world: FakeWorld, tmp_path: Path) -> None:
    """A bad task file is refused before anything starts."""
    ran = cli("make", tmp_path / "none.toml", "--json")
    assert (ran.status, world.options) == (2, None)


def test_tools_list(cli: RunCli, world: FakeWorld) -> None:
    """All tools, for people and for programs."""
    assert "No tools yet" in cli("tools", "list").out
    world.services_.tools = [tool_info("b"), tool_info("a", 2)]
    assert [tool["reference"] for tool in cli("tools", "list", "--json").document["tools"]] == ["b@1", "a@2"]
    assert "a@2" in cli("tools", "list").out


def test_a_table_in_a_pipe_has_a_line_for_each_row(cli: RunCli, world: FakeWorld) -> None:
    """No wrapping and no trailing blanks: other programs read it too."""
    world.services_.tools = [replace(tool_info(f"tool{n}"), summary="long " * 60) for n in range(3)]
    for command in (("tools", "list"), ("images", "list"), ("tools", "show", "tool0")):
        lines = cli(*command).out.splitlines()
        assert all(line == line.rstrip() for line in lines)
    assert len(cli("tools", "list").out.splitlines()) == 4


def test_tools_show(cli: RunCli, world: FakeWorld) -> None:
    """Source, schema, demonstration and evidence of one tool."""
    world.services_.tools = [tool_info()]
    document = cli("tools", "show", "sort_words", "--json").document
    assert document["source"]["code"].startswith("def sort_words")
    assert document["verification"]["checks"][0]["status"] == "SUCCESS"
    assert document["verification"]["task_digest"] == "sha256:" + "e" * 64
    assert document["parameters"]["additionalProperties"] is False
    text = cli("tools", "show", "sort_words").out
    assert "return sorted(words)" in text
    assert "Demonstration" in text


def test_tools_show_of_an_unknown_tool_is_status_2(cli: RunCli) -> None:
    """The name is in the document."""
    ran = cli("tools", "show", "nope", "--json")
    assert (ran.status, ran.document["error"]["name"]) == (2, "nope")


def test_make_with_tools_to_use(cli: RunCli, world: FakeWorld, task: Path) -> None:
    """--uses, as often as wanted, goes with the task; a reference that cannot be one is bad usage."""
    assert cli("make", task, "--uses", "half", "--uses", "third@2", "--json").status == 0
    assert world.services_.made[-1].uses == ("half", "third@2")
    assert cli("make", task, "--uses", "half", "--uses", "half", "--json").status == 2


def test_tools_show_names_what_a_tool_is_made_from(cli: RunCli, world: FakeWorld) -> None:
    """Each part with its digest, for people and for programs."""
    dependency = Dependency("half", "sha256:" + "f" * 64)
    world.services_.tools = [replace(tool_info(), dependencies=(dependency,))]
    assert f"made from half  {dependency.digest}" in cli("tools", "show", "sort_words").out
    ran = cli("tools", "show", "sort_words", "--json")
    assert ran.document["dependencies"] == [{"name": "half", "digest": dependency.digest}]


def test_tools_show_names_what_stops_with_it(cli: RunCli, world: FakeWorld) -> None:
    """Whoever is about to hold a version back sees what is made from it."""
    world.services_.tools = [tool_info()]
    told = " ".join(cli("tools", "show", "sort_words").out.split())
    assert "part of uses_it@1, uses_it@2: not run while this version is not active" in told
    assert cli("tools", "show", "sort_words", "--json").document["dependants"] == ["uses_it@1", "uses_it@2"]
