"""`toolwright run` and `call`: statuses, shapes, limits."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from toolwright.cli.testing import FakeWorld, RunCli, execution
from toolwright.domain.call import Isolation
from toolwright.domain.limits import MIB, LimitsRequest
from toolwright.domain.outcome import Failure, Output, Status
from toolwright.domain.source import ToolSource
from toolwright.errors import InvalidInput, NotFound, PermissionDenied, SandboxUnavailable

pytestmark = pytest.mark.unit

KEYS = {
    "status",
    "result",
    "error",
    "stdout",
    "stderr",
    "stdout_truncated",
    "stderr_truncated",
    "usage",
    "limits",
    "timing",
    "provenance",
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file with a function."""
    path = tmp_path / "tool.py"
    path.write_text("def f(x):\n    return x\n", encoding="utf-8")
    return path


def test_success_has_the_documented_shape(cli: RunCli, source: Path) -> None:
    """All keys that programs rely on are there, with their parts."""
    ran = cli("run", source, "--function", "f", "--args", '{"x": 5}', "--json")
    document = ran.document
    assert ran.status == 0
    assert document.keys() >= KEYS
    assert (document["status"], document["result"], document["error"]) == ("SUCCESS", 5, None)
    assert document["usage"].keys() == {"wall_ms", "cpu_ms", "peak_memory_bytes"}
    assert document["provenance"].keys() >= {"image_digest", "runtime", "container_id"}
    assert ran.out.count("\n") == 1


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.SUCCESS])
def test_each_failure_has_its_status(cli: RunCli, world: FakeWorld, source: Path, status: Status) -> None:
    """A failed call ends with 1, ours with 3, and says why."""
    world.services_.executions = [execution(status, failure=Failure("ValueError", "no", "line 2"))]
    ran = cli("run", source, "--function", "f", "--json")
    assert ran.status == (3 if status is Status.INFRASTRUCTURE else 1)
    assert ran.document["status"] == status.value
    assert ran.document["result"] is None
    assert ran.document["error"] == {"type": "ValueError", "message": "no", "traceback": "line 2"}


def test_large_integers_stay_exact(cli: RunCli, world: FakeWorld, source: Path) -> None:
    """400 digits come out as they went in, in arguments and results."""
    digits = "9" * 400
    world.services_.executions = [execution(result_json=digits)]
    ran = cli("run", source, "--function", "f", "--args", f'{{"x": {digits}}}', "--json")
    assert f'"result": {digits},' in ran.out
    assert world.services_.executed[0][1] == f'{{"x": {digits}}}'


def test_several_files_run_on_one_pool_and_a_failure_does_not_stop_the_next(
    cli: RunCli, world: FakeWorld, source: Path
) -> None:
    """One line a file, in order; the worst end is the exit status."""
    world.services_.executions = [execution(), execution(Status.TOOL_ERROR), execution()]
    ran = cli("run", source, source, source, "--function", "f", "--json")
    assert [line["status"] for line in ran.lines] == ["SUCCESS", "TOOL_ERROR", "SUCCESS"]
    assert {line["file"] for line in ran.lines} == {str(source)}
    assert ran.status == 1


def test_a_fault_of_ours_is_a_line_and_the_next_file_runs(cli: RunCli, world: FakeWorld, source: Path) -> None:
    """A call that could not be made is told in its place."""
    world.services_.executions = [SandboxUnavailable("no container"), execution()]
    ran = cli("run", source, source, "--function", "f", "--json")
    assert ran.status == 3
    assert ran.lines[0]["error"]["reason"] == "SANDBOX_UNAVAILABLE"
    assert ran.lines[1]["status"] == "SUCCESS"


