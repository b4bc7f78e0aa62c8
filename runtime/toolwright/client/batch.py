"""What a client knows of a batch while it runs: which calls were sent, and what has to be said of each."""

from __future__ import annotations

from collections import deque
from typing import Final

from toolwright.client import messages
from toolwright.domain.batch import BatchAnswer, BatchCall, check_request_id
from toolwright.domain.call import Operation
from toolwright.domain.shown import shown_line
from toolwright.errors import ConnectionLost, InvalidInput, ServiceFault, ToolwrightError
from toolwright.services.convert.batch import fault_from_wire
from toolwright.services.convert.execution import execution_from_wire
from toolwright.v1 import execution_pb2

DEFAULT_IN_FLIGHT: Final = 32
MAX_IN_FLIGHT: Final = 1024
CONNECT_S: Final = 10.0
"""How long a server that was reached may take to say so."""
LONGEST_S: Final = 7 * 86_400.0
"""How long a batch may take whose caller does not say."""
_IDS_TOLD: Final = 10


def check_in_flight(in_flight: int) -> int:
    """Return `in_flight` if it is a number of calls.

    Raises:
        InvalidInput: it is not within the bounds.
    """
    if not 1 <= in_flight <= MAX_IN_FLIGHT:
        raise InvalidInput("in_flight", f"{in_flight} is outside the allowed range", f"1 to {MAX_IN_FLIGHT}")
    return in_flight


class BatchLedger:
    """The calls of one batch. One thread sends and another reads; each step on what they share is a single one."""

    def __init__(self) -> None:
        """Start with no call."""
        self._sent: dict[str, None] = {}  # a set that keeps its order
        self._refused: deque[BatchAnswer] = deque()

    def send(self, call: BatchCall) -> execution_pb2.ExecuteBatchRequest:
        """Return the message of `call`.

        Of a call that is off it is an empty one, which every server answers with an error and no id: in that answer's
        place comes the fault that was found here. So such a call, too, has its answer in its turn, whoever waits.
        """
        try:
            message = self._message(call)
        except InvalidInput as fault:
            self._refused.append(BatchAnswer(call.request_id, error=fault))
            return execution_pb2.ExecuteBatchRequest()
        self._sent[call.request_id] = None
        return message

    def read(self, message: execution_pb2.ExecuteBatchResponse) -> BatchAnswer:
        """Return an answer.

        Raises:
            ServiceFault: nothing was asked to which it could be the answer.
        """
        name = message.request_id
        if not name and self._refused:
            return self._refused.popleft()
        if name not in self._sent:
            raise self.ended(ServiceFault(f"the server answered a call that was not made, {shown_line(name)!r:.140}"))
        del self._sent[name]
        if message.WhichOneof("answer") == "error":
            return BatchAnswer(name, error=fault_from_wire(message.error))
        try:
            return BatchAnswer(name, messages.read(execution_from_wire, message.response))
        except ServiceFault as fault:
            return BatchAnswer(name, error=fault)

    def ended(self, fault: ToolwrightError) -> ToolwrightError:
        """Return `fault`, which ended the batch, with the calls that have no answer."""
        fault.unanswered = tuple(self._sent)
        if not fault.unanswered:
            return fault
        told = ", ".join(repr(shown_line(name)) for name in fault.unanswered[:_IDS_TOLD])
        more = len(fault.unanswered) - _IDS_TOLD
        told += f" and {more} more" if more > 0 else ""
        told += ", each of which may have run" if isinstance(fault, ConnectionLost) else ""
        fault.args = (f"{str(fault).rstrip('.')}. Without an answer ({len(fault.unanswered)} in all): {told}",)
        return fault

    def check_complete(self) -> None:
        """Check that all was answered, at the end of a batch that ended well.

        Raises:
            ServiceFault: it was not.
        """
        if self._sent:
            raise self.ended(ServiceFault("the server ended the batch early"))

    def _message(self, call: BatchCall) -> execution_pb2.ExecuteBatchRequest:
        _check_id(call.request_id)
        if call.request_id in self._sent:
            problem = f"{call.request_id!r} is the id of a call that has no answer yet"
            raise InvalidInput("request_id", problem, "a unique id for each call")
        request = messages.execute_request(
            call.tool,
            call.arguments,
            arguments_json=call.arguments_json,
            limits=call.limits,
            idempotency_key=call.idempotency_key,
            operation=Operation.CALL,
            isolation=call.isolation,
            bypass_cache=call.bypass_cache,
        )
        return execution_pb2.ExecuteBatchRequest(request_id=call.request_id, request=request)


def _check_id(request_id: str) -> None:
    if not isinstance(request_id, str):
        raise InvalidInput("request_id", f"is a {type(request_id).__name__}", "a text")
    try:
        check_request_id(request_id).encode()
    except UnicodeEncodeError:
        raise InvalidInput("request_id", "holds a lone surrogate", "valid Unicode") from None
