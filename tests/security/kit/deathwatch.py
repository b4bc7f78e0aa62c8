"""Tells to the millisecond when the last process of a call was gone, from the host's process table."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from docker.errors import APIError, NotFound

from toolwright.attacks.proof import not_proven, shown
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.frames import MuxDecoder
from toolwright.sandbox.owner import owner_label
from toolwright.sandbox.policy import LABEL_OWNER, LABEL_ROLE

# A look is no snapshot: a process that forks and ends while it is taken may be missed once, but not three times.
_PROGRAM = r"""
import json, os, sys, time

def alive(root, agent):
    found = 0
    for name in os.listdir(root):
        if name.isdecimal() and int(name) not in agent:
            try:
                with open(f"{root}/{name}/stat") as file:
                    found += file.read().rpartition(")")[2].split()[0] not in "ZX"
            except OSError:
                continue
    return found

def watch(init, agent):
    root, most, none_since, looks = f"/proc/{init}/root/proc", 0, 0.0, 0
    while looks < 3 or not most:
        now = time.monotonic()
        try:
            found = alive(root, agent)
        except OSError:
            return [most, now]
        if found:
            most, looks = max(most, found), 0
        else:
            none_since, looks = none_since if looks else now, looks + 1
        time.sleep(0.001)
    return [most, none_since]

print(time.monotonic(), flush=True)
for line in sys.stdin:
    print(json.dumps(watch(*json.loads(line))), flush=True)
"""


@dataclass(frozen=True, slots=True)
class Death:
    """How a call went, seen from the host."""

    most: int
    """Most processes of it seen at one time."""
    at: float
    """When the last of them was gone, by the machine's monotonic clock."""


class Deathwatch:
    """Watches one call at a time."""

    def __init__(self, channel: socket.socket) -> None:
        """Speak to the program in the watching container over `channel`."""
        self._channel = channel
        self._mux = MuxDecoder()
        self._buffer = b""

    def begin(self, init: int, agent: list[int]) -> None:
        """Watch the container whose first process has the host's number `init`, from before the call.

        Args:
            init: of the container's PID 1.
            agent: numbers, in the container, of what lives there between calls.
        """
        self._channel.sendall(json.dumps([init, agent]).encode() + b"\n")

    def end(self) -> Death:
        """Wait until everything of the call is gone."""
        most, at = json.loads(self._line())
        return Death(most, at)

    def await_ready(self) -> None:
        """Wait until the program answers.

        Raises:
            NotProven: its clock is another than ours: the engine is on another machine.
        """
        shown(abs(time.monotonic() - float(self._line())) < 1, "the engine's machine has another clock")

    def _line(self) -> bytes:
        while b"\n" not in self._buffer:
            data = self._channel.recv(65_536)
            if not data:
                not_proven(f"the watch ended: {self._mux.stderr.decode(errors='backslashreplace')}")
            self._buffer += self._mux.feed(data)
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line


@contextmanager
def watching(engine: Engine, image: str) -> Iterator[Deathwatch]:
    """Start a watch from the sandbox image; it ends with the `with`, or with this process."""
    containers: Any = engine.client.containers  # its types know less than it takes
    container = containers.create(
        image,
        entrypoint=["/usr/bin/python3.13", "-I", "-S", "-c", _PROGRAM],
        command=[],
        user="0:0",
        pid_mode="host",
        userns_mode="host",
        network_mode="none",
        read_only=True,
        cap_drop=["ALL"],
        # To look into another container's /proc.
        cap_add=["SYS_PTRACE", "DAC_READ_SEARCH"],
        mem_limit="64m",
        pids_limit=8,
        stdin_open=True,
        auto_remove=True,
        log_config={"Type": "none", "Config": {}},
        labels={LABEL_OWNER: owner_label(), LABEL_ROLE: "observer"},
    )
    try:
        # docker-py hides the socket in a read-only file.
        response: Any = container.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
        channel: socket.socket = response._sock.dup()
        response._response.close()
        channel.settimeout(20)
        with channel:
            container.start()
            watch = Deathwatch(channel)
            watch.await_ready()
            yield watch
    finally:
        with suppress(NotFound, APIError):
            container.remove(force=True)
