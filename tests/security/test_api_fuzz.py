"""AP, without an engine: requests that no honest client sends. Over TCP, to a server in a process of its own.

Its registry, its services and its offline model are real; its sandboxes are scripted.
"""

from __future__ import annotations

import json
import random
import re
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz import mutants, requests
from tests.fuzz.chance import SEED
from tests.fuzz.mutants import HOSTILE_TEXTS, nested_groups, nested_struct, tagged, unknown_any
from tests.fuzz.protocol import METHODS, declared, path_of
from tests.fuzz.server import UNHARMED, FuzzedServer, call, check, fuzzed_server
from toolwright.client import Client
from toolwright.domain.limits import MIB
from toolwright.domain.tool import Demonstration
from toolwright.errors import ServiceFault
from toolwright.registry.open import open_store
from toolwright.registry.testing import sample_record, sample_task, sample_version
from toolwright.services.convert.execution import MAX_IDEMPOTENCY_KEY_CHARS
from toolwright.services.options import client_options
from toolwright.services.status import from_status
from toolwright.services.testing import ScriptedExecutor, parts, serving
from toolwright.v1 import execution_pb2, tools_pb2, types_pb2

pytestmark = [pytest.mark.security, pytest.mark.threat("T-API-01", "T-API-03")]

_BROKEN: Final = frozenset({grpc.StatusCode.INVALID_ARGUMENT})
_NAMES: Final = [method.name for method in METHODS]
_MAKE: Final = METHODS[_NAMES.index("MakeTool")]
_EXECUTE: Final = METHODS[_NAMES.index("ExecuteTool")]
_ADD: Final = execution_pb2.ExecuteToolRequest(tool=UNHARMED, arguments_json='{"a": 1, "b": 2}').SerializeToString()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FuzzedServer]:
    """A server; at the end it still serves, and has logged no fault of ours."""
    with fuzzed_server(tmp_path_factory.mktemp("fuzzed")) as one:
        yield one
        with Client(one.address) as client:
            assert client.healthy(timeout_s=5.0)
            assert client.execute(UNHARMED, {"a": 1, "b": 2}).outcome.result_json == '{"a":1,"b":2}'
        assert one.faults() == []


@pytest.fixture
def bounded(server: FuzzedServer) -> Iterator[FuzzedServer]:
    """The server, which has at most 64 MiB more after the test than before."""
    # Once, so that what is loaded when it is first asked for does not count: the SDK of models above all.
    with Client(server.address) as client:
        assert list(client.solve("What is 1 + 2?", tool=UNHARMED))
    before = server.memory()
    yield server
    assert server.memory() - before < 64 * MIB


def test_every_method_of_the_protos_is_fuzzed() -> None:
    """AP-22: the list of methods is the descriptors' own, and each declares what it answers."""
    assert {path_of(method) for method in METHODS} == set(requests.handlers())
    assert all(declared(method) >= {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT} for method in METHODS)
    assert not any(declared(method) & {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN} for method in METHODS)


@pytest.mark.case("AP-22")
@seed(SEED)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(METHODS), st.randoms(use_true_random=False))
def test_ap_22_a_mutated_request(bounded: FuzzedServer, method: MethodDescriptor, chance: random.Random) -> None:
    """AP-22: whatever its bytes, a request ends in a code that its method declares, and never in INTERNAL."""
    messages = [mutants.mutant(method.input_type, chance) for _ in range(3 if method.client_streaming else 1)]

    check(bounded.channel, method, *messages)


@pytest.mark.case("AP-22")
@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_ap_22_a_hundred_thousand_mutants(bounded: FuzzedServer) -> None:
    """AP-22: 100,000 mutants of all request types: declared codes only, no fault in the log, no memory that stays."""
    chance, codes = random.Random(SEED), Counter[tuple[str, grpc.StatusCode]]()
    # Few mutants of a task are still one, so more of them are made.
    methods = [*METHODS, *[_MAKE] * 6]
    for _ in range(100_000):
        method = chance.choice(methods)
        messages = [mutants.mutant(method.input_type, chance) for _ in range(2 if method.client_streaming else 1)]
        codes[method.name, check(bounded.channel, method, *messages).code] += 1

    # That so many were refused proves nothing if none got past the first check.
    passed = {name for (name, code) in codes if code is grpc.StatusCode.OK}
    assert passed >= {"ExecuteTool", "GetTool", "ListTools", "MakeTool", "Solve"}, codes
    assert {name for name, _ in codes} == set(_NAMES)


