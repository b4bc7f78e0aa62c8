"""A connection of a client for asyncio: calls, streams, pages, and what becomes of their faults."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from toolwright.client import messages
from toolwright.client.batch import CONNECT_S
from toolwright.client.pages import Page
from toolwright.client.values import DEFAULT_TARGET
from toolwright.errors import CallCancelled, NotReady, ServerUnavailable, ToolwrightError
from toolwright.services.options import client_options
from toolwright.v1 import execution_pb2_grpc, ledger_pb2_grpc, solve_pb2_grpc, tools_pb2_grpc

Message = TypeVar("Message")


class AsyncConnection:
    """A connection to a Toolwright server, for one event loop. Close it, or use it in `async with`."""

    def __init__(
        self, target: str = DEFAULT_TARGET, timeout_s: float = 60.0, *, connect_timeout_s: float = 2.0
    ) -> None:
        """Prepare a connection; needs a running event loop. Arguments as for `Client`."""
        self.target = target
        self._timeout_s = messages.check_timeout(timeout_s)
        self._connect_timeout_s = connect_timeout_s
        self._closed = False
        self._channel = grpc.aio.insecure_channel(target, options=client_options())
        self._executions = execution_pb2_grpc.ExecutionServiceStub(self._channel)
        self._tools = tools_pb2_grpc.ToolServiceStub(self._channel)
        self._solving = solve_pb2_grpc.SolveServiceStub(self._channel)
        self._ledger = ledger_pb2_grpc.LedgerServiceStub(self._channel)
        self._health = health_pb2_grpc.HealthStub(self._channel)

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection."""
        await self.close()

    async def close(self) -> None:
        """Close the connection; calls in flight are cancelled."""
        self._closed = True
        await self._channel.close()

    async def healthy(self, *, timeout_s: float = 5.0) -> bool:
        """Return whether a server answers and takes calls."""
        self._refuse_if_closed()
        try:
            check = self._health.Check  # type: ignore[attr-defined]  # made at run time
            reply = await check(health_pb2.HealthCheckRequest(), timeout=timeout_s)
        except grpc.RpcError:
            return False
        return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)

    async def _connect(self, clock: messages.Clock) -> None:
        check = self._health.Check  # type: ignore[attr-defined]  # made at run time
        patience_s = min(clock.left_s, CONNECT_S)
        try:
            await self._unary(lambda left: check(health_pb2.HealthCheckRequest(), timeout=left), patience_s)
        except (ServerUnavailable, NotReady):
            raise
        except ToolwrightError:
            pass  # as in `Client`

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise messages.closed()

    async def _unary(self, call: Callable[[float], Awaitable[Message]], timeout_s: float | None) -> Message:
        clock = messages.Clock.start(self._timeout_s if timeout_s is None else timeout_s, self._connect_timeout_s)
        while True:
            self._refuse_if_closed()
            try:
                return await call(clock.left_s)
            except grpc.RpcError as raised:
                if not clock.may_retry(raised):
                    raise messages.fault_of(
                        raised, self.target, timeout_s=clock.timeout_s, late=messages.KILLED
                    ) from None
            except asyncio.CancelledError:
                refuse_if_interrupted()
                raise
            await asyncio.sleep(messages.RETRY_PAUSE_S)

    async def _pages(
        self, ask: Callable[[str, float], Awaitable[Page]], timeout_s: float | None
    ) -> AsyncIterator[Page]:
        """Give all pages of a listing, each asked for as it is needed, with the token of the one before."""
        token = ""
        while True:
            page = await self._unary(partial(ask, token), timeout_s)
            yield page
            token = page.next_page_token
            if not token:
                return

    async def _stream(
        self,
        call: Callable[[float], grpc.aio.UnaryStreamCall[Any, Message]],
        timeout_s: float,
        late: str = messages.KILLED,
    ) -> AsyncIterator[Message]:
        clock = messages.Clock.start(timeout_s, self._connect_timeout_s)
        while True:
            self._refuse_if_closed()
            events = call(clock.left_s)
            try:
                async for event in events:
                    yield event
                return
            except grpc.RpcError as raised:
                if not clock.may_retry(raised):
                    raise messages.fault_of(raised, self.target, timeout_s=clock.timeout_s, late=late) from None
            except asyncio.CancelledError:
                refuse_if_interrupted()
                raise
            finally:
                events.cancel()  # a caller that stops reading must not leave the server sending
            await asyncio.sleep(messages.RETRY_PAUSE_S)


def refuse_if_interrupted() -> None:
    """Raise a fault of ours if the call was cancelled, but not the task that waits for it: the client was closed."""
    task = asyncio.current_task()
    if task is not None and not task.cancelling():
        raise CallCancelled("the client was closed while the call was running; the tool was killed") from None
