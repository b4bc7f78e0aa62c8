"""PR: a tool's words on their way to people. It may say anything; nothing of it acts on a terminal or forges a log."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

from tests.security.kit.server_process import ServerProcess, serving
from toolwright.cli.application import execute
from toolwright.cli.world import World
from toolwright.domain.outcome import Status
from toolwright.domain.source import ToolSource
from toolwright.domain.task import AnswerKind
from toolwright.domain.tool import Demonstration, Description
from toolwright.errors import ModelError, ToolwrightError
from toolwright.llm.testing import ChatEndpoint, FromScript, Respond, completion
from toolwright.registry.signing import Signer
from toolwright.registry.testing import sample_task, sample_version, signed_record
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.policy import SandboxPolicy
from toolwright.v1 import execution_pb2, execution_pb2_grpc, types_pb2

pytestmark = [pytest.mark.security, pytest.mark.threat("T-API-03")]

COLOUR: Final = "\x1b[7;8;5m"
"""A colour that is none of ours: invisible, blinking text."""
_CONTROLS: Final = "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0)]))
_DECEIVING: Final = "\u202e\u2066\u2069\u200b\u200f\ufeff\u2028\u2029\U000e0041"
FORGED: Final = '{"event": "forged", "level": "error", "status": "SUCCESS"}'
HOSTILE: Final = (
    f"{COLOUR}\x1b[2J\x1b[1;1H\x1b]0;title\x07\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\"
    f"\x1b]52;c;Y3VybCBldmls\x07\x1bP$q\x1b\\\x9b31m\x9d52;c;eA==\x9c{_CONTROLS}{_DECEIVING}"
    f"[bold red]markup[/] [link=http://evil.example]x[/link]\r\n{FORGED}\r\n"
)
_COLOURS: Final = {"FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": "120"}
_OWN_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")
_ACTING: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})

TOOL: Final = f"""
import os, sys
HOSTILE = {HOSTILE!a}
class Odd(Exception):
    def __str__(self): return HOSTILE
Odd.__name__ = Odd.__qualname__ = HOSTILE[:100]
def returns():
    return [HOSTILE, {{HOSTILE: 1}}]
def prints():
    print(HOSTILE)
    sys.stderr.write(HOSTILE)
    sys.stdout.flush()
    os.write(1, bytes(range(256)))
    os.write(2, bytes(range(255, -1, -1)))
def raises():
    raise Odd
def chains():
    try:
        raise KeyError(HOSTILE)
    except KeyError as first:
        raise Odd from first
def groups():
    raise ExceptionGroup(HOSTILE, [ValueError(HOSTILE), Odd()])
def exits():
    sys.exit(HOSTILE)
def is_no_result():
    return {{HOSTILE}}
"""
ENDS: Final = {
    "returns": Status.SUCCESS,
    "prints": Status.SUCCESS,
    "raises": Status.TOOL_ERROR,
    "chains": Status.TOOL_ERROR,
    "groups": Status.TOOL_ERROR,
    "exits": Status.TOOL_ERROR,
    "is_no_result": Status.RESULT_INVALID,
}


@dataclass(frozen=True)
class Canaries:
    """Texts that must never reach the log."""

    key: str
    argument: str
    result: str
    printed: str
    raised: str
    source: str
    question: str
    idempotency: str

    @classmethod
    def planted(cls) -> Canaries:
        """Return new ones."""
        return cls(*(f"CANARY-{name}-{secrets.token_hex(8)}" for name in cls.__dataclass_fields__))


@dataclass(frozen=True)
class Said:
    """How a command ended, and all that it wrote."""

    status: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True)
class Range:
    """A server with a hostile tool in its registry, and models whose maker is hostile too."""

    server: ServerProcess
    models: ChatEndpoint
    canaries: Canaries
    directory: Path

    def process(self, *arguments: str) -> Said:
        """Run the installed command against the server as on a terminal with colours."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TOOLWRIGHT_", "OPENAI_"))}
        ended = subprocess.run(
            [str(Path(sys.executable).with_name("toolwright")), *arguments, "--server", self.server.address],
            capture_output=True,
            check=False,
            timeout=100,
            cwd=self.directory,
            env=kept | _COLOURS,
        )
        return Said(ended.returncode, ended.stdout, ended.stderr)


