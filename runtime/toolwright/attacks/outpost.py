"""A container of our own that sees the host's processes, and a program in it that answers line by line."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from docker.errors import APIError, NotFound

from toolwright.attacks.proof import not_proven
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.frames import MuxDecoder
from toolwright.sandbox.owner import owner_label
from toolwright.sandbox.policy import LABEL_OWNER, LABEL_ROLE


class Outpost:
    """The stream to the program."""

    def __init__(self, channel: socket.socket) -> None:
        """Speak over `channel`, an attached stream."""
        self._channel = channel
        self._mux = MuxDecoder()
        self._buffer = b""

    def send(self, question: object) -> None:
        """Send a line of JSON."""
        self._channel.sendall(json.dumps(question).encode() + b"\n")

    def line(self) -> bytes:
        """Return the next line that it says, without its end.

        Raises:
            NotProven: it ended.
            TimeoutError: it says nothing.
        """
        while b"\n" not in self._buffer:
            data = self._channel.recv(65_536)
            if not data:
                not_proven(f"the view from outside ended: {self._mux.stderr.decode(errors='backslashreplace')}")
            self._buffer += self._mux.feed(data)
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line


@contextmanager
def manned(engine: Engine, image: str, program: str, *, timeout_s: float) -> Iterator[Outpost]:
    """Run `program` in a container that sees the host's process table; it ends with the `with`, or with this process.

    Args:
        engine: where.
        image: the sandbox image.
        program: in Python.
        timeout_s: longest wait for a line of it, in seconds.
    """
    containers: Any = engine.client.containers  # its types know less than it takes
    container = containers.create(
        image,
        entrypoint=["/usr/bin/python3.13", "-I", "-S", "-c", program],
        command=[],
        user="0:0",
        pid_mode="host",
        userns_mode="host",
        network_mode="none",
        read_only=True,
        cap_drop=["ALL"],
        # To read other processes' descriptors, root directories and namespaces.
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
        channel: socket.socket = response._sock.dup()  # noqa: SLF001 - as above
        response._response.close()  # noqa: SLF001 - as above
        channel.settimeout(timeout_s)
        with channel:
            container.start()
            yield Outpost(channel)
    finally:
        with suppress(NotFound, APIError):
            container.remove(force=True)
