"""The client for asyncio. The same methods as `Client`, with the same meaning and errors; see there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable, Mapping, Sequence
from typing import Any

import grpc
import grpc.aio

from toolwright.client import messages
from toolwright.client.batch import DEFAULT_IN_FLIGHT, LONGEST_S, check_in_flight
from toolwright.client.batch_aio import LoopFeed
from toolwright.client.connection_aio import refuse_if_interrupted
from toolwright.client.lives_aio import AsyncClientLives
from toolwright.client.makings_aio import AsyncClientMakings
from toolwright.client.misses_aio import AsyncClientMisses
from toolwright.client.values import Reverified, ToolDetails, answer_of
from toolwright.domain.batch import BatchAnswer, BatchCall
from toolwright.domain.call import Isolation, Operation
from toolwright.domain.cost_report import CostQuestion, CostReport
from toolwright.domain.events import Answered, SolveEvent
from toolwright.domain.limits import LimitsRequest
from toolwright.domain.outcome import Execution
from toolwright.domain.source import ToolSource
from toolwright.domain.task import Task
from toolwright.domain.tool import ToolInfo
from toolwright.errors import CallCancelled
from toolwright.services.convert.costs import question_to_wire, report_from_wire
from toolwright.services.convert.events import solve_from_wire
from toolwright.services.convert.execution import execution_from_wire
from toolwright.services.convert.tools import tool_from_wire
from toolwright.v1 import (
    tools_pb2,
)


class AsyncClient(AsyncClientLives, AsyncClientMakings, AsyncClientMisses):
    """A connection to a Toolwright server, for one event loop. Close it, or use it in `async with`.

    Cancelling a task that waits in `execute` kills the call.

    Example:
        >>> async with AsyncClient("127.0.0.1:7433") as client:
        ...     execution = await client.execute("word_sort", {"words": ["b", "a"]})
        ...     async for tool in client.list_tools():
        ...         print(tool.reference)
    """

    async def execute(  # noqa: PLR0913 - the fields of the request
        self,
        tool: str | ToolSource,
        arguments: Mapping[str, Any] | None = None,
        *,
        arguments_json: str | None = None,
        limits: LimitsRequest | None = None,
        idempotency_key: str = "",
        operation: Operation = Operation.CALL,
        isolation: Isolation | None = None,
        bypass_cache: bool = False,
        timeout_s: float | None = None,
    ) -> Execution:
        """Run one call in a sandbox and wait for its end; see `Client.execute`."""
        request = messages.execute_request(
            tool,
            arguments,
            arguments_json=arguments_json,
            limits=limits,
            idempotency_key=idempotency_key,
            operation=operation,
            isolation=isolation,
            bypass_cache=bypass_cache,
        )
        reply = await self._unary(lambda left: self._executions.ExecuteTool(request, timeout=left), timeout_s)
        return messages.read(execution_from_wire, reply)

    def execute_batch(
        self,
        calls: Iterable[BatchCall] | AsyncIterable[BatchCall],
        *,
        in_flight: int = DEFAULT_IN_FLIGHT,
        timeout_s: float | None = None,
    ) -> AsyncIterator[BatchAnswer]:
        """Run many calls at once, and give each one's answer as it comes; see `Client.execute_batch`.

        `calls` may be asynchronous; it is read in a task of its own.
        """
        check_in_flight(in_flight)
        clock = messages.Clock.start(LONGEST_S if timeout_s is None else timeout_s, self._connect_timeout_s)
        return self._batch(LoopFeed(calls, in_flight), clock)

    async def register(
        self, task: Task, source: ToolSource, *, actor: str = "", timeout_s: float | None = None
    ) -> ToolInfo:
        """Take a person's code through the same checks; see `Client.register`."""
        request = messages.register_request(task, source, actor)
        reply = await self._unary(
            lambda left: self._tools.RegisterTool(request, timeout=left), messages.long(timeout_s)
        )
        return messages.read(tool_from_wire, reply.tool)

    async def get_tool(self, reference: str, *, timeout_s: float | None = None) -> ToolDetails:
        """Return a version with its source and verification record; see `Client.get_tool`."""
        request = messages.get_request(reference)
        reply = await self._unary(lambda left: self._tools.GetTool(request, timeout=left), timeout_s)
        return messages.read(messages.details_from_wire, reply)

    async def list_tools(self, *, timeout_s: float | None = None) -> AsyncIterator[ToolInfo]:
        """Give the newest version of each tool, by name; see `Client.list_tools`."""

        def ask(token: str, left: float) -> Awaitable[tools_pb2.ListToolsResponse]:
            return self._tools.ListTools(tools_pb2.ListToolsRequest(page_token=token), timeout=left)

        async for page in self._pages(ask, timeout_s):
            for tool in page.tools:
                yield messages.read(tool_from_wire, tool)

    async def search_tools(self, query: str, *, limit: int = 0, timeout_s: float | None = None) -> list[ToolInfo]:
        """Return the tools that share words with `query`, best first; see `Client.search_tools`."""
        request = messages.search_request(query, limit)
        reply = await self._unary(lambda left: self._tools.SearchTools(request, timeout=left), timeout_s)
        return [messages.read(tool_from_wire, tool) for tool in reply.tools]

    def solve(  # noqa: PLR0913 - the fields of the request
        self,
        question: str,
        *,
        tool: str = "",
        among: Sequence[str] = (),
        dispatch_only: bool = False,
        bypass_cache: bool = False,
        timeout_s: float | None = None,
    ) -> AsyncIterator[SolveEvent]:
        """Have a question answered; see `Client.solve`."""
        request = messages.solve_request(question, tool, among, dispatch_only=dispatch_only, bypass_cache=bypass_cache)
        events = self._stream(lambda left: self._solving.Solve(request, timeout=left), messages.long(timeout_s))
        return (messages.read(solve_from_wire, event) async for event in events)

    async def report(
        self,
        execution_id: str,
        *,
        correct: bool,
        answer: str = "",
        actor: str = "",
        timeout_s: float | None = None,
    ) -> bool:
        """Say whether an answer was right; see `Client.report`."""
        request = messages.report_request(execution_id, correct=correct, answer=answer, actor=actor)
        reply = await self._unary(lambda left: self._tools.ReportOutcome(request, timeout=left), timeout_s)
        return reply.recorded

    async def verify(self, reference: str, *, actor: str = "", timeout_s: float | None = None) -> Reverified:
        """Have a kept version verified again; see `Client.verify`."""
        request = messages.verify_request(reference, actor)
        reply = await self._unary(lambda left: self._tools.VerifyTool(request, timeout=left), messages.long(timeout_s))
        return messages.read(messages.reverified_from_wire, reply)

    async def ask(self, question: str, *, tool: str = "", timeout_s: float | None = None) -> Answered:
        """Return the answer to a question; see `Client.ask`."""
        last: SolveEvent | None = None
        async for event in self.solve(question, tool=tool, timeout_s=timeout_s):
            last = event
        return answer_of(last)

    async def get_costs(self, asked: CostQuestion | None = None, *, timeout_s: float | None = None) -> CostReport:
        """Return what models cost, and which tools have paid for themselves; see `Client.get_costs`."""
        question = asked or CostQuestion()
        request = question_to_wire(question)
        reply = await self._unary(lambda left: self._ledger.GetCosts(request, timeout=left), timeout_s)
        return messages.read(lambda message: report_from_wire(message, question.by), reply)

    async def _batch(self, feed: LoopFeed, clock: messages.Clock) -> AsyncIterator[BatchAnswer]:
        await self._connect(clock)
        stream = self._executions.ExecuteBatch(timeout=clock.left_s)
        sending = asyncio.create_task(feed.send_all(stream))
        try:
            async for answer in stream:
                yield feed.read(answer)
            await sending
            feed.ledger.check_complete()
        except grpc.RpcError as raised:
            fault = messages.fault_of(raised, self.target, timeout_s=clock.timeout_s, late=messages.KILLED)
            raise feed.ledger.ended(fault) from None
        except asyncio.CancelledError:
            try:
                refuse_if_interrupted()
            except CallCancelled as fault:
                raise feed.ledger.ended(fault) from None
            raise
        finally:
            stream.cancel()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
