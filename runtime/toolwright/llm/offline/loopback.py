"""The life of a small HTTP server on the loopback interface: bind, serve in threads, stop at once."""

from __future__ import annotations

import logging
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

_POLL_S = 0.05
_STOP_S = 5.0
_log = logging.getLogger(__name__)


class LoopbackServer:
    """Serves HTTP on 127.0.0.1, a free port, between `with` and its end; a thread for each connection."""

    def __init__(self, handler: Callable[..., BaseHTTPRequestHandler]) -> None:
        """`handler` is made for each connection, as in `http.server`."""
        self._handler = handler
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """Where it listens.

        Raises:
            RuntimeError: it is not running.
        """
        if self._server is None:
            raise RuntimeError("the server is not running; use it as a context manager")
        return self._server.server_port

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), self._handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_S,), name=type(self).__name__, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.stop()
        if self._thread is not None:
            self._thread.join()


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # of 5, callers in parallel would be refused

    def __init__(self, address: tuple[str, int], handler: Callable[..., BaseHTTPRequestHandler]) -> None:
        self._serving: dict[threading.Thread, socket.socket] = {}
        self._lock = threading.Lock()
        super().__init__(address, handler)

    def server_bind(self) -> None:
        # HTTPServer would ask the resolver for the host's full name, which can take seconds
        self.socket.bind(self.server_address)
        host, port = self.socket.getsockname()[:2]
        self.server_address = (host, port)
        self.server_name, self.server_port = host, port

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as in socketserver
        thread = threading.Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        with self._lock:
            self._serving = {busy: open_one for busy, open_one in self._serving.items() if busy.is_alive()}
            self._serving[thread] = request
            thread.start()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002 - as in socketserver
        if not isinstance(sys.exception(), OSError):  # a caller who went away is no news
            _log.exception("the loopback server failed on a request")

    def stop(self) -> None:
        """Stop listening, end idle connections, and wait for their threads."""
        self.shutdown()
        self.server_close()
        with self._lock:
            serving = dict(self._serving)
        for connection in serving.values():
            with suppress(OSError):  # the other side, or its thread, was faster
                connection.shutdown(socket.SHUT_RDWR)
        for thread in serving:
            thread.join(_STOP_S)
