"""The frame around all commands: usage, faults, interruption, and JSON on stdout alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from toolwright.cli.testing import FakeWorld, RunCli
from toolwright.errors import EngineUnavailable

pytestmark = pytest.mark.unit

COMMANDS = [
    ("demo",),
    ("serve",),
    ("make",),
    ("ask",),
    ("call",),
    ("run",),
    ("eval",),
    ("tools", "list"),
    ("tools", "show"),
    ("images", "build"),
    ("images", "list"),
    ("images", "prune"),
    ("doctor",),
    ("bench",),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_json(cli: RunCli, command: tuple[str, ...]) -> None:
    """Help is shown with status 0 and names --json."""
    ran = cli(*command, "--help")
    assert ran.status == 0
    assert "--json" in ran.out


@pytest.mark.parametrize(
    "arguments", [("nope",), ("run",), ("ask",), ("eval", "--jobs", "0", "x"), ("call", "t", "--no")]
)
def test_bad_usage_is_status_2_with_a_document(cli: RunCli, arguments: tuple[str, ...]) -> None:
    """An unknown command, a missing argument and a bad option are told on stderr, and as one document."""
    ran = cli(*arguments, "--json")
    assert ran.status == 2
    assert ran.document["error"]["reason"] == "USAGE"
    assert "toolwright: " in ran.err


def test_no_command_shows_help(cli: RunCli) -> None:
    """Without a command the help is shown, with the status of bad usage."""
    ran = cli()
    assert ran.status == 2
    assert "demo" in ran.out + ran.err


def test_version(cli: RunCli) -> None:
    """--version names the program and its version."""
    ran = cli("--version")
    assert (ran.status, ran.out.split()[0]) == (0, "toolwright")


@pytest.mark.parametrize("command", [("images", "audit"), ("images", "sbom"), ("audit", "verify")])
def test_later_commands_say_so(cli: RunCli, command: tuple[str, str]) -> None:
    """A command of later versions is refused in words, whatever its arguments and options."""
    ran = cli(*command, "a", "--reason", "b", "--json")
    assert ran.status == 2
    assert ran.document["error"]["reason"] == "UNSUPPORTED"
    assert "not in this version" in ran.err


def test_missing_engine_is_status_3_with_one_paragraph(cli: RunCli, world: FakeWorld) -> None:
    """A missing service ends with 3, a text on stderr, and a document on stdout."""
    world.start_fault = EngineUnavailable("No Docker engine answers. Start one")
    ran = cli("ask", "Sort: b a", "--json")
    assert ran.status == 3
    assert ran.document["error"]["reason"] == "ENGINE_UNAVAILABLE"
    assert ran.err.count("\n") == 1


def test_interruption_is_status_130(cli: RunCli, world: FakeWorld) -> None:
    """Ctrl-C ends without a traceback."""
    world.start_fault = KeyboardInterrupt()
    ran = cli("tools", "list")
    assert ran.status == 130
    assert "Traceback" not in ran.err


def test_broken_pipe_is_quiet(cli: RunCli, world: FakeWorld) -> None:
    """A reader that went away is not reported."""
    world.start_fault = BrokenPipeError()
    ran = cli("tools", "list")
    assert (ran.status, ran.err) == (141, "")


def test_unexpected_exception_is_status_3_and_keeps_the_traceback(cli: RunCli, world: FakeWorld) -> None:
    """A bug of ours gives a sentence and the place of the traceback, not the traceback itself."""
    world.start_fault = RuntimeError("boom \x1b[2J")
    ran = cli("tools", "list", "--json")
    assert ran.status == 3
    assert "Traceback" not in ran.err
    assert "\x1b" not in ran.err
    log = Path(ran.document["error"]["log"])
    assert "RuntimeError: boom" in log.read_text(encoding="utf-8")
    log.unlink()


def test_debug_shows_the_traceback(cli: RunCli, world: FakeWorld) -> None:
    """--debug prints it too."""
    world.start_fault = RuntimeError("boom")
    ran = cli("tools", "list", "--debug")
    assert "Traceback" in ran.err
    found = re.search(r"/\S+/toolwright-\S+\.log", ran.err)
    assert found
    Path(found.group()).unlink()


def test_shared_flags_reach_the_services(cli: RunCli, world: FakeWorld) -> None:
    """Flags become settings, and what was not given stays open."""
    cli(
        "tools",
        "list",
        "--state-dir",
        "/s",
        "--runtime",
        "runsc",
        "--image",
        "sha256:x",
        "--offline",
        "--docker-host",
        "d",
    )
    assert world.options
    assert world.options.settings() == {
        "state_dir": Path("/s"),
        "docker_host": "d",
        "sandbox": {"image": "sha256:x", "runtime": "runsc"},
        "models": {"offline": True, "record": None, "replay": None},
    }


def test_server_comes_from_the_environment(cli: RunCli, world: FakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """TOOLWRIGHT_SERVER names a running server."""
    monkeypatch.setenv("TOOLWRIGHT_SERVER", "127.0.0.1:9")
    cli("tools", "list")
    assert world.options
    assert world.options.server == "127.0.0.1:9"


@pytest.mark.parametrize("command", [("ask", "Sort: b a"), ("make", "TASK"), ("eval", "QUESTIONS"), ("serve",)])
def test_who_answers_is_said_before_the_work(
    cli: RunCli, world: FakeWorld, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """Where no model was chosen, stderr says first that the offline one answers."""
    lines = "".join(f'{{"id": "{n}", "question": "Sort: {n} a", "answer": "a {n}"}}\n' for n in range(12))
    (tmp_path / "sort_words.jsonl").write_text(lines, encoding="utf-8")
    arguments = [str(tmp_path / "sort_words.jsonl") if part.isupper() else part for part in command]
    world.unchosen = "no model is configured: the offline model answers"
    world.start_fault = EngineUnavailable("nothing runs in this test")
    assert "no model is configured" in cli(*arguments).err


def test_commands_that_ask_no_model_say_nothing_of_models(cli: RunCli, world: FakeWorld) -> None:
    """Listing and calling tools is no matter of models."""
    world.unchosen = "no model is configured"
    assert "no model" not in cli("tools", "list").err
    assert "no model" not in cli("call", "sort_words").err


def test_an_interrupt_while_loading_is_no_traceback(tmp_path: Path) -> None:
    """Ctrl-C in the half second in which modules load ends as at any other time."""
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt\n", encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-c", "from toolwright.cli.main import main; main()"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "toolwright: interrupted\n")


def test_bad_choice_is_told_in_plain_words(cli: RunCli) -> None:
    """What was typed and what may be typed, and nothing of the library behind."""
    ran = cli("run", "x.py", "--function", "f", "--isolation", "foo")
    assert ran.status == 2
    assert "toolwright: Invalid value for '--isolation': 'foo' is not one of 'call', 'tool', 'tenant'." in ran.err
