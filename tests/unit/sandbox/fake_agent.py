"""The other end of a sandbox's stream, played by a test, and the engine as far as a started sandbox asks it."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from toolwright.domain.call import ToolCall
from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Outcome
from toolwright.domain.source import ToolSource
from toolwright.sandbox.base import Cancellation
from toolwright.sandbox.container import DockerSandbox
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.frames import HEADER, FrameType, pack
from toolwright.sandbox.policy import SandboxPolicy
from toolwright.sandbox.transcript import CONFINED, RESULT_HEADER

S, R, X = FrameType.STARTED, FrameType.RESULT, FrameType.EXITED


@dataclass
class FakeAgent:
    """The other end of the stream."""

    peer: socket.socket
    report: bytes
    seen: list[tuple[FrameType, int]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def hear(self) -> int:
        """Read one frame from the controller; return its call id."""
        header = self._exactly(HEADER.size)
        _, _, kind, _, call_id, length = HEADER.unpack(header)
        self.seen.append((FrameType(kind), call_id))
        self.bodies.append(self._exactly(length))
        return int(call_id)

    def say(self, data: bytes, stream: int = 1) -> None:
        """Send bytes as the engine would pass them on."""
        self.peer.sendall(struct.pack(">BxxxI", stream, len(data)) + data)

    def end(self, call_id: int, result: bytes = b"1") -> None:
        """Send a good call's whole answer."""
        body = CONFINED + RESULT_HEADER.pack(0, len(result)) + result
        self.say(pack(S, call_id) + pack(R, call_id, body) + pack(X, call_id, self.report))

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.peer.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data


@dataclass
class FakeApi:
    """The two calls of the engine that a started sandbox makes."""

    killed: int = 0
    removed: int = 0
    fault: Exception | None = None

    def kill(self, container_id: str) -> None:
        self.killed += 1

    def remove_container(self, container_id: str, **options: Any) -> None:
        self.removed += 1
        if self.fault is not None:
            raise self.fault


@dataclass
class Rig:
    """A sandbox, and what it is joined to."""

    sandbox: DockerSandbox
    agent: FakeAgent
    api: FakeApi

    def run(self, script: Callable[[], None], *, cancellation: Cancellation | None = None, **limits: Any) -> Outcome:
        """Run one call while `script` plays the agent."""
        player = threading.Thread(target=script)
        player.start()
        try:
            return self.sandbox.run(
                ToolCall(ToolSource("def f(): ...", "f"), '{"a": 1}', Limits(**limits)), cancellation or Cancellation()
            )
        finally:
            player.join(10)
            assert not player.is_alive()


def make_rig(report: bytes, **policy: Any) -> Rig:
    """Join a sandbox to a fake agent and a fake engine."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(10)
    api = FakeApi()
    client: Any = SimpleNamespace(api=api)
    made = DockerSandbox(Engine("fake", client, "", {}), "c" * 64, ours, SandboxPolicy("sha256:0", "{}", **policy))
    return Rig(made, FakeAgent(theirs, report), api)
