"""The command line with a real engine: what is promised to people and scripts."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from toolwright.cli import demo_set
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.policy import LABEL_OWNER

pytestmark = pytest.mark.e2e

Command = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., "subprocess.Popen[str]"]

QUESTIONS = Path(demo_set.__file__).parent / "demo_tasks"

ENDS = {
    "raises": ("raise ValueError('no')", "TOOL_ERROR"),
    "loops": ("while True: pass", "TIMEOUT"),
    "eats_memory": ("x = [bytearray(4_000_000) for _ in range(10_000)]", "OUT_OF_MEMORY"),
    "floods": ("while True: print('x' * 100_000)", "OUTPUT_LIMIT"),
    "exits_without_result": ("import os; os._exit(0)", "CRASHED"),
    "returns_nan": ("return float('nan')", "RESULT_INVALID"),
    "is_no_python": ("return (", "LOAD_ERROR"),
    "works": ("return 2 ** 1000", "SUCCESS"),
}


def test_each_kind_of_end_has_its_status_and_the_next_call_is_fine(toolwright: Command, tmp_path: Path) -> None:
    """A function that raises, loops, eats memory, floods, exits, returns NaN; then one that works, on one pool."""
    for name, (body, _) in ENDS.items():
        (tmp_path / f"{name}.py").write_text(f"def f():\n    {body}\n", encoding="utf-8")
    files = [f"{name}.py" for name in ENDS]
    ran = toolwright("run", *files, "--function", "f", "--timeout", "1", "--memory", "64", "--json")
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert ran.returncode == 1, ran.stderr
    assert {line["file"]: line["status"] for line in lines} == {f"{name}.py": end for name, (_, end) in ENDS.items()}
    assert lines[-1]["result"] == 2**1000
    assert all(line["provenance"]["container_id"] for line in lines)
    assert lines[1]["limits"]["wall_time_s"] == 1.0


@pytest.mark.slow
def test_demo_works_twice(toolwright: Command, tmp_path: Path) -> None:
    """All answers right, the curve written, and nothing of the first run in the way of the second."""
    for _ in range(2):
        ran = toolwright("demo", "--questions", "1", "--json")
        assert ran.returncode == 0, ran.stderr
        document = json.loads(ran.stdout)
        assert {task["status"] for task in document["tasks"].values()} == {"MADE"}
        assert all(answer["right"] for task in document["tasks"].values() for answer in task["answers"])
        assert all(item["declined"] for item in document["declined"])
        assert document["cost"]["break_even_requests"] > 0
        assert "rejected in verify" in ran.stderr
    ET.parse(tmp_path / "toolwright-demo-cost.svg")  # noqa: S314 - our own picture
    assert not (tmp_path / ".local").exists()


@pytest.mark.slow
def test_eval_runs_each_answer_in_a_sandbox(toolwright: Command) -> None:
    """Every scored question has an execution of its own behind it."""
    files = [QUESTIONS / "sort_words.jsonl", QUESTIONS / "close_brackets.jsonl"]
    ran = toolwright("eval", *files, "--json")
    assert ran.returncode == 0, ran.stderr
    document = json.loads(ran.stdout)
    assert {name: (task["n"], task["correct"]) for name, task in document["tasks"].items()} == {
        "sort_words": (2, 2),
        "close_brackets": (2, 2),
    }
    assert document["executions"] == 4
    assert document["model_note"]


@pytest.mark.slow
def test_tools_outlive_the_process_that_made_them(toolwright: Command, tmp_path: Path) -> None:
    """make, then show, call and ask, each a process of its own on one state directory."""
    state = ("--state-dir", tmp_path / "state")
    assert toolwright("make", QUESTIONS / "sort_words.jsonl", *state).returncode == 0
    shown = toolwright("tools", "show", "sort_words", *state, "--json")
    assert json.loads(shown.stdout)["verification"]["passed"] is True
    called = toolwright("call", "sort_words", "--args", '{"words": ["b", "a"]}', *state, "--json")
    assert (called.returncode, json.loads(called.stdout)["result"]) == (0, "a b")
    lines = tmp_path / "calls.jsonl"
    lines.write_text(
        '{"words": ["d", "c"]}\n{"id": "x", "arguments": {"words": []}}\n{"wrods": []}\n', encoding="utf-8"
    )
    batch = toolwright("call", "sort_words", "--batch", str(lines), *state, "--json")
    answers = {answer["id"]: answer for answer in map(json.loads, batch.stdout.splitlines())}
    assert (batch.returncode, answers["1"]["result"], answers["x"]["result"]) == (2, "c d", "")
    assert answers["3"]["error"]["reason"] == "INVALID_INPUT"
    off = toolwright("call", "sort_words", "--args", '{"wrods": []}', *state, "--json")
    assert (off.returncode, "wrods" in json.loads(off.stdout)["error"]["field"]) == (2, True)
    asked = toolwright("ask", "Put these words into alphabetical order: pear apple fig", "--trace", *state, "--json")
    document = json.loads(asked.stdout)
    assert (asked.returncode, document["answer"]) == (0, "apple fig pear")
    assert [step["event"] for step in document["trace"]] == ["dispatched", "called", "ran", "answered"]


def _containers_of(process: subprocess.Popen[str], engine: Engine) -> list[str]:
    """Return the containers that `process` made; others may run tests on the same engine."""
    found = engine.client.containers.list(all=True, ignore_removed=True, filters={"label": LABEL_OWNER})
    return [str(container.id) for container in found if f"/{process.pid}/" in container.labels[LABEL_OWNER]]


CLIENT = """
import sys, toolwright
with toolwright.Client(sys.argv[1]) as client:
    source = toolwright.ToolSource("def f(x):\\n    return x + 1\\n", "f")
    print(client.execute(source, {"x": 41}).outcome.result_json, len(list(client.list_tools())))
