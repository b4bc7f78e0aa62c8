"""What any gRPC client sees of ExecuteBatch: ids, errors in answers, broken messages, answers that nobody reads."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # no py.typed marker

from toolwright.domain.call import ExecutionRequest
from toolwright.domain.outcome import Execution
from toolwright.errors import InvalidInput, StoreUnavailable
from toolwright.services.batch import BatchBounds
from toolwright.services.batch_stream import HELD_BYTES
from toolwright.services.calls import CallScope
from toolwright.services.status import from_status
from toolwright.services.testing import ScriptedExecutor, parts, sample_execution, serving
from toolwright.v1 import execution_pb2, execution_pb2_grpc

METHOD = "/toolwright.v1.ExecutionService/ExecuteBatch"
WINDOWS_BYTES = 7 * 2**20
"""What gRPC takes of answers that nobody reads: measured 2.9 MiB of small ones, 4.8 of 100 KB each."""
ADD = execution_pb2.ExecuteToolRequest(tool="add")


def request(request_id: str, call: execution_pb2.ExecuteToolRequest = ADD) -> execution_pb2.ExecuteBatchRequest:
    """Return a request of a batch."""
    return execution_pb2.ExecuteBatchRequest(request_id=request_id, request=call)


@contextmanager
def channel_to(executor: ScriptedExecutor, **bounds: int) -> Iterator[Any]:
    """Serve `executor`, and open a plain channel to it."""
    given = serving(parts(executor=executor), batch_bounds=BatchBounds(**bounds))
    with given as address, grpc.insecure_channel(address) as channel:
        yield channel


def answers_to(channel: Any, *requests: execution_pb2.ExecuteBatchRequest) -> list[execution_pb2.ExecuteBatchResponse]:
    """Send `requests`, half-close, and read to the end."""
    return list(execution_pb2_grpc.ExecutionServiceStub(channel).ExecuteBatch(iter(requests), timeout=10))


@pytest.mark.parametrize(
    ("sent", "echoed", "problem"),
    [("", "", "request_id: has 0 characters"), ("é" * 129, "é" * 128, "request_id: has 129 characters")],
)
def test_a_request_without_a_usable_id_is_answered(sent: str, echoed: str, problem: str) -> None:
    """By what is left of its id, with code, text, reason and details of a single call's error; the others run."""
    executor = ScriptedExecutor()
    with channel_to(executor) as channel:
        answers = answers_to(channel, request("1"), request(sent), request("é" * 128))
    (refused,) = (answer for answer in answers if answer.HasField("error"))
    assert refused.request_id == echoed
    assert (refused.error.code, refused.error.reason) == (3, "INVALID_INPUT")
    assert problem in refused.error.message
    violation = error_details_pb2.BadRequest()
    assert refused.error.details[1].Unpack(violation)
    assert violation.field_violations[0].field == "request_id"
    assert len(executor.asked) == 2


def test_a_request_without_a_call_is_answered() -> None:
    """As a single call without a tool."""
    executor = ScriptedExecutor()
    with channel_to(executor) as channel:
        (answer,) = answers_to(channel, execution_pb2.ExecuteBatchRequest(request_id="1"))
    assert (answer.request_id, answer.error.code, answer.error.reason) == ("1", 3, "INVALID_INPUT")
    assert "neither tool nor source is set" in answer.error.message
    assert executor.asked == []


def test_the_id_of_a_call_in_flight_is_refused() -> None:
    """INVALID_ARGUMENT for the second one; the first has its own answer under the same id."""
    going_on = threading.Event()

    def behaviour(asked: ExecutionRequest, scope: CallScope) -> Execution:
        assert going_on.wait(10)
        return sample_execution()

    executor = ScriptedExecutor(behaviour)
    with channel_to(executor) as channel:
        stream = execution_pb2_grpc.ExecutionServiceStub(channel).ExecuteBatch(iter([request("a")] * 2), timeout=10)
        refused = next(stream)
        going_on.set()
        (answered,) = stream
    assert (refused.request_id, refused.error.code) == ("a", 3)
    assert "in flight" in refused.error.message
    assert (answered.request_id, answered.HasField("response")) == ("a", True)
    assert len(executor.asked) == 1


