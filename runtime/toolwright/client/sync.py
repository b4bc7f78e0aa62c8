"""The client for threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from toolwright.client import messages
from toolwright.client.batch import CONNECT_S, DEFAULT_IN_FLIGHT, LONGEST_S, check_in_flight
from toolwright.client.batch_sync import ThreadFeed
from toolwright.client.lives_sync import ClientLives
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
from toolwright.errors import NotReady, ServerUnavailable, ToolwrightError
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
_Begun = TypeVar("_Begun")
_Sent_co = TypeVar("_Sent_co", covariant=True)


class _Events(Protocol[_Sent_co]):
    """The messages of a stream, as gRPC gives them."""

    def __iter__(self) -> Iterator[_Sent_co]: ...

    def cancel(self) -> bool: ...


class Client(ClientLives):
    """A connection to a Toolwright server. Safe to use from many threads; close it, or use it in `with`.

    A tool that raises, hangs or dies is a normal `Execution`; faults are raised as classes of
    `toolwright.errors`. A call is never run twice unseen: only a connection that was not made is tried again. One
    that breaks while a call runs is `ConnectionLost`, from every method; a client that was closed is `NotReady`.

    Example:
        >>> with Client("127.0.0.1:7433") as client:
        ...     execution = client.execute("word_sort", {"words": ["b", "a"]})
        ...     execution.outcome.result_json
        '["a", "b"]'
    """

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

    def execute(  # noqa: PLR0913 - the fields of the request
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
        """Run one call in a sandbox and wait for its end.

        Args:
            tool: `name`, `name@version` or `sha256:…` of a registered tool, or bare source.
            arguments: keyword arguments as JSON values. Integers keep all digits.
            arguments_json: the same as the text of a JSON object, instead of `arguments`.
            limits: lowers ceilings of this call.
            idempotency_key: the same key again returns the first call's end without a second run.
            operation: call the function, or only describe it.
            isolation: ask for at least this level; the server's policy decides, and is never weakened.
            bypass_cache: run it even where the result is known.
            timeout_s: seconds after which the call is killed and given up.

        Raises:
            InvalidInput: a field is off; NotFound: the tool; NotReady: it may not be used.
            PermissionDenied: the policy has a stricter isolation than was asked for; it did not run.
            Overloaded, SandboxUnavailable, EngineUnavailable, StoreUnavailable, ServerUnavailable: it did not run.
            DeadlineExceeded, CallCancelled: killed, or never started.
            ConnectionLost: it may have run. RecordLost: it did, and its end is not known.
        """
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
        reply = self._unary(lambda left: self._executions.ExecuteTool(request, timeout=left), timeout_s)
        return messages.read(execution_from_wire, reply)

    def execute_batch(
        self,
        calls: Iterable[BatchCall],
        *,
        in_flight: int = DEFAULT_IN_FLIGHT,
        timeout_s: float | None = None,
    ) -> Iterator[BatchAnswer]:
        """Run many calls at once, and give each one's answer as it comes, in any order.

        What `execute` would raise for one call is the `error` of its answer, and the others go on. Leaving the loop
        early kills what runs. A server that has no place for a call is asked again until it has.

        Args:
            calls: read in a thread of its own, and only as far as `in_flight` allows, so it may be endless. What it
                raises is raised here, after the answers to the calls before.
            in_flight: most calls that were sent and have no answer yet: 1 to 1,024. The server bounds how many of
                them run at a time.
            timeout_s: seconds for the whole batch, after which what runs is killed; a week if not given.

        Raises:
            InvalidInput: `in_flight` or `timeout_s` is off; or a call is larger than the server takes.
            Overloaded: too many batches run there. Nothing ran.
            SandboxUnavailable: the server shuts down, or runs no tools. ServerUnavailable: there is none.
            DeadlineExceeded, CallCancelled: what ran was killed.
            ConnectionLost: calls without an answer may have run. Whatever ended the batch early names them in
                `unanswered`.
        """
        check_in_flight(in_flight)
        clock = messages.Clock.start(LONGEST_S if timeout_s is None else timeout_s, self._connect_timeout_s)
        return self._batch(ThreadFeed(calls, in_flight), clock)

    def make(
        self,
        task: Task,
        *,
        attempts: int = 0,
        budget: Budget | None = None,
        candidates: int = 0,
        timeout_s: float | None = None,
    ) -> Iterator[MakingEvent]:
        """Have a tool made; the first event is `Started`, the last `Made` or `NotMade`.

        Leaving early does not stop the making: `follow_making` shows it again, `cancel_making` ends it.

        Args:
            task: what the tool is wanted for.
            attempts: proposals that the maker may make, 1 to 10; 0 for the server's setting.
            budget: what may be spent besides; 0 for the server's setting.
            candidates: proposals asked for at a time, of which the best is kept, 1 to 8; 0 for the server's setting.
            timeout_s: seconds to wait for the end; half an hour if not given.

        Raises:
            InvalidInput: a field is off.
            NotReady: the server has no models. ModelError: a model does not answer.
            Overloaded, EngineUnavailable, SandboxUnavailable, StoreUnavailable, ServerUnavailable: as they say.
        """
        request = messages.make_request(task, attempts, budget, candidates)
        events = self._stream(
            lambda left: self._tools.MakeTool(request, timeout=left), messages.long(timeout_s), messages.MAKING_GOES_ON
        )
        return (messages.read(making_from_wire, event) for event in events)

    def follow_making(self, making_id: str, *, timeout_s: float | None = None) -> Iterator[MakingEvent]:
        """Give the events of a making from its start to its end, as `make` does.

        Raises:
            NotFound: there is none of that id. ModelError, …: as for `make`.
        """
        request = makings_pb2.FollowMakingRequest(making_id=making_id)
        events = self._stream(
            lambda left: self._tools.FollowMaking(request, timeout=left),
            messages.long(timeout_s),
            messages.MAKING_GOES_ON,
        )
        return (messages.read(making_from_wire, event.step) for event in events)

    def list_makings(
        self, *, task: str = "", open_only: bool = False, timeout_s: float | None = None
    ) -> Iterator[MakingInfo]:
        """Give makings, newest first. Pages are asked for as they are needed.

        Args:
            task: only those of this task; all if empty.
            open_only: only those that have not ended.
            timeout_s: seconds for each page.

        Raises:
            StoreUnavailable, StoreCorrupt, ServerUnavailable: as they say.
        """
        token = ""
        while True:
            request = makings_pb2.ListMakingsRequest(task=task, open_only=open_only, page_token=token)
            page = self._unary(partial(self._makings_page, request), timeout_s)
            for making in page.makings:
                yield messages.read(making_info_from_wire, making)
            token = page.next_page_token
            if not token:
                return

    def get_making(self, making_id: str, *, timeout_s: float | None = None) -> MakingDetails:
        """Return a making with its attempts.

        Raises:
            NotFound, InvalidInput, StoreUnavailable, StoreCorrupt, ServerUnavailable: as they say.
        """
        request = makings_pb2.GetMakingRequest(making_id=making_id)
        reply = self._unary(lambda left: self._tools.GetMaking(request, timeout=left), timeout_s)
        return messages.read(making_details_from_wire, reply)

    def cancel_making(self, making_id: str, *, reason: str = "", timeout_s: float | None = None) -> MakingInfo:
        """End a making, and return it as it is now: one that runs ends with its exchange or call that is under way.

        Args:
            making_id: as `Started` and `list_makings` give it.
            reason: why; kept with it. At most 1,000 characters.
            timeout_s: seconds to wait for the reply.

        Raises:
            NotFound, InvalidInput, StoreUnavailable, ServerUnavailable: as they say.
        """
        request = messages.cancel_request(making_id, reason)
        reply = self._unary(lambda left: self._tools.CancelMaking(request, timeout=left), timeout_s)
        return messages.read(making_info_from_wire, reply.making)

    def register(self, task: Task, source: ToolSource, *, actor: str = "", timeout_s: float | None = None) -> ToolInfo:
        """Take a person's code through the same checks, and keep it as the tool of `task`.

        Raises:
            NotReady: a check failed; the text says which.
            AlreadyExists: the same content is registered under another name.
            InvalidInput, ModelError, Overloaded, EngineUnavailable, SandboxUnavailable, StoreUnavailable,
                ServerUnavailable: as they say.
        """
        request = messages.register_request(task, source, actor)
        reply = self._unary(lambda left: self._tools.RegisterTool(request, timeout=left), messages.long(timeout_s))
        return messages.read(tool_from_wire, reply.tool)

    def get_tool(self, reference: str, *, timeout_s: float | None = None) -> ToolDetails:
        """Return a version with its source and verification record.

        Raises:
            NotFound, InvalidInput, StoreUnavailable, StoreCorrupt, ServerUnavailable: as they say.
        """
        request = messages.get_request(reference)
        reply = self._unary(lambda left: self._tools.GetTool(request, timeout=left), timeout_s)
        return messages.read(messages.details_from_wire, reply)

    def list_tools(self, *, timeout_s: float | None = None) -> Iterator[ToolInfo]:
        """Give the newest version of each tool, by name. Pages are asked for as they are needed.

        Raises:
            StoreUnavailable, StoreCorrupt, ServerUnavailable: as they say.
        """
        page = self._page("", timeout_s)
        while True:
            for tool in page.tools:
                yield messages.read(tool_from_wire, tool)
            if not page.next_page_token:
                return
            page = self._page(page.next_page_token, timeout_s)

    def search_tools(self, query: str, *, limit: int = 0, timeout_s: float | None = None) -> list[ToolInfo]:
        """Return the tools that share words with `query`, best first, `limit` (1 to 100; 0 for 5) at most.

        Raises:
            InvalidInput, StoreUnavailable, StoreCorrupt, ServerUnavailable: as they say.
        """
        request = messages.search_request(query, limit)
        reply = self._unary(lambda left: self._tools.SearchTools(request, timeout=left), timeout_s)
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
    ) -> Iterator[SolveEvent]:
        """Have a question answered; the last event is `Answered`, `Declined` or `Failed`.

        Args:
            question: at most 65,536 bytes.
            tool: skips the dispatcher.
            among: names of the only tools and tasks that the dispatcher is offered; those that fit best if empty.
            dispatch_only: end with `Dispatched`: nothing is called, answered or kept.
            bypass_cache: run the tool even where its result is known.
            timeout_s: seconds to wait for the end; half an hour if not given, as a tool may have to be made.

        Raises:
            InvalidInput, NotFound, NotReady, ModelError, Overloaded, EngineUnavailable, SandboxUnavailable,
                StoreUnavailable, ServerUnavailable: as they say.
        """
        request = messages.solve_request(question, tool, among, dispatch_only=dispatch_only, bypass_cache=bypass_cache)
        events = self._stream(lambda left: self._solving.Solve(request, timeout=left), messages.long(timeout_s))
        return (messages.read(solve_from_wire, event) for event in events)

    def miss_groups(self, *, timeout_s: float | None = None) -> Iterator[MissGroup]:
        """Give the groups of questions that no tool fitted. Pages are asked for as they are needed.

        Raises:
            StoreUnavailable, StoreCorrupt, ServerUnavailable: as they say.
        """
        page = self._misses_page("", "", timeout_s)
        while True:
            for group in page.groups:
                yield messages.read(group_from_wire, group)
            if not page.next_page_token:
                return
            page = self._misses_page("", page.next_page_token, timeout_s)

    def misses(self, group: str, *, timeout_s: float | None = None) -> tuple[MissGroup, list[Miss]]:
        """Return a group of misses, and its questions.

        Raises:
            NotFound: there is no such group. InvalidInput, StoreUnavailable, ServerUnavailable: as they say.
        """
        page = self._misses_page(messages.check_group(group), "", timeout_s)
        found = messages.read(group_from_wire, page.groups[0])
        misses = list(page.misses)
        while page.next_page_token:
            page = self._misses_page(group, page.next_page_token, timeout_s)
            misses += page.misses
        return found, [messages.read(miss_from_wire, miss) for miss in misses]

    def answer_miss(
        self, miss: str, answer: str, *, actor: str = "", timeout_s: float | None = None
    ) -> tuple[Miss, MissGroup]:
        """Keep a person's answer to a question that no tool fitted; return it with its group.

        With enough answered questions in the group a tool is made. `actor` says who answers; nobody checks it.

        Raises:
            NotFound: there is no such question. NotReady: by the server's settings nobody answers.
            InvalidInput, StoreUnavailable, ServerUnavailable: as they say.
        """
        request = messages.answer_miss_request(miss, answer, actor)
        reply = self._unary(lambda left: self._solving.AnswerMiss(request, timeout=left), timeout_s)
        return messages.read(miss_from_wire, reply.miss), messages.read(group_from_wire, reply.group)

    def report(
        self,
        execution_id: str,
        *,
        correct: bool,
        answer: str = "",
        actor: str = "",
        timeout_s: float | None = None,
    ) -> bool:
        """Say whether the answer that an execution gave was right, and return whether that was new.

        Args:
            execution_id: came with the answer.
            correct: whether it was right.
            answer: the right answer, if it is known; then the tool can be made anew from it.
            actor: who says so; kept as said.
            timeout_s: seconds that this may take.

        Raises:
            NotFound: there is no such execution. AlreadyExists: something else was reported of it before.
            NotReady: it was one of bare source, or gave no result.
            InvalidInput, StoreUnavailable, ServerUnavailable: as they say.
        """
        request = messages.report_request(execution_id, correct=correct, answer=answer, actor=actor)
        reply = self._unary(lambda left: self._tools.ReportOutcome(request, timeout=left), timeout_s)
        return reply.recorded

    def verify(self, reference: str, *, actor: str = "", timeout_s: float | None = None) -> Reverified:
        """Have a kept version put through the checks again. One that is active and fails is held back.

        Raises:
            NotFound, InvalidInput: the reference. NotReady: it is retired, or no light model is configured.
            ModelError, Overloaded, EngineUnavailable, SandboxUnavailable, StoreUnavailable, ServerUnavailable: as
                they say; nothing was changed.
        """
        request = messages.verify_request(reference, actor)
        reply = self._unary(lambda left: self._tools.VerifyTool(request, timeout=left), messages.long(timeout_s))
        return messages.read(messages.reverified_from_wire, reply)

    def ask(self, question: str, *, tool: str = "", timeout_s: float | None = None) -> Answered:
        """Return the answer to a question.

        Raises:
            NotAnswered: no tool fits, or the tool gave no answer; the text says why.
            InvalidInput, …: as for `solve`.
        """
        last: SolveEvent | None = None
        for event in self.solve(question, tool=tool, timeout_s=timeout_s):
            last = event
        return answer_of(last)

    def get_costs(self, asked: CostQuestion | None = None, *, timeout_s: float | None = None) -> CostReport:
        """Return what models cost, and which tools have paid for themselves.

        Args:
            asked: which exchanges to look at, and how; the total of all if not given.
            timeout_s: seconds to wait.

        Raises:
            InvalidInput, StoreUnavailable, StoreCorrupt, ServerUnavailable: as they say.
        """
        question = asked or CostQuestion()
        request = question_to_wire(question)
        reply = self._unary(lambda left: self._ledger.GetCosts(request, timeout=left), timeout_s)
        return messages.read(lambda message: report_from_wire(message, question.by), reply)

    def healthy(self, *, timeout_s: float = 5.0) -> bool:
        """Return whether a server answers and takes calls."""
        request = health_pb2.HealthCheckRequest()
        try:
            check = self._health.Check  # type: ignore[attr-defined]  # made at run time
            reply = self._begin(lambda: check(request, timeout=timeout_s))
        except grpc.RpcError:
            return False
        return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)

    def _batch(self, feed: ThreadFeed, clock: messages.Clock) -> Iterator[BatchAnswer]:
        self._connect(clock)
        answers = self._begin(lambda: self._executions.ExecuteBatch(feed, timeout=clock.left_s))
        try:
            for answer in answers:
                yield feed.read(answer)
            feed.finish()
        except grpc.RpcError as raised:
            fault = messages.fault_of(raised, self.target, timeout_s=clock.timeout_s, late=messages.KILLED)
            raise feed.ledger.ended(fault) from None
        finally:
            feed.end()
            answers.cancel()

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

    def _misses_page(self, group: str, token: str, timeout_s: float | None) -> solve_pb2.ListMissesResponse:
        request = messages.misses_request(group, token)
        return self._unary(lambda left: self._solving.ListMisses(request, timeout=left), timeout_s)

    def _makings_page(self, request: makings_pb2.ListMakingsRequest, left: float) -> makings_pb2.ListMakingsResponse:
        return self._tools.ListMakings(request, timeout=left)

    def _page(self, token: str, timeout_s: float | None) -> tools_pb2.ListToolsResponse:
        request = tools_pb2.ListToolsRequest(page_token=token)
        return self._unary(lambda left: self._tools.ListTools(request, timeout=left), timeout_s)

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
