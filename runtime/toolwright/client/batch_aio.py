"""The requests of a batch for asyncio: a task sends them, as far as there is room."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import aclosing
from typing import Any

import grpc
import grpc.aio
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # it ships no stubs

from toolwright.client.batch import BatchLedger
from toolwright.domain.batch import BatchAnswer, BatchCall
from toolwright.v1 import execution_pb2


class LoopFeed:
    """Sends requests, and waits where too many have no answer."""

    def __init__(self, calls: Iterable[BatchCall] | AsyncIterable[BatchCall], in_flight: int) -> None:
        """Send `calls`, at most `in_flight` without an answer."""
        self.ledger = BatchLedger()
        self._calls = calls
        self._slots = asyncio.Semaphore(in_flight)

    async def send_all(self, stream: grpc.aio.StreamStreamCall[Any, Any]) -> None:
        """Send each call once there is room for it, then half-close; raises what the calls raise."""
        try:
            await stream.wait_for_connection()
            async with aclosing(_each(self._calls)) as calls:
                await self._slots.acquire()
                async for call in calls:
                    if not await _sent(stream, self.ledger.send(call)):
                        return
                    await self._slots.acquire()
        except grpc.RpcError:
            return  # the stream is over; whoever reads it learns why
        finally:
            if not stream.done():
                await stream.done_writing()

    def read(self, message: execution_pb2.ExecuteBatchResponse) -> BatchAnswer:
        """Return an answer, and let another call be sent."""
        answer = self.ledger.read(message)
        self._slots.release()
        return answer


async def _sent(stream: Any, request: execution_pb2.ExecuteBatchRequest) -> bool:  # noqa: ANN401 - see below
    """Send `request`; return whether the stream still took it.

    Not by `stream.write`: where the server has just ended the stream, that makes its own INTERNAL of it, and the
    status that the server gave is lost.
    """
    try:
        await stream._cython_call.send_serialized_message(request.SerializeToString())  # noqa: SLF001 - as said
    except cygrpc.BaseError:
        return False
    return True


async def _each(calls: Iterable[BatchCall] | AsyncIterable[BatchCall]) -> AsyncGenerator[BatchCall, None]:
    if isinstance(calls, AsyncIterable):
        async for call in calls:
            yield call
    else:
        for call in calls:
            yield call