_MALFORMED: Final = {
    "10,000 groups deep": nested_groups(10_000),
    "a group without its end": nested_groups(1)[:2],
    "an end without its group": tagged(1, 4, b""),
    "wire type 6": tagged(1, 6, b""),
    "wire type 7": tagged(1, 7, b""),
    "a varint of eleven bytes": b"\x08" + b"\xff" * 10 + b"\x01",
    "a length beyond the end": b"\x0a\x7f",
    "a length of 2 GiB": b"\x0a\xff\xff\xff\xff\x07",
    "a length below zero": b"\x0a" + b"\xff" * 9 + b"\x01",
}
_FOREIGN: Final = {
    "a Struct 10,000 deep": nested_struct(10_000),
    "an Any of an unknown type": unknown_any(),
    "99 groups deep": nested_groups(99),
    "the largest field number": tagged(2**29 - 1, 2, b"\xff" * 100),
}


@pytest.mark.case("AP-22")
@pytest.mark.parametrize("name", _MALFORMED)
def test_ap_22_bytes_that_are_no_message(server: FuzzedServer, name: str) -> None:
    """AP-22: for every request type they are INVALID_ARGUMENT."""
    answers = {method.name: check(server.channel, method, _MALFORMED[name]).code for method in METHODS}

    assert {name: code for name, code in answers.items() if code not in _BROKEN} == {}


@pytest.mark.case("AP-22")
@pytest.mark.parametrize("name", _FOREIGN)
def test_ap_22_fields_of_another_protocol(server: FuzzedServer, name: str) -> None:
    """AP-22: an unknown field is passed over unread, however deep: a request with one is as it is without."""
    for method in METHODS:
        plain = check(server.channel, method, b"")
        assert check(server.channel, method, _FOREIGN[name]).code is plain.code, method.name


_PAYLOADS: Final = ((0, b"\xff" * 9 + b"\x01"), (1, b"\xff" * 8), (2, b"\xff"), (5, b"\x00\x00\xc0\x7f"))


@pytest.mark.case("AP-22")
def test_ap_22_wrong_wire_types_and_extreme_values(server: FuzzedServer) -> None:
    """AP-22: each field in each wire type, at an extreme of it: no code but those declared."""
    checked = 0
    for method in METHODS:
        for field in method.input_type.fields:
            for wire_type, payload in (
                (0, b"\xff" * 9 + b"\x01"),
                (1, b"\xff" * 8),
                (2, b"\xff"),
                (5, b"\x00\x00\xc0\x7f"),
            ):
                check(server.channel, method, tagged(field.number, wire_type, payload))
                checked += 1
    assert checked > 4 * len(METHODS)


_SAYS_SO: Final = re.compile("ExecuteTool.* is INTERNAL", re.DOTALL)


def _faulty(_request: object, _scope: object) -> Any:
    raise ZeroDivisionError("put in on purpose")


def test_ap_22_control() -> None:
    """AP-22, control: a fault behind the services is INTERNAL, and the check that all of the above rests on says so."""
    message = execution_pb2.ExecuteToolRequest(tool=UNHARMED).SerializeToString()
    with (
        serving(parts(executor=ScriptedExecutor(_faulty))) as address,
        grpc.insecure_channel(address) as channel,
        pytest.raises(AssertionError, match=_SAYS_SO),
    ):
        check(channel, _EXECUTE, message)
    with pytest.raises(AssertionError, match=_SAYS_SO):
        requests.check(bytes([METHODS.index(_EXECUTE)]) + message, requests.handlers(ScriptedExecutor(_faulty)))


# --- compression --------------------------------------------------------------------------------

_BOMB: Final = tagged(2, 2, bytes(60 * MIB))
"""Gzip makes a thousandth of it."""


@pytest.mark.case("AP-23")
@pytest.mark.parametrize("name", _NAMES)
def test_ap_23_gzip_bomb(server: FuzzedServer, name: str) -> None:
    """AP-23: a compressed request is UNIMPLEMENTED before it is unpacked: the server's memory never grows by it."""
    method = METHODS[_NAMES.index(name)]
    before = server.memory("VmHWM")

    ended = call(server.channel, method, _BOMB, compression=grpc.Compression.Gzip)

    assert ended.code is grpc.StatusCode.UNIMPLEMENTED
    assert "gzip" in ended.text
    assert server.memory("VmHWM") - before < 8 * MIB


