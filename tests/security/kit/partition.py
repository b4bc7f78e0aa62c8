"""A connection that can stop to carry anything, without either side being told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Wire:
    """Forwards connections to a server until it is cut."""

    address: str
    _listener: socket.socket
    _server: tuple[str, int]
    _cut: threading.Event = field(default_factory=threading.Event)
    _open: list[socket.socket] = field(default_factory=list)

    def cut(self) -> None:
        """Carry nothing any more. Both sides' connections stay open, and what they send is taken and lost."""
        self._cut.set()

    def accept(self) -> None:
        """Take connections until the listener is closed."""
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._server)
            self._open += [client, server]
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self._copy, args=(one, other), daemon=True).start()

    def close(self) -> None:
        """End all connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for one in (self._listener, *self._open):
            with suppress(OSError):
                one.close()

    def _copy(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65_536):
                if not self._cut.is_set():
                    other.sendall(data)
        if not self._cut.is_set():
            with suppress(OSError):
                other.shutdown(socket.SHUT_WR)


@contextmanager
def partitioned(address: str) -> Iterator[Wire]:
    """Stand between clients and the server at `address` (`host:port`)."""
    host, _, port = address.rpartition(":")
    listener = socket.create_server(("127.0.0.1", 0))
    wire = Wire(f"127.0.0.1:{listener.getsockname()[1]}", listener, (host, int(port)))
    threading.Thread(target=wire.accept, daemon=True).start()
    try:
        yield wire
    finally:
        wire.close()