Cli = Callable[..., Said]
"""(arguments) → what a command said, run in this process: the same code without a second to load it each time."""


@pytest.fixture
def cli(at: Range, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Cli:
    """Run commands against the server as on a terminal with colours."""
    for name, value in _COLOURS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(at.directory)

    def run(*arguments: str) -> Said:
        capfdbinary.readouterr()
        status = execute([*arguments, "--server", at.server.address], World)
        written = capfdbinary.readouterr()
        return Said(int(status), written.out, written.err)

    return run


@pytest.fixture(scope="module")
def at(engine: Engine, policy: SandboxPolicy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Range]:
    """The range; at its end all that was done in it has been looked for in the log."""
    canaries, directory = Canaries.planted(), tmp_path_factory.mktemp("escaping")
    with ChatEndpoint() as models:
        settings = {
            "SANDBOX__IMAGE": policy.image_id,
            "SANDBOX__POOL__MAX_CONTAINERS": "2",
            "MODELS__DEFAULT__BASE_URL": models.base_url,
            "MODELS__DEFAULT__API_KEY": canaries.key,
            "MODELS__DEFAULT__MODEL": "offline-user",
            "MODELS__DEFAULT__MAX_RETRIES": "0",
            "MODELS__MAKER__MODEL": "hostile-maker",
            "MODELS__DISPATCHER__MODEL": "offline-dispatcher",
        }
        with serving(engine, directory / "state", **settings) as server, server.client() as client:
            assert client.healthy(), f"NOT PROVEN: the server does not serve: {server.log()}"
            with server.store() as store:
                _admit_hostile_tool(store, server.signer, policy.image_id)
            (directory / "tool.py").write_text(TOOL, encoding="utf-8")
            yield Range(server, models, canaries, directory)


def _admit_hostile_tool(store: Any, signer: Signer, image: str) -> None:
    """Keep a tool whose every text is hostile: worse than verification would let through."""
    parameters = {
        "type": "object",
        "properties": {"words": {"type": "array", "items": {"type": "string"}, "description": HOSTILE}},
        "required": ["words"],
        "additionalProperties": False,
        "description": HOSTILE,
    }
    version = replace(
        sample_version("sort_words"),
        source=ToolSource(
            f"{TOOL}\ndef sort_words(words):\n    print(HOSTILE)\n    return HOSTILE + ' '.join(sorted(words))\n",
            "sort_words",
        ),
        description=Description(HOSTILE, f"(words: list[str]) -> str{HOSTILE}", parameters),
        answer_kind=AnswerKind.TEXT,
        demonstrations=(
            # By which the dispatcher knows what the tool is for.
            Demonstration("Put these words into alphabetical order: b a", '{"words": ["b", "a"]}', "a b"),
            Demonstration(HOSTILE, json.dumps({"words": [HOSTILE]}), HOSTILE),
        ),
        task_description=HOSTILE,
    )
    task = replace(sample_task("sort_words"), description="Put words into alphabetical order.")
    store.admit(version, signed_record(signer, image, version, task_digest=task.digest), task)


def acting(raw: bytes) -> list[str]:
    """Return what of `raw` could act on a terminal or deceive its reader, colours of our own aside."""
    text = raw.decode("utf-8", "surrogateescape")
    found = [f"U+{ord(one):04X}" for one in _OWN_COLOURS.sub("", text) if _acts(one)]
    return found + (["a colour of the tool's"] if COLOUR in text else [])


def _acts(character: str) -> bool:
    return character not in "\n\t" and unicodedata.category(character) in _ACTING


def test_the_check_sees_what_it_should() -> None:
    """PR-31, control: raw hostile text is seen, in every kind of it."""
    for part in (COLOUR, "\x1b[2J", "\x1b]52;c;x\x07", "\x9b31m", "\r", "\u202e", "\u2028", "\x7f"):
        assert acting(part.encode()), repr(part)
    assert acting(b"\xff")
    assert not acting("\x1b[1;32mours\x1b[0m\n\ttext – 漢字".encode())


@pytest.mark.case("PR-31")
@pytest.mark.parametrize("function", ["prints", "raises"])
def test_pr_31_run_by_the_installed_command(at: Range, function: str) -> None:
    """PR-31: what a tool prints or raises is escaped by a process of its own too, with the streams it gives itself."""
    ran = at.process("run", "tool.py", "--function", function)

    assert ENDS[function].value.encode() in ran.stderr
    assert b"evil" in ran.stderr, "NOT PROVEN: nothing of it was shown"
    assert acting(ran.stdout) == []
    assert acting(ran.stderr) == []


@pytest.mark.case("PR-31")
@pytest.mark.parametrize("function", ENDS)
def test_pr_31_run(cli: Cli, function: str) -> None:
    """PR-31: what a tool returns, prints or raises is escaped on a terminal, and the verdict is not its to forge."""
    ran = cli("run", "tool.py", "--function", function)

    assert ENDS[function].value.encode() in ran.stderr
    assert (b"evil" in ran.stdout + ran.stderr) or function == "is_no_result", "NOT PROVEN: nothing of it was shown"
    assert acting(ran.stdout) == []
    assert acting(ran.stderr) == []


COMMANDS: Final[dict[str, tuple[str, ...]]] = {
    "call": ("call", "sort_words", "--args", '{"words": ["b", "a"]}'),
    "a call off the schema": ("call", "sort_words", "--args", json.dumps({"words": HOSTILE})),
    "a call with more than the schema": ("call", "sort_words", "--args", json.dumps({"words": ["a"], HOSTILE: 1})),
    "tools list": ("tools", "list"),
    "tools show": ("tools", "show", "sort_words"),
    "ask": ("ask", "Put these words into alphabetical order: pear apple", "--trace"),
    "a tool of an odd name": ("call", "no\x1b[2J\u202esuch", "--args", "{}"),
    "a file of an odd name": ("run", "no\x1b[2J\u202esuch\r.py", "--function", "f"),
    "an odd flag": ("call", "sort_words", "--no\x1b[2J\u202esuch"),
}


@pytest.mark.case("PR-31")
@pytest.mark.parametrize("name", COMMANDS)
def test_pr_31_other_commands(cli: Cli, name: str) -> None:
    """PR-31: results, docstrings, signatures, schemas, demonstrations and what a person mistyped are escaped."""
    ran = cli(*COMMANDS[name])

    word = b"such" if "odd" in name else b"evil"
    assert word in ran.stdout + ran.stderr, "NOT PROVEN: nothing of it was shown"
    assert acting(ran.stdout) == []
    assert acting(ran.stderr) == []


@pytest.mark.case("PR-31")
@pytest.mark.parametrize("arguments", [("run", "tool.py", "--function", "prints"), *list(COMMANDS.values())[:5]])
def test_pr_31_json(cli: Cli, arguments: tuple[str, ...]) -> None:
    """PR-31: with --json stdout is printable ASCII, one JSON document, whatever the tool says."""
    ran = cli(*arguments, "--json")

    assert all(0x20 <= byte < 0x7F or byte == 0x0A for byte in ran.stdout)
    assert isinstance(json.loads(ran.stdout), dict)
    assert json.loads(ran.stdout).get("event") != "forged"
    assert acting(ran.stderr) == []


def _block(code: str) -> str:
    return f"```python\n{code}\n```"


@pytest.mark.case("PR-31")
@pytest.mark.slow
def test_pr_31_make(at: Range, cli: Cli) -> None:
    """PR-31: a maker's prose, code that raises hostile errors, and a hostile docstring are escaped while it is made."""
    raising = f"{TOOL}\ndef put_words(words: list[str]) -> str:\n    'Sort: words.'\n    raises()"
    right = (
        f"def put_words(words: list[str]) -> str:\n    {HOSTILE!a}\n    return ' '.join(sorted(words))\n"
        f"put_words.__doc__ = 'Sort words. ' + {HOSTILE!a}\n"
    )
    at.models.will(
        completion(f"{HOSTILE} I would not."),
        completion(f"{HOSTILE}\n{_block(raising)}"),
        completion(f"{HOSTILE}\n{_block(right)}"),
        model="hostile-maker",
    )
    examples = [
        {"question": f"Put these words into alphabetical order: {words}", "answer": " ".join(sorted(words.split()))}
        for words in ("pear apple fig", "sun moon", "one two three", "red green blue", "cat ant bee")
    ]
    task = {"name": "put_words", "description": "Sort words.", "answer_kind": "text", "examples": examples}
    (at.directory / "task.json").write_text(json.dumps(task), encoding="utf-8")

    made = cli("make", "task.json")

    assert (made.status, b"made put_words@1" in made.stdout) == (0, True), made.stdout[-2000:]
    assert b"evil" in made.stdout, "NOT PROVEN: nothing of it was shown"
    assert acting(made.stdout) == []
    assert acting(made.stderr) == []
    assert acting(cli("tools", "show", "put_words").stdout) == []


@pytest.mark.case("PR-31")
@pytest.mark.parametrize(
    "request_",
    [
        execution_pb2.ExecuteToolRequest(tool="no\x1b[2J\u202e\r\nsuch"),
        execution_pb2.ExecuteToolRequest(tool="sort_words", arguments_json=json.dumps({HOSTILE: 1})),
        execution_pb2.ExecuteToolRequest(tool="sort_words", arguments_json=json.dumps({"words": HOSTILE})),
        execution_pb2.ExecuteToolRequest(tool="sort_words", arguments_json='{"words": ' + HOSTILE),
        execution_pb2.ExecuteToolRequest(source=types_pb2.ToolSource(code="x = 1\n", function=HOSTILE)),
        execution_pb2.ExecuteToolRequest(source=types_pb2.ToolSource(code=HOSTILE, function="f")),
    ],
)
def test_pr_31_messages_of_grpc(at: Range, request_: execution_pb2.ExecuteToolRequest) -> None:
    """PR-31: a status error that quotes what it was sent can be printed by any program as it is."""
    with grpc.insecure_channel(at.server.address) as channel, pytest.raises(grpc.RpcError) as refused:
        execution_pb2_grpc.ExecutionServiceStub(channel).ExecuteTool(request_, timeout=10)

    raised: Any = refused.value
    assert acting(raised.details().encode()) == []


_TRACEBACKS: Final[dict[str, tuple[str, Status]]] = {
    "through a library": ("import json\n    secret = 'LOCAL-' + 'CANARY'\n    json.loads('{')", Status.TOOL_ERROR),
    "a missing module": ("import nonesuch_module", Status.TOOL_ERROR),
    "a missing file": ("open('nonesuch.txt')", Status.TOOL_ERROR),
    "deep": ("f()", Status.TOOL_ERROR),
    "its own code object": (
        "secret = 'LOCAL-' + 'CANARY'\n    exec(compile('1/0', '/etc/passwd', 'exec'))",
        Status.TOOL_ERROR,
    ),
    "no Python": ("return (", Status.LOAD_ERROR),
}


@pytest.mark.case("PR-33")
@pytest.mark.parametrize("name", _TRACEBACKS)
def test_pr_33_tracebacks(at: Range, name: str) -> None:
    """PR-33: a traceback shows the tool's frames alone: no path of agent, library or host, and no local variable."""
    body, status = _TRACEBACKS[name]
    with at.server.client() as client:
        outcome = client.execute(ToolSource(f"def f():\n    {body}\n", "f")).outcome

    assert outcome.status is status
    assert outcome.failure is not None
    told = f"{outcome.failure.message}\n{outcome.failure.traceback}"
    forbidden = (
        "/usr/",
        "/lib/",
        "toolwright",
        "json/",
        "importlib",
        str(Path.cwd()),
        "/proc",
        "LOCAL-CANARY",
        "root:x",
    )
    assert [word for word in forbidden if word in told] == []
    assert not re.search(r"line 3\b", told) or "secret" in body


@pytest.mark.case("PR-31")
def test_pr_31_the_log_holds_neither_words_nor_lines_of_a_tool(at: Range) -> None:
    """PR-31: one event is one line of JSON; arguments, results, source, prints, errors and keys are in none of them."""
    canaries = at.canaries
    code = (
        f"# {canaries.source}\nimport sys\ndef f(secret, fail):\n    print({canaries.printed!r})\n"
        f"    print({FORGED!r}, file=sys.stderr)\n    if fail:\n        raise ValueError({canaries.raised!r})\n"
        f"    return {canaries.result!r}\n"
    )
    with at.server.client() as client:
        for number, fail in enumerate((False, True)):
            ended = client.execute(
                ToolSource(code, "f"),
                {"secret": canaries.argument, "fail": fail},
                idempotency_key=f"{canaries.idempotency}{number}",
            )
            assert ended.outcome.status is (Status.TOOL_ERROR if fail else Status.SUCCESS)
        _provoke(at, lambda: client.ask(f"Put these words into alphabetical order: {canaries.question}"))
        _provoke(at, lambda: client.execute(f"no {canaries.argument}"))
        _provoke(at, lambda: client.execute("sort_words", {}, idempotency_key=f"{canaries.idempotency}0"))

    log = at.server.log()
    events = [line for line in log.splitlines() if line.startswith("{")]
    assert any('"MODEL_REJECTED"' in line for line in events), "NOT PROVEN: nothing was logged"
    assert all(isinstance(json.loads(line), dict) for line in events)
    assert "forged" not in {json.loads(line).get("event") for line in events}
    assert acting(log.encode("utf-8", "surrogateescape")) == []
    assert [text for text in vars_of(canaries) if text in log] == []
    assert canaries.key in Path(f"/proc/{at.server.process.pid}/environ").read_text(encoding="utf-8"), "NOT PROVEN"


def vars_of(canaries: Canaries) -> list[str]:
    """Return all texts that were planted."""
    return [getattr(canaries, name) for name in Canaries.__dataclass_fields__]


def _provoke(at: Range, call: Callable[[], object]) -> None:
    """Make a call while the models' endpoint answers with hostile words and the key that it was sent."""
    message = f"{HOSTILE} bad key {at.canaries.key}"
    at.models.will(Respond(401, {"error": {"message": message}}), model="offline-dispatcher")
    with suppress(ModelError, ToolwrightError):
        call()
        pytest.fail("NOT PROVEN: it should have failed")
    at.models.will(FromScript(), model="offline-dispatcher")


@pytest.mark.case("PR-31")
def test_pr_31_the_registry_holds_no_words_of_calls(at: Range) -> None:
    """PR-31: records of calls hold hashes: no argument, result or print, so no forged record can be among them."""
    recorded, said = at.server.executions(), f"CANARY-{secrets.token_hex(8)}"
    forged = {"execution_id": said, "status": "SUCCESS", "tool": "sort_words@1"}
    with at.server.client() as client:
        source = ToolSource("def f(x):\n    print(x)\n    raise ValueError(x)\n", "f")
        ran = client.execute(source, {"x": f"\n{json.dumps(forged)}\n"})

    assert said in ran.outcome.stdout.text
    assert at.server.executions() == recorded + 1
    raw = b"".join(path.read_bytes() for path in at.server.state_dir.glob("registry.db*"))
    assert ran.execution_id.encode() in raw, "NOT PROVEN: the record is kept elsewhere"
    assert said.encode() not in raw