"""


def test_serve_over_tcp_until_sigterm(start: Start, toolwright: Command, engine: Engine) -> None:
    """Another process makes, lists and calls over TCP; SIGTERM ends with 0 and leaves no container."""
    server = start("serve", "--listen", "127.0.0.1:0", "--json")
    assert server.stdout
    try:
        address = json.loads(server.stdout.readline())["address"]
        client = subprocess.run(
            [sys.executable, "-c", CLIENT, address], check=False, capture_output=True, text=True, timeout=60
        )
        assert _containers_of(server, engine)
        assert (client.returncode, client.stdout.split()) == (0, ["42", "0"]), client.stderr
        assert toolwright("tools", "list", TOOLWRIGHT_SERVER=address).returncode == 0
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=60)
    assert server.returncode == 0
    assert _containers_of(server, engine) == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_command_cleans_up(start: Start, engine: Engine, tmp_path: Path, number: int, status: int) -> None:
    """Ctrl-C and SIGTERM in the middle of a call: no traceback, and no container is left."""
    (tmp_path / "loops.py").write_text("def f():\n    while True: pass\n", encoding="utf-8")
    command = start("run", *["loops.py"] * 5, "--function", "f", "--timeout", "5")
    assert command.stderr
    assert "TIMEOUT" in command.stderr.readline()
    command.send_signal(number)
    _, notes = command.communicate(timeout=60)
    assert command.returncode == status
    assert "Traceback" not in notes
    assert _containers_of(command, engine) == []


def test_without_an_engine_nothing_runs(toolwright: Command, tmp_path: Path) -> None:
    """Status 3 and one paragraph that says what to do; the source was not touched by any interpreter."""
    (tmp_path / "f.py").write_text("open('touched', 'w')\ndef f():\n    return 1\n", encoding="utf-8")
    ran = toolwright("run", "f.py", "--function", "f", "--json", DOCKER_HOST="unix:///nowhere.sock")
    assert ran.returncode == 3
    assert json.loads(ran.stdout)["error"]["reason"] == "ENGINE_UNAVAILABLE"
    assert ran.stderr.count("\n") == 1
    assert not (tmp_path / "touched").exists()


def test_a_reader_that_goes_away_is_no_fault(start: Start) -> None:
    """`toolwright demo | head` ends without a traceback."""
    command = start("demo", "--questions", "1")
    assert command.stdout
    assert command.stderr
    command.stdout.readline()
    command.stdout.close()
    notes = command.stderr.read()
    assert command.wait(timeout=60) == 141
    assert "Traceback" not in notes
    assert "BrokenPipe" not in notes


def test_doctor_of_this_machine(toolwright: Command) -> None:
    """Tools can run here, and one just did."""
    ran = toolwright("doctor", "--json")
    document = json.loads(ran.stdout)
    assert (ran.returncode, document["ok"]) == (0, True)
    assert document["call"]["result"] == 5


@pytest.mark.slow
def test_bench_measures_floors_and_ours(toolwright: Command) -> None:
    """All figures are there and above zero; ours is far below `docker exec`."""
    ran = toolwright("bench", "--quick", "--only", "warm,cold,rate", "--calls", "30", "--concurrency", "2", "--json")
    assert ran.returncode == 0, ran.stderr
    document = json.loads(ran.stdout)
    assert min(document["floor"].values()) > 0
    assert document["execute_tool"]["p50_ms"] < document["floor"]["docker_exec_ms"]
    assert document["execute_tool"]["calls_per_second"] > 0
    assert document["cold"]["p50_ms"] > 0
    assert min(document["ratios"].values()) > 0


@pytest.mark.slow
def test_bench_of_one_section(toolwright: Command) -> None:
    """In a server of its own: every process of a call was seen to end, and the figure has its verdict."""
    ran = toolwright("bench", "--quick", "--only", "kill", "--json")
    assert ran.returncode == 0, ran.stderr
    document = json.loads(ran.stdout)
    assert document["sections"]["kill"]["tools"]["nine_processes"]["processes_seen"] == 9
    assert {one["name"] for one in document["figures"] if one["verdict"] != "not measured"} == {"kill"}
    assert document["skipped"]["warm"] == "not asked for"
