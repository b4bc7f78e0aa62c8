"""The server of `server_program`, in a process of its own: what it says, what it logs, and what it takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf.descriptor import MethodDescriptor

from tests.fuzz.protocol import declared, path_of
from toolwright.services.options import client_options
from toolwright.v1 import execution_pb2

UNHARMED: Final = "unharmed"
"""A tool that no request made at random names."""
ROOT: Final = Path(__file__).resolve().parents[2]
_STOP_S: Final = 30.0
_CALL_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a call ended."""

    code: grpc.StatusCode
    text: str
    replies: Sequence[bytes]
    fault: grpc.RpcError | None


def call(channel: grpc.Channel, method: MethodDescriptor, *messages: bytes, **options: Any) -> Ended:
    """Send raw messages to a method, and read all of its answer."""
    opened: Any = channel
    path = path_of(method)
    if method.client_streaming:
        begun: Any = opened.stream_stream(path)(iter(messages), timeout=_CALL_S, **options)
    else:  # a stream of one is what a unary answer is, on the wire
        begun = opened.unary_stream(path)(messages[0], timeout=_CALL_S, **options)
    replies: list[bytes] = []
    try:
        replies.extend(begun)
    except grpc.RpcError as fault:
        return Ended(begun.code(), str(begun.details()), replies, fault)
    return Ended(begun.code(), "", replies, None)


def check(channel: grpc.Channel, method: MethodDescriptor, *messages: bytes) -> Ended:
    """Send raw messages, and return how the call ended.

    Raises:
        AssertionError: in a code that the method does not declare.
    """
    ended = call(channel, method, *messages)
    if method.name == "ExecuteBatch":  # each of its calls has a code of its own
        codes = {execution_pb2.ExecuteBatchResponse.FromString(reply).error.code for reply in ended.replies}
        assert codes <= {code.value[0] for code in declared(method)}, f"{messages!r:.4000} is answered with {codes}"
    assert ended.code in declared(method), f"{method.name}{messages!r:.4000} is {ended.code.name}: {ended.text}"
    return ended


@dataclass(frozen=True, slots=True)
class FuzzedServer:
    """A server, a connection to it, and its log."""

    process: subprocess.Popen[str]
    address: str
    channel: grpc.Channel
    log: Path
    state: Path

    def memory(self, field: str = "VmRSS") -> int:
        """Return bytes that the server has now (`VmRSS`), or had at most (`VmHWM`)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(field + ":"))

    def faults(self) -> Sequence[str]:
        """Return the lines of its log that tell a fault of ours."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return [line for line in lines if "unexpected fault" in line or "Traceback" in line or "Exception" in line]


@contextmanager
def fuzzed_server(directory: Path) -> Iterator[FuzzedServer]:
    """Start a server that keeps its state and its log in `directory`; at the end it has to go in peace."""
    log, state = directory / "server.log", directory / "state"
    command = [sys.executable, "-m", "tests.fuzz.server_program", str(state)]
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sink, text=True
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        assert said, f"NOT PROVEN: no server started: {log.read_text(encoding='utf-8')[-2_000:]}"
        address = str(json.loads(said)["address"])
        with grpc.insecure_channel(address, options=client_options()) as channel:
            yield FuzzedServer(process, address, channel, log, state)
        process.stdin.close()
        assert process.wait(_STOP_S) == 0
    finally:
        process.kill()
        process.wait(_STOP_S)
        process.stdin.close()
        process.stdout.close()