@pytest.mark.case("AP-23")
def test_ap_23_deflate_and_small_ones(server: FuzzedServer) -> None:
    """AP-23: so are the other algorithm, and a request that is small either way."""
    for algorithm in (grpc.Compression.Deflate, grpc.Compression.Gzip):
        for message in (_BOMB, tagged(1, 2, b"add" + bytes(200))):
            assert call(server.channel, _EXECUTE, message, compression=algorithm).code is grpc.StatusCode.UNIMPLEMENTED


@contextmanager
def _unbounded_server(behaviour: Callable[[bytes, grpc.ServicerContext], bytes]) -> Iterator[str]:
    """Serve ExecuteTool with gRPC's own options, but for the size of messages."""
    with ThreadPoolExecutor(1) as workers:
        plain = grpc.server(workers, options=[("grpc.max_receive_message_length", 64 * MIB)])
        service = str(_EXECUTE.containing_service.full_name)
        handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(behaviour)
        plain.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"ExecuteTool": handler}),))
        port = plain.add_insecure_port("127.0.0.1:0")
        plain.start()
        yield f"127.0.0.1:{port}"
        plain.stop(0).wait()


@pytest.mark.case("AP-23")
def test_ap_23_control(server: FuzzedServer) -> None:
    """AP-23, control: they get in where compression is on; uncompressed they are refused by their size."""
    got: list[int] = []

    def count(raw: bytes, _context: grpc.ServicerContext) -> bytes:
        got.append(len(raw))
        return b""

    with _unbounded_server(count) as address, grpc.insecure_channel(address, options=client_options()) as channel:
        call(channel, _EXECUTE, _BOMB, compression=grpc.Compression.Gzip)
    ended = call(server.channel, _EXECUTE, _BOMB)

    assert got == [len(_BOMB)]
    assert ended.code is grpc.StatusCode.RESOURCE_EXHAUSTED


# --- texts --------------------------------------------------------------------------------------

FieldPath = tuple[FieldDescriptor, ...]
_WORKED_OUT: Final = ("root:x:", "uid=", "<class", "<function", "object at 0x", "one statement at a time", "Traceback")
"""What a text comes to when someone reads a file by it, runs it, formats with it, or puts it into SQL or a template."""


def _text_fields(message: Descriptor, above: FieldPath = ()) -> Iterator[FieldPath]:
    for field in message.fields:
        if field.type == FieldDescriptor.TYPE_STRING:
            yield (*above, field)
        elif field.message_type is not None and field not in above:
            yield from _text_fields(field.message_type, (*above, field))


_FIELDS: Final = [(method, path) for method in METHODS for path in _text_fields(method.input_type)]


def _honest(message: Message, text: str, path: FieldPath, which: int = 0) -> Message:
    """Fill in every field as an honest caller would, but for the one that `path` leads to: that gets `text`."""
    exclusive = {"source": "tool", "tool": "source"}.get(path[0].name) if path else "source"
    for field in message.DESCRIPTOR.fields:
        on_path = path[1:] if path and field == path[0] else ()
        if field.type == FieldDescriptor.TYPE_STRING:
            value = text if path == (field,) else mutants.fitting(field.name, which)
            if field.is_repeated:
                getattr(message, field.name).extend([value] if path == (field,) else [])
            elif field.name != exclusive or path == (field,):
                setattr(message, field.name, value)
        elif field.type == FieldDescriptor.TYPE_MESSAGE and (on_path or field.name != exclusive):
            inner: Any = getattr(message, field.name)
            _honest(inner.add() if field.is_repeated else inner, text, on_path, int(field.name == "held_out"))
    return message


def _request(method: MethodDescriptor, path: FieldPath, text: str) -> bytes:
    message = _honest(GetMessageClass(method.input_type)(), text, path)
    return message.SerializeToString()


@pytest.mark.case("AP-24")
@pytest.mark.parametrize(
    ("method", "path"), _FIELDS, ids=[f"{method.name}-{'.'.join(one.name for one in path)}" for method, path in _FIELDS]
)
def test_ap_24_a_hostile_text_in_each_field(server: FuzzedServer, method: MethodDescriptor, path: FieldPath) -> None:
    """AP-24: in every text field of every request a text is a text: refused by name, or kept; never worked out."""
    for what, text in HOSTILE_TEXTS.items():
        ended = check(server.channel, method, _request(method, path, text))

        said = ended.text + b"".join(ended.replies).decode("utf-8", "replace")
        assert not [sign for sign in _WORKED_OUT if sign in said and sign not in text], (what, said)
        if ended.fault is not None:
            assert type(from_status(ended.fault)) is not ServiceFault, (what, ended.text)
            assert len(ended.text) < 2_000
    assert check(server.channel, _EXECUTE, _ADD).code is grpc.StatusCode.OK


