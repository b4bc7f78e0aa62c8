"""Both clients behind one face, so that each promise is checked for both."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import pytest

from toolwright.client import AsyncClient, Client, Reverified, ToolDetails
from toolwright.domain.batch import BatchAnswer
from toolwright.domain.cost_report import CostReport
from toolwright.domain.events import Answered, MakingEvent, SolveEvent
from toolwright.domain.making import MakingDetails, MakingInfo
from toolwright.domain.miss import Miss, MissGroup
from toolwright.domain.outcome import Execution
from toolwright.domain.tool import ToolInfo

STREAMS = {
    "execute_batch",
    "make",
    "follow_making",
    "list_makings",
    "list_tools",
    "list_tool_events",
    "solve",
    "miss_groups",
}


class AnyClient(Protocol):
    """What tests ask of a client; streams are read to their end."""

    def execute(self, *args: Any, **kwargs: Any) -> Execution: ...
    def execute_batch(self, *args: Any, **kwargs: Any) -> list[BatchAnswer]: ...
    def make(self, *args: Any, **kwargs: Any) -> list[MakingEvent]: ...
    def follow_making(self, making_id: str) -> list[MakingEvent]: ...
    def list_makings(self, **kwargs: Any) -> list[MakingInfo]: ...
    def get_making(self, making_id: str) -> MakingDetails: ...
    def cancel_making(self, making_id: str, **kwargs: Any) -> MakingInfo: ...
    def register(self, *args: Any, **kwargs: Any) -> ToolInfo: ...
    def get_tool(self, reference: str) -> ToolDetails: ...
    def list_tools(self) -> list[ToolInfo]: ...
    def solve(self, *args: Any, **kwargs: Any) -> list[SolveEvent]: ...
    def ask(self, *args: Any, **kwargs: Any) -> Answered: ...
    def search_tools(self, query: str, *, limit: int = 0) -> list[ToolInfo]: ...
    def miss_groups(self) -> list[MissGroup]: ...
    def misses(self, group: str) -> tuple[MissGroup, list[Miss]]: ...
    def answer_miss(self, miss: str, answer: str, *, actor: str = "") -> tuple[Miss, MissGroup]: ...
    def get_costs(self, *args: Any, **kwargs: Any) -> CostReport: ...
    def report(self, *args: Any, **kwargs: Any) -> bool: ...
    def verify(self, *args: Any, **kwargs: Any) -> Reverified: ...
    def healthy(self) -> bool: ...
    def close(self) -> None: ...


class Connect(Protocol):
    """Connects a client of one kind to an address."""

    def __call__(self, target: str, **options: Any) -> AbstractContextManager[AnyClient]: ...


class ThreadFace:
    """`Client` with its streams read to their end."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)
        if name in STREAMS:
            return lambda *args, **kwargs: list(method(*args, **kwargs))
        return method  # type: ignore[no-any-return]  # one of the client's methods


class LoopFace:
    """`AsyncClient` in a loop of its own thread; streams are read to their end."""

    def __init__(self, client: AsyncClient, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self._client, self._run = client, run

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)
        if name in STREAMS:
            return lambda *args, **kwargs: self._run(_all(lambda: method(*args, **kwargs)))
        return lambda *args, **kwargs: self._run(method(*args, **kwargs))


async def _all(stream: Callable[[], AsyncIterator[Any]]) -> list[Any]:
    return [event async for event in stream()]


@contextmanager
def connect_thread(target: str, **options: Any) -> Iterator[Any]:
    """Connect a `Client`."""
    with Client(target, **options) as client:
        yield ThreadFace(client)


@contextmanager
def connect_loop(target: str, **options: Any) -> Iterator[Any]:
    """Connect an `AsyncClient`."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(30)

    async def connected() -> AsyncClient:
        return AsyncClient(target, **options)

    client: AsyncClient = run(connected())

    async def closed() -> None:
        await client.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)  # so that each caller gets its end

    try:
        yield LoopFace(client, run)
    finally:
        run(closed())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture(params=["thread", "loop"])
def connect(request: pytest.FixtureRequest) -> Connect:
    """How to connect a client of each kind."""
    return connect_thread if request.param == "thread" else connect_loop
