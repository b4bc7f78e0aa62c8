"""The client for threads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import grpc

from toolwright.client import messages
from toolwright.client.batch import DEFAULT_IN_FLIGHT, LONGEST_S, check_in_flight
from toolwright.client.batch_sync import ThreadFeed
from toolwright.client.lives_sync import ClientLives
from toolwright.client.makings_sync import ClientMakings
from toolwright.client.misses_sync import ClientMisses
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
from toolwright.services.convert.costs import question_to_wire, report_from_wire
from toolwright.services.convert.events import solve_from_wire
from toolwright.services.convert.execution import execution_from_wire
from toolwright.services.convert.tools import tool_from_wire
from toolwright.v1 import (
    tools_pb2,
)


class Client(ClientLives, ClientMakings, ClientMisses):
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

        def ask(token: str, left: float) -> tools_pb2.ListToolsResponse:
            return self._tools.ListTools(tools_pb2.ListToolsRequest(page_token=token), timeout=left)

        for page in self._pages(ask, timeout_s):
            for tool in page.tools:
                yield messages.read(tool_from_wire, tool)

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