def test_ap_24_control() -> None:
    """AP-24, control: what such texts come to, where someone works them out, is what is looked for above."""
    worked_out = {
        "format": HOSTILE_TEXTS["format"].format(ScriptedExecutor()),
        "absolute path": Path(HOSTILE_TEXTS["absolute path"]).read_text(encoding="utf-8"),
        "shell": subprocess.run(["sh", "-c", f"echo {HOSTILE_TEXTS['shell']}"], capture_output=True, text=True).stdout,  # noqa: PLW1510 - its words count
    }
    with closing(sqlite3.connect(":memory:")) as database, pytest.raises(sqlite3.Error) as fault:
        database.execute(f"SELECT '{HOSTILE_TEXTS['SQL']}'")
    worked_out["SQL"] = str(fault.value)

    assert {what for what, text in worked_out.items() if any(sign in text for sign in _WORKED_OUT)} == set(worked_out)


@pytest.mark.case("AP-24")
def test_ap_24_the_registry_and_the_log_after_it_all(server: FuzzedServer) -> None:
    """AP-24: the registry is whole, no table is gone, and the log is one JSON object a line without odd characters."""
    for method, path in _FIELDS:
        for text in ("SQL", "line ends", "terminal", "right to left"):
            check(server.channel, method, _request(method, path, HOSTILE_TEXTS[text]))
    for text in HOSTILE_TEXTS.values():
        # An answer that is no choice: the making ends early, and the log names the example.
        task = tools_pb2.Task(name="sums", description=text, answer_kind=types_pb2.ANSWER_KIND_CHOICE)
        task.training.add(id=f"t{text[:100]}", question=f"{text}?", answer=f"{text}.")
        task.held_out.add(id=f"h{text[:100]}", question=f"{text}!", answer=f"{text}.")
        check(server.channel, _MAKE, tools_pb2.MakeToolRequest(task=task).SerializeToString())

    with closing(sqlite3.connect(f"file:{server.state}/registry.db?mode=ro", uri=True)) as registry:
        assert registry.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        tables = {name for (name,) in registry.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {"tasks", "tool_versions", "executions"} <= tables
    lines = server.log.read_text(encoding="utf-8").splitlines()
    assert sum('"example ' in line for line in lines) >= len(HOSTILE_TEXTS) - 1, "NOT PROVEN: the log names no example"
    for line in lines:
        assert line.isascii()
        assert line.isprintable()
        assert _GRPCS_OWN.match(line) or "event" in json.loads(line)


_GRPCS_OWN: Final = re.compile(r"[EWI]\d{4} [\d:.]+ +\d+ \w+\.cc:\d+\] ")
"""What gRPC's core says of a connection goes to stderr past all logging."""


def _keys() -> list[str]:
    """Return keys that no other test sends."""
    texts = [*HOSTILE_TEXTS.values(), "\u00e9", "ADD", "add", "add "]
    return [key for text in texts if len(key := text + "\u2713") <= MAX_IDEMPOTENCY_KEY_CHARS]


@pytest.mark.case("AP-24")
def test_ap_24_idempotency_keys_are_compared_as_they_are(server: FuzzedServer) -> None:
    """AP-24: of keys that look alike, are normalised alike or end alike, no two are one; the same is the same."""
    with Client(server.address) as client:

        def run(key: str) -> str:
            return client.execute(UNHARMED, {"a": 1, "b": 2}, idempotency_key=key).execution_id

        first = [run(key) for key in _keys()]
        again = [run(key) for key in _keys()]

    assert len(set(first)) == len(_keys())
    assert again == first


@pytest.mark.case("AP-24")
def test_ap_24_texts_of_a_tool_come_back_as_they_are(server: FuzzedServer) -> None:
    """AP-24: hostile texts that a tool brings with it are kept and given out to the last character."""
    texts = "\n".join(HOSTILE_TEXTS.values())
    shown = tuple(Demonstration(text, "{}", text) for text in HOSTILE_TEXTS.values())
    usual = sample_version("hostile")
    version = replace(
        usual, description=replace(usual.description, summary=texts), demonstrations=shown, task_description=texts
    )
    store = open_store(server.state / "registry.db")
    try:
        store.admit(version, sample_record(version, "v-hostile"), sample_task("hostile"))
    finally:
        store.close()

    with Client(server.address) as client:
        tool = client.get_tool("hostile").info
        listed = next(one for one in client.list_tools() if one.name == "hostile")

    assert tool.summary == texts
    assert tool.demonstrations == shown
    assert listed == tool
