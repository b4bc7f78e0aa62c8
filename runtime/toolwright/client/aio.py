"""The client for asyncio. The same methods as `Client`, with the same meaning and errors; see there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from toolwright.client import messages
from toolwright.client.batch import CONNECT_S, DEFAULT_IN_FLIGHT, LONGEST_S, check_in_flight
from toolwright.client.batch_aio import LoopFeed
from toolwright.client.lives_aio import AsyncClientLives
from toolwright.client.values import DEFAULT_TARGET, Reverified, ToolDetails, answer_of
from toolwright.domain.batch import BatchAnswer, BatchCall
from toolwright.domain.call import Isolation, Operation
from toolwright.domain.cost_report import CostQuestion, CostReport
from toolwright.domain.events import Answered, MakingEvent, SolveEvent
from toolwright.domain.job import Budget
from toolwright.domain.limits import LimitsRequest
from toolwright.domain.making import MakingDetails, MakingInfo
from toolwright.domain.miss import Miss, MissGroup
from toolwright.domain.outcome import Execution
from toolwright.domain.source import ToolSource
from toolwright.domain.task import Task
from toolwright.domain.tool import ToolInfo
from toolwright.errors import CallCancelled, NotReady, ServerUnavailable, ToolwrightError
from toolwright.services.convert.costs import question_to_wire, report_from_wire
from toolwright.services.convert.events import making_from_wire, solve_from_wire
from toolwright.services.convert.execution import execution_from_wire
from toolwright.services.convert.makings import making_details_from_wire, making_info_from_wire
from toolwright.services.convert.misses import group_from_wire, miss_from_wire
from toolwright.services.convert.tools import tool_from_wire
from toolwright.services.options import client_options
from toolwright.v1 import (
    execution_pb2_grpc,
    ledger_pb2_grpc,
    makings_pb2,
    solve_pb2,
    solve_pb2_grpc,
    tools_pb2,
    tools_pb2_grpc,
)

Message = TypeVar("Message")


class AsyncClient(AsyncClientLives):
    """A connection to a Toolwright server, for one event loop. Close it, or use it in `async with`.

    Cancelling a task that waits in `execute` kills the call.

    Example:
        >>> async with AsyncClient("127.0.0.1:7433") as client:
        ...     execution = await client.execute("word_sort", {"words": ["b", "a"]})
        ...     async for tool in client.list_tools():
        ...         print(tool.reference)
    """

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

    def make(
        self,
        task: Task,
        *,
        attempts: int = 0,
        budget: Budget | None = None,
        candidates: int = 0,
        timeout_s: float | None = None,
    ) -> AsyncIterator[MakingEvent]:
        """Have a tool made; see `Client.make`."""
        request = messages.make_request(task, attempts, budget, candidates)
        events = self._stream(
            lambda left: self._tools.MakeTool(request, timeout=left), messages.long(timeout_s), messages.MAKING_GOES_ON
        )
        return (messages.read(making_from_wire, event) async for event in events)

    def follow_making(self, making_id: str, *, timeout_s: float | None = None) -> AsyncIterator[MakingEvent]:
        """Give the events of a making from its start to its end; see `Client.follow_making`."""
        request = makings_pb2.FollowMakingRequest(making_id=making_id)
        events = self._stream(
            lambda left: self._tools.FollowMaking(request, timeout=left),
            messages.long(timeout_s),
            messages.MAKING_GOES_ON,
        )
        return (messages.read(making_from_wire, event.step) async for event in events)

    async def list_makings(
        self, *, task: str = "", open_only: bool = False, timeout_s: float | None = None
    ) -> AsyncIterator[MakingInfo]:
        """Give makings, newest first; see `Client.list_makings`."""
        token = ""
        while True:
            request = makings_pb2.ListMakingsRequest(task=task, open_only=open_only, page_token=token)
            page = await self._unary(partial(self._makings_page, request), timeout_s)
            for making in page.makings:
                yield messages.read(making_info_from_wire, making)
            token = page.next_page_token
            if not token:
                return

    async def get_making(self, making_id: str, *, timeout_s: float | None = None) -> MakingDetails:
        """Return a making with its attempts; see `Client.get_making`."""
        request = makings_pb2.GetMakingRequest(making_id=making_id)
        reply = await self._unary(lambda left: self._tools.GetMaking(request, timeout=left), timeout_s)
        return messages.read(making_details_from_wire, reply)

    async def cancel_making(self, making_id: str, *, reason: str = "", timeout_s: float | None = None) -> MakingInfo:
        """End a making; see `Client.cancel_making`."""
        request = messages.cancel_request(making_id, reason)
        reply = await self._unary(lambda left: self._tools.CancelMaking(request, timeout=left), timeout_s)
        return messages.read(making_info_from_wire, reply.making)

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
        page = await self._page("", timeout_s)
        while True:
            for tool in page.tools:
                yield messages.read(tool_from_wire, tool)
            if not page.next_page_token:
                return
            page = await self._page(page.next_page_token, timeout_s)

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

    async def miss_groups(self, *, timeout_s: float | None = None) -> AsyncIterator[MissGroup]:
        """Give the groups of questions that no tool fitted; see `Client.miss_groups`."""
        page = await self._misses_page("", "", timeout_s)
        while True:
            for group in page.groups:
                yield messages.read(group_from_wire, group)
            if not page.next_page_token:
                return
            page = await self._misses_page("", page.next_page_token, timeout_s)

    async def misses(self, group: str, *, timeout_s: float | None = None) -> tuple[MissGroup, list[Miss]]:
        """Return a group of misses, and its questions; see `Client.misses`."""
        page = await self._misses_page(messages.check_group(group), "", timeout_s)
        found = messages.read(group_from_wire, page.groups[0])
        misses = list(page.misses)
        while page.next_page_token:
            page = await self._misses_page(group, page.next_page_token, timeout_s)
            misses += page.misses
        return found, [messages.read(miss_from_wire, miss) for miss in misses]

    async def answer_miss(
        self, miss: str, answer: str, *, actor: str = "", timeout_s: float | None = None
    ) -> tuple[Miss, MissGroup]:
        """Keep a person's answer to a question that no tool fitted; see `Client.answer_miss`."""
        request = messages.answer_miss_request(miss, answer, actor)
        reply = await self._unary(lambda left: self._solving.AnswerMiss(request, timeout=left), timeout_s)
        return messages.read(miss_from_wire, reply.miss), messages.read(group_from_wire, reply.group)

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

    async def healthy(self, *, timeout_s: float = 5.0) -> bool:
        """Return whether a server answers and takes calls."""
        self._refuse_if_closed()
        try:
            check = self._health.Check  # type: ignore[attr-defined]  # made at run time
            reply = await check(health_pb2.HealthCheckRequest(), timeout=timeout_s)
        except grpc.RpcError:
            return False
        return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)

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
                _refuse_if_interrupted()
            except CallCancelled as fault:
                raise feed.ledger.ended(fault) from None
            raise
        finally:
            stream.cancel()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

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

    async def _misses_page(self, group: str, token: str, timeout_s: float | None) -> solve_pb2.ListMissesResponse:
        request = messages.misses_request(group, token)
        return await self._unary(lambda left: self._solving.ListMisses(request, timeout=left), timeout_s)

    def _makings_page(
        self, request: makings_pb2.ListMakingsRequest, left: float
    ) -> Awaitable[makings_pb2.ListMakingsResponse]:
        return self._tools.ListMakings(request, timeout=left)

    async def _page(self, token: str, timeout_s: float | None) -> tools_pb2.ListToolsResponse:
        request = tools_pb2.ListToolsRequest(page_token=token)
        return await self._unary(lambda left: self._tools.ListTools(request, timeout=left), timeout_s)

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
                _refuse_if_interrupted()
                raise
            await asyncio.sleep(messages.RETRY_PAUSE_S)

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
                _refuse_if_interrupted()
                raise
            finally:
                events.cancel()  # a caller that stops reading must not leave the server sending
            await asyncio.sleep(messages.RETRY_PAUSE_S)


def _refuse_if_interrupted() -> None:
    """Raise a fault of ours if the call was cancelled, but not the task that waits for it: the client was closed."""
    task = asyncio.current_task()
    if task is not None and not task.cancelling():
        raise CallCancelled("the client was closed while the call was running; the tool was killed") from None
