"""Stands between a server and its container engine, and answers in the engine's place as a test says."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_HEAD_END: Final = b"\r\n\r\n"
_VERSION: Final = re.compile(r"^/v[0-9.]+(?=/)")
_CONNECTION: Final = re.compile(rb"(?im)^connection: (?!upgrade).*\r\n")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that came."""

    method: str
    path: str
    """Without the API's version; with the query."""
    at: float
    """By the monotonic clock."""

    @property
    def makes(self) -> bool:
        """Whether a container is to be made."""
        return self.method == "POST" and self.path.startswith("/containers/create")

    @property
    def is_ping(self) -> bool:
        """Whether it only asks what engine that is."""
        return self.path.partition("?")[0] in {"/version", "/info", "/_ping"}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is answered instead."""

    answer: bytes | None = b""
    """Bytes after which the connection ends; None for the engine's own answer."""
    forward: bool = False
    """Whether the engine gets the request nevertheless, and its answer is lost."""
    delay_s: float = 0.0
    """Seconds until anything happens."""
    instead: tuple[bytes, bytes] | None = None
    """What to put in another's place in the request, of the same length."""


def answering(status: int, body: bytes, *, claims: int | None = None) -> Fault:
    """Answer with `body`, and a length of `claims` bytes if that is another one."""
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {claims or len(body)}\r\n"
    return Fault(head.encode() + b"Connection: close\r\n\r\n" + body)


def refusing(message: str) -> Fault:
    """Answer with status 500 and a message, as the engine does."""
    return answering(500, json.dumps({"message": message}).encode())


EOF: Final = Fault()
LOST: Final = Fault(forward=True)
"""The engine does it; nobody hears of that."""
MALFORMED: Final = answering(201, b'{"Id": "0123')
CUT: Final = answering(201, b'{"Id": "0123', claims=4_000)
OTHER_JSON: Final = answering(201, b"[1, null]")
NO_HTTP: Final = Fault(b"\x00\x01\x02 no HTTP\r\n\r\n")


Rule = Callable[[Asked], Fault | None]


@dataclass
class EngineProxy:
    """Forwards each request to the engine, unless `rule` gives a fault for it."""

    address: str
    """Where to find it, as a Docker host."""
    _engine: str
    _listener: socket.socket | None = None
    rule: Rule = lambda _: None
    asked: list[Asked] = field(default_factory=list)
    _open: set[socket.socket] = field(default_factory=set)

    @property
    def path(self) -> Path:
        """The socket."""
        return Path(self.address.removeprefix("unix://"))

    def appear(self) -> None:
        """Listen."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.path))
        listener.listen(64)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def vanish(self) -> None:
        """Be gone, socket and all, and break what is open, as an engine does that is killed."""
        if self._listener is not None:
            # The thread that waits in `accept` would keep the socket open.
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self.path.unlink(missing_ok=True)
        for one in list(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def failing(self, fault: Fault, *, when: Callable[[Asked], bool] = lambda _: True) -> Iterator[None]:
        """Give `fault` to the requests of which `when` holds."""
        self.rule = lambda asked: fault if when(asked) else None
        try:
            yield
        finally:
            self.rule = lambda _: None

    def made_since(self, moment: float) -> int:
        """Return how many containers were asked for since `moment`."""
        return sum(one.makes and one.at >= moment for one in list(self.asked))

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._open.add(client)
        try:
            with client, suppress(OSError):
                self._serve_one(client)
        finally:
            self._open.discard(client)

    def _serve_one(self, client: socket.socket) -> None:
        head, rest = _read_head(client)
        if not head:
            return
        method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
        asked = Asked(method, _VERSION.sub("", path), time.monotonic())
        self.asked.append(asked)
        fault = self.rule(asked)
        if fault is not None:
            time.sleep(fault.delay_s)
            if fault.instead is not None:
                rest = (rest + _body(client, head, len(rest))).replace(*fault.instead)
            if fault.answer is not None and not fault.forward:
                rest += _body(client, head, len(rest))
                client.sendall(fault.answer)
                return
        with socket.socket(socket.AF_UNIX) as engine:
            engine.connect(self._engine)
            engine.sendall(_one_shot(head) + rest)
            if fault is not None and fault.forward:
                engine.sendall(_body(client, head, len(rest)))
                _drain(engine)
                return
            _join(client, engine)


def _read_head(client: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while _HEAD_END not in data:
        more = client.recv(65_536)
        if not more:
            return b"", b""
        data += more
    head, _, rest = data.partition(_HEAD_END)
    return head + _HEAD_END, rest


def _one_shot(head: bytes) -> bytes:
    """Return `head` so that the engine ends the connection after its answer: each request is then seen."""
    if b"upgrade:" in head.lower():
        return head
    return _CONNECTION.sub(b"", head).replace(_HEAD_END, b"\r\nConnection: close" + _HEAD_END, 1)


def _body(client: socket.socket, head: bytes, have: int) -> bytes:
    """Return what is still to come of the request's body."""
    found = re.search(rb"(?im)^content-length: *([0-9]+)", head)
    missing = (int(found.group(1)) if found else 0) - have
    body = b""
    while len(body) < missing and (more := client.recv(65_536)):
        body += more
    return body


def _drain(engine: socket.socket) -> None:
    while engine.recv(65_536):
        pass


def _join(one: socket.socket, other: socket.socket) -> None:
    """Copy both ways until both have ended."""

    def copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    there = threading.Thread(target=copy, args=(one, other), daemon=True)
    there.start()
    copy(other, one)
    # The engine has ended: what the client still has open speaks to nobody.
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    there.join()


@contextmanager
def proxied(engine_address: str, directory: Path) -> Iterator[EngineProxy]:
    """Stand before the engine at `engine_address`, with a socket in `directory`."""
    assert engine_address.startswith("unix://"), f"NOT PROVEN: the engine is at {engine_address}, no local socket"
    proxy = EngineProxy(f"unix://{directory}/engine.sock", engine_address.removeprefix("unix://"))
    proxy.appear()
    try:
        yield proxy
    finally:
        proxy.vanish()