def test_a_fault_of_the_servers_parts_has_its_code_and_reason() -> None:
    """UNAVAILABLE for that call alone; the stream ends with OK."""

    def behaviour(asked: ExecutionRequest, scope: CallScope) -> Execution:
        raise StoreUnavailable("locked")

    with channel_to(ScriptedExecutor(behaviour)) as channel:
        (answer,) = answers_to(channel, request("1"))
    assert (answer.error.code, answer.error.reason, answer.error.message) == (14, "STORE_UNAVAILABLE", "locked")


@pytest.mark.case("AP-22")
def test_ap_22_bytes_that_are_no_request_end_the_batch_after_its_answers() -> None:
    """AP-22: INVALID_ARGUMENT, not INTERNAL; what came before has its answer, what comes after is not run."""
    going_on = threading.Event()

    def behaviour(asked: ExecutionRequest, scope: CallScope) -> Execution:
        assert going_on.wait(10)
        return sample_execution()

    executor = ScriptedExecutor(behaviour)
    sent = [request("1").SerializeToString(), b"\x0a\xff\xff", request("2").SerializeToString()]
    with channel_to(executor) as channel:
        stream = channel.stream_stream(METHOD)(iter(sent), timeout=10)
        threading.Timer(0.3, going_on.set).start()
        answer = execution_pb2.ExecuteBatchResponse.FromString(next(stream))
        with pytest.raises(grpc.RpcError) as caught:
            next(stream)
    assert answer.request_id == "1"
    assert answer.HasField("response")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert isinstance(from_status(caught.value), InvalidInput)
    assert len(executor.asked) == 1


@pytest.mark.parametrize(("size", "count"), [(1_000, 8_000), (2 * 2**20, 30)])
def test_a_client_that_does_not_read_is_not_served(size: int, count: int) -> None:
    """Beyond what HTTP/2's windows hold few answers are kept, and few bytes; once they are read, all come."""
    executor = ScriptedExecutor(lambda asked, scope: sample_execution(result_json='"' + "x" * size + '"'))
    with channel_to(executor, in_flight=4) as channel:
        opened = channel.stream_stream(
            METHOD,
            request_serializer=execution_pb2.ExecuteBatchRequest.SerializeToString,
            response_deserializer=execution_pb2.ExecuteBatchResponse.FromString,
        )
        stream = opened((request(str(number)) for number in range(count)), timeout=60)
        taken = 0
        while taken < len(executor.asked) or not taken:
            taken = len(executor.asked)
            time.sleep(0.7)
        assert taken < count
        kept = min(2 * 4 * size, HELD_BYTES + 4 * size)
        handed_over = 2 * size  # gRPC takes messages whole: one that does not fit its windows, one on its way there
        assert taken * size < WINDOWS_BYTES + handed_over + kept
        assert sum(1 for _ in stream) == count


def test_a_half_close_ends_the_stream_after_the_last_answer() -> None:
    """Not before it, however long that takes."""

    def behaviour(asked: ExecutionRequest, scope: CallScope) -> Execution:
        time.sleep(0.5)
        return sample_execution()

    with channel_to(ScriptedExecutor(behaviour)) as channel:
        answers = answers_to(channel, request("1"), request("2"))
    assert sorted(answer.request_id for answer in answers) == ["1", "2"]


def test_a_stream_stays_open_until_its_client_ends_it() -> None:
    """A pause between two requests ends nothing."""
    waiting: queue.SimpleQueue[execution_pb2.ExecuteBatchRequest | None] = queue.SimpleQueue()
    with channel_to(ScriptedExecutor()) as channel:
        stream = execution_pb2_grpc.ExecutionServiceStub(channel).ExecuteBatch(iter(waiting.get, None), timeout=10)
        for name in ("1", "2", "3"):
            waiting.put(request(name))
            assert next(stream).request_id == name
            time.sleep(0.1)
        waiting.put(None)
        assert list(stream) == []