def test_flags_set_the_ceilings_of_this_process(cli: RunCli, world: FakeWorld, source: Path) -> None:
    """Without a server, --timeout and --memory are settings, and the request lowers nothing."""
    cli("run", source, "--function", "f", "--timeout", "2.5", "--memory", "64", "--isolation", "call")
    assert world.changes == {
        "isolation": {"default": "call"},
        "sandbox": {"limits": {"wall_time_s": 2.5, "memory_bytes": 64 * MIB}},
    }
    assert world.services_.isolation is None
    assert world.services_.executed[0][2] is None


def test_flags_lower_the_limits_of_a_server(cli: RunCli, world: FakeWorld, source: Path) -> None:
    """With a server, they are limits of the request."""
    cli("run", source, "--function", "f", "--timeout", "2.5", "--memory", "64", "--server", "h:1")
    assert world.services_.executed[0][2] == LimitsRequest(2.5, 64 * MIB)
    assert world.changes == {}


def test_isolation_is_asked_of_a_server(cli: RunCli, world: FakeWorld, source: Path) -> None:
    """With a server, it is a wish of the request, which cannot weaken the server's policy."""
    cli("run", source, "--function", "f", "--isolation", "call", "--server", "h:1")
    assert world.services_.isolation is Isolation.CALL
    assert world.changes == {}


def test_a_server_that_refuses_weaker_isolation_says_why(cli: RunCli, world: FakeWorld, source: Path) -> None:
    """The caller's fault: status 2, with the reason."""
    world.services_.executions = [PermissionDenied("isolation: 'tenant' is weaker than 'call'")]
    ran = cli("run", source, "--function", "f", "--isolation", "tenant", "--server", "h:1", "--json")
    assert (ran.status, ran.document["error"]["reason"]) == (2, "PERMISSION_DENIED")
    assert "weaker than 'call'" in ran.err


def test_settings_out_of_bounds_are_named_by_their_flag(cli: RunCli, world: FakeWorld, source: Path) -> None:
    """The person who typed --memory reads --memory."""
    world.start_fault = InvalidInput("sandbox.limits.memory_bytes", "is too large", "32 MiB to 2 GiB")
    ran = cli("run", source, "--function", "f", "--memory", "9999999", "--json")
    assert ran.status == 2
    assert ran.document["error"]["field"] == "--memory"


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ('{"x": 1', "--args"),
        ("[1]", "--args"),
        ('{"x": NaN}', "--args"),
        ('{"x": 1, "x": 2}', "--args"),
        ("@/no/such/file", "/no/such/file"),
    ],
)
def test_bad_arguments_name_the_field(cli: RunCli, world: FakeWorld, source: Path, arguments: str, field: str) -> None:
    """Broken JSON is refused before anything starts."""
    ran = cli("run", source, "--function", "f", "--args", arguments, "--json")
    assert ran.status == 2
    assert ran.document["error"]["field"] == field
    assert world.options is None


def test_arguments_may_come_from_a_file(cli: RunCli, world: FakeWorld, source: Path, tmp_path: Path) -> None:
    """@FILE is read, for what is too long for a command line."""
    (tmp_path / "a.json").write_text('{"x": 7}', encoding="utf-8")
    cli("run", source, "--function", "f", "--args", f"@{tmp_path / 'a.json'}")
    assert world.services_.executed[0][1] == '{"x": 7}'


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "no such file"),
        (b"\xff\xfe", "not UTF-8 at byte 0"),
        (b"", "is empty"),
        (b"x" * (256 * 1024 + 1), "262144 bytes"),
        ("def f():\n    return '\u202e'\n".encode(), "U+202E"),
    ],
)
def test_bad_files_name_the_file_and_nothing_runs(  # noqa: PLR0917 - fixtures and the case
    cli: RunCli, world: FakeWorld, source: Path, tmp_path: Path, content: bytes | None, problem: str
) -> None:
    """A file that cannot be run is found before the first one runs."""
    bad = tmp_path / "bad.py"
    if content is not None:
        bad.write_bytes(content)
    ran = cli("run", source, bad, "--function", "f", "--json")
    assert ran.status == 2
    assert str(bad) in ran.document["error"]["message"]
    assert problem in ran.document["error"]["message"]
    assert world.services_.executed == []


