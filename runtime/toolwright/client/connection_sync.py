"""A connection of a client for threads: calls, streams, pages, and what becomes of their faults."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import TracebackType
from typing import Protocol, Self, TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from toolwright.client import messages
from toolwright.client.batch import CONNECT_S
from toolwright.client.pages import Page
from toolwright.client.values import DEFAULT_TARGET
from toolwright.errors import NotReady, ServerUnavailable, ToolwrightError
from toolwright.services.options import client_options
from toolwright.v1 import execution_pb2_grpc, ledger_pb2_grpc, solve_pb2_grpc, tools_pb2_grpc

Message = TypeVar("Message")
_Begun = TypeVar("_Begun")
_Sent_co = TypeVar("_Sent_co", covariant=True)


class _Events(Protocol[_Sent_co]):
    """The messages of a stream, as gRPC gives them."""

    def __iter__(self) -> Iterator[_Sent_co]: ...

    def cancel(self) -> bool: ...


class Connection:
    """A connection to a Toolwright server. Safe to use from many threads; close it, or use it in `with`."""

    def __init__(
        self, target: str = DEFAULT_TARGET, timeout_s: float = 60.0, *, connect_timeout_s: float = 2.0
    ) -> None:
        """Prepare a connection; it is made by the first call.

        Args:
            target: `host:port` or `unix:/path`.
            timeout_s: seconds that a call may take, where it does not say otherwise.
            connect_timeout_s: seconds to go on trying while no server answers; 0 to try once.
        """
        self.target = target
        self._timeout_s = messages.check_timeout(timeout_s)
        self._connect_timeout_s = connect_timeout_s
        self._closed = threading.Event()
        self._channel = grpc.insecure_channel(target, options=client_options())
        self._executions = execution_pb2_grpc.ExecutionServiceStub(self._channel)
        self._tools = tools_pb2_grpc.ToolServiceStub(self._channel)
        self._solving = solve_pb2_grpc.SolveServiceStub(self._channel)
        self._ledger = ledger_pb2_grpc.LedgerServiceStub(self._channel)
        self._health = health_pb2_grpc.HealthStub(self._channel)

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection; calls in flight end with `CallCancelled`."""
        self._closed.set()
        self._channel.close()

    def healthy(self, *, timeout_s: float = 5.0) -> bool:
        """Return whether a server answers and takes calls."""
        request = health_pb2.HealthCheckRequest()
        try:
            check = self._health.Check  # type: ignore[attr-defined]  # made at run time
            reply = self._begin(lambda: check(request, timeout=timeout_s))
        except grpc.RpcError:
            return False
        return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)

    def _connect(self, clock: messages.Clock) -> None:
        """Be sure that there is a connection, so that a batch is begun only once.

        Raises:
            ServerUnavailable: there is none. NotReady: this client is closed.
        """
        check = self._health.Check  # type: ignore[attr-defined]  # made at run time
        patience_s = min(clock.left_s, CONNECT_S)
        try:
            self._unary(lambda left: check(health_pb2.HealthCheckRequest(), timeout=left), patience_s)
        except (ServerUnavailable, NotReady):
            raise
        except ToolwrightError:
            pass  # something answers there: what it has against the batch it says itself

    def _begin(self, call: Callable[[], _Begun]) -> _Begun:
        try:
            return call()
        except ValueError:  # how gRPC says that the channel is closed, whichever thread did it
            if self._closed.is_set():
                raise messages.closed() from None
            raise

    def _unary(self, call: Callable[[float], Message], timeout_s: float | None) -> Message:
        clock = messages.Clock.start(self._timeout_s if timeout_s is None else timeout_s, self._connect_timeout_s)
        while True:
            try:
                return self._begin(lambda: call(clock.left_s))
            except grpc.RpcError as raised:
                if not clock.may_retry(raised):
                    raise messages.fault_of(
                        raised, self.target, timeout_s=clock.timeout_s, late=messages.KILLED
                    ) from None
            time.sleep(messages.RETRY_PAUSE_S)

    def _pages(self, ask: Callable[[str, float], Page], timeout_s: float | None) -> Iterator[Page]:
        """Give all pages of a listing, each asked for as it is needed, with the token of the one before."""
        token = ""
        while True:
            page = self._unary(partial(ask, token), timeout_s)
            yield page
            token = page.next_page_token
            if not token:
                return

    def _stream(
        self, call: Callable[[float], _Events[Message]], timeout_s: float, late: str = messages.KILLED
    ) -> Iterator[Message]:
        clock = messages.Clock.start(timeout_s, self._connect_timeout_s)
        while True:
            events = self._begin(lambda: call(clock.left_s))
            try:
                yield from events
                return
            except grpc.RpcError as raised:
                if not clock.may_retry(raised):
                    raise messages.fault_of(raised, self.target, timeout_s=clock.timeout_s, late=late) from None
            finally:
                events.cancel()  # a caller that stops reading must not leave the server sending
            time.sleep(messages.RETRY_PAUSE_S)