def test_a_directory_is_no_file(cli: RunCli, tmp_path: Path) -> None:
    """A directory is named as such."""
    ran = cli("run", tmp_path, "--function", "f", "--json")
    assert (ran.status, "is a directory" in ran.err) == (2, True)


def test_bad_function_name_is_named_by_its_flag(cli: RunCli, source: Path) -> None:
    """--function takes an identifier."""
    ran = cli("run", source, "--function", "f()", "--json")
    assert (ran.status, ran.document["error"]["field"]) == (2, "--function")


def test_output_of_a_tool_cannot_act_on_the_terminal(cli: RunCli, world: FakeWorld, source: Path) -> None:
    """Escapes in stdout, exception and traceback are shown, never sent."""
    evil = "\x1b[2J[bold]\u202e"
    raised = execution(Status.TOOL_ERROR, failure=Failure(evil, evil, evil), stdout=Output(evil.encode(), 99))
    world.services_.executions = [raised]
    ran = cli("run", source, "--function", "f")
    assert "\x1b" not in ran.out + ran.err
    assert "\u202e" not in ran.out + ran.err
    assert ran.err.count("\\x1b[2J[bold]\\u202e") == 3
    assert ran.out == ""


def test_a_result_can_be_piped(cli: RunCli, world: FakeWorld, source: Path) -> None:
    """The results alone are on stdout, whole and still JSON; all else is on stderr."""
    value = ["x" * 10_000, "\x1b[2J \u202e \x85 \U000e0001 é"]
    world.services_.executions = [
        execution(result_json=json.dumps(value, ensure_ascii=False), stdout=Output(b"noise", 5)),
        execution(Status.TOOL_ERROR),
    ]
    ran = cli("run", source, source, "--function", "f")
    assert json.loads(ran.out) == value
    assert ran.out.count("\n") == 1
    assert not set("\x1b\u202e\x85\U000e0001") & set(ran.out)
    assert all(part in ran.err for part in ("SUCCESS", "TOOL_ERROR", "noise"))


@pytest.mark.parametrize(
    ("failure", "lines"),
    [
        (
            Failure("ValueError", "no", "  line 3, in f: raise\nValueError: no"),
            ["  line 3, in f: raise", "ValueError: no"],
        ),
        (Failure("ValueError", "a\nb", "  line 3\nValueError: a\nb"), ["  line 3", "ValueError: a", "b"]),
        (Failure("ValueError", "", "  line 3\nValueError"), ["  line 3", "ValueError"]),
        (
            Failure("SyntaxError", "bad (f.py, line 1)", "  f(\nSyntaxError: bad"),
            ["  f(", "SyntaxError: bad (f.py, line 1)"],
        ),
        (Failure("ValueError", "no", ""), ["ValueError: no"]),
        (Failure("Odd", "no", "  line 3\n  cut short"), ["  line 3", "  cut short", "Odd: no"]),
    ],
)
def test_an_exception_is_told_once(
    cli: RunCli, world: FakeWorld, source: Path, failure: Failure, lines: list[str]
) -> None:
    """After its traceback, and not before it as well."""
    world.services_.executions = [execution(Status.TOOL_ERROR, failure=failure)]
    assert cli("run", source, "--function", "f").err.splitlines()[1:] == lines


def test_a_flood_is_shown_by_its_ends(cli: RunCli, world: FakeWorld, source: Path) -> None:
    """A mebibyte of output is two pieces and a count on the terminal, and whole in --json."""
    flood = b"begin" + b"x" * 2**20 + b"end"
    world.services_.executions = [execution(stdout=Output(flood, 2**30))] * 2
    ran = cli("run", source, "--function", "f")
    assert len(ran.err) < 5_000
    assert all(part in ran.err for part in ("begin", "xend", f"{len(flood) - 4_000} characters more"))
    assert len(cli("run", source, "--function", "f", "--json").document["stdout"]) == len(flood)


def test_call_runs_a_registered_tool(cli: RunCli, world: FakeWorld) -> None:
    """`call` gives the same shape, with the tool's name."""
    ran = cli("call", "sort_words@1", "--args", '{"words": []}', "--json")
    assert ran.status == 0
    assert ran.document.keys() >= KEYS | {"tool"}
    assert world.services_.executed == [("sort_words@1", '{"words": []}', None)]


@pytest.mark.parametrize("fault", [NotFound("tool", "x"), InvalidInput("arguments_json.words", "is missing")])
def test_call_of_an_unknown_tool_or_off_the_schema_is_status_2(
    cli: RunCli, world: FakeWorld, fault: NotFound | InvalidInput
) -> None:
    """What the server refuses is bad input."""
    world.services_.executions = [fault]
    ran = cli("call", "x", "--json")
    assert (ran.status, ran.document["error"]["reason"]) == (2, fault.reason)


def test_source_is_passed_on_unread(cli: RunCli, world: FakeWorld, source: Path) -> None:
    """The command line sends the text and never looks into it."""
    source.write_text("this is no python (", encoding="utf-8")
    ran = cli("run", source, "--function", "f")
    assert ran.status == 0
    assert world.services_.executed[0][0] == ToolSource("this is no python (", "f")


def test_source_from_stdin(cli: RunCli, world: FakeWorld, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` reads it, beside files, and once at most."""
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"def f():\n    return 1\n")))
    ran = cli("run", "-", source, "--function", "f", "--json")
    assert [line["file"] for line in ran.lines] == ["-", str(source)]
    assert world.services_.executed[0][0] == ToolSource("def f():\n    return 1\n", "f")
    assert cli("run", "-", "-", "--function", "f").status == 2


def test_windows_line_ends_are_named(cli: RunCli, source: Path) -> None:
    """The person reads what to do, not a code point."""
    source.write_bytes(b"def f():\r\n    return 1\r\n")
    ran = cli("run", source, "--function", "f", "--json")
    assert ran.status == 2
    assert "convert the file to LF line ends" in ran.document["error"]["message"]


@pytest.mark.parametrize("command", [("call", "sort_words"), ("run", "SOURCE", "--function", "f")])
def test_refused_arguments_are_named_by_their_flag(
    cli: RunCli, world: FakeWorld, source: Path, command: tuple[str, ...]
) -> None:
    """`--args`, with the path into them."""
    world.services_.executions = [InvalidInput("arguments_json.words[1]", "3 is no text", "a list of texts")]
    ran = cli(*(source if part == "SOURCE" else part for part in command), "--json")
    assert ran.status == 2
    assert ran.document["error"]["field"] == "--args.words[1]"


def test_memory_is_told_in_the_unit_of_its_flag(cli: RunCli, world: FakeWorld, source: Path) -> None:
    """A server that speaks of bytes is read in MiB by whoever typed MiB."""
    fault = InvalidInput("limits.memory_bytes", f"{999 * MIB} is outside the allowed range", f"at most {256 * MIB}")
    world.services_.executions = [fault]
    ran = cli("run", source, "--function", "f", "--memory", "999", "--server", "h:1")
    assert "--memory: 999 MiB is outside the allowed range (allowed: at most 256 MiB)" in ran.err


def test_reply_is_waited_for_as_long_as_the_call_may_take(cli: RunCli, world: FakeWorld, tmp_path: Path) -> None:
    """A call of two minutes is not given up after one."""
    source = tmp_path / "slow.py"
    source.write_text("def f():\n    return 1\n", encoding="utf-8")

    cli("run", source, "--function", "f", "--timeout", "110")

    assert world.services_.timeout_s is not None
    assert world.services_.timeout_s > 110
