"""Faults and gRPC statuses: one row for each fault, nothing lost on the way, trailers small enough."""

from __future__ import annotations

import inspect
import json
from typing import Any
from urllib.parse import quote

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # no py.typed marker
from hypothesis import given
from hypothesis import strategies as st

from toolwright import errors
from toolwright.client.messages import fault_of
from toolwright.errors import InvalidInput, NotFound, Overloaded, ToolwrightError
from toolwright.services.status import DETAILS_KEY, STATUS, code_of, from_status, internal_status, to_status
from toolwright.v1 import error_reason_pb2

LEAVES = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, ToolwrightError) and not kind.__subclasses__()
]


class Received(grpc.RpcError):
    """A status error as a client sees it."""

    def __init__(self, status: status_pb2.Status, trailers: tuple[tuple[str, bytes], ...] | None = None) -> None:
        super().__init__()
        self._status = status
        self._trailers = ((DETAILS_KEY, status.SerializeToString()),) if trailers is None else trailers

    def code(self) -> grpc.StatusCode:
        return next(code for code in grpc.StatusCode if code.value[0] == self._status.code)

    def details(self) -> str:
        text: str = self._status.message
        return text

    def trailing_metadata(self) -> Any:
        return self._trailers


def bare(code: grpc.StatusCode, text: str = "") -> Received:
    """Return a status error without details, as gRPC itself makes them."""
    return Received(status_pb2.Status(code=code.value[0], message=text), ())


@pytest.mark.parametrize("kind", LEAVES)
def test_every_leaf_has_a_row(kind: type[ToolwrightError]) -> None:
    """A fault without a row would reach clients as a bug of ours."""
    assert kind in STATUS
    assert STATUS[kind] not in {grpc.StatusCode.OK, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}


def test_every_reason_is_in_the_protocol_and_names_one_class() -> None:
    """Programs in other languages rely on the names in error_reason.proto."""
    reasons = [kind.reason for kind in LEAVES]
    documented = {name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.keys()}  # noqa: SIM118 - no dict
    assert len(set(reasons)) == len(reasons)
    assert set(reasons) == documented - {"UNSPECIFIED"}


def test_invalid_input_has_the_documented_details() -> None:
    """The full example of error_reason.proto."""
    status = to_status(InvalidInput("arguments_json.words", '3 is not of type "array"', "a list"))
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    status.details[0].Unpack(info)
    status.details[1].Unpack(bad)

    assert status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert status.message == 'arguments_json.words: 3 is not of type "array" (allowed: a list)'
    assert (info.reason, info.domain) == ("INVALID_INPUT", "toolwright")
    assert dict(info.metadata) == {"field": "arguments_json.words", "limit": "a list"}
    assert bad.field_violations[0].field == "arguments_json.words"
    assert bad.field_violations[0].description == '3 is not of type "array"'


@pytest.mark.parametrize("kind", [kind for kind in LEAVES if kind not in {InvalidInput, NotFound, Overloaded}])
def test_plain_faults_come_back(kind: type[ToolwrightError]) -> None:
    """Class and text are the same at the client."""
    back = from_status(Received(to_status(kind("what to do"))))
    assert type(back) is kind
    assert str(back) == "what to do"


def test_faults_with_parts_come_back_with_their_parts() -> None:
    """What programs read is there again, and the text is the server's word for word."""
    invalid = from_status(Received(to_status(InvalidInput("a.b", "is odd", "even"))))
    missing = from_status(Received(to_status(NotFound("tool", "add", "see ListTools"))))
    busy = from_status(Received(to_status(Overloaded("all busy", 1.5))))

    assert isinstance(invalid, InvalidInput)
    assert (invalid.field, invalid.problem, invalid.limit) == ("a.b", "is odd", "even")
    assert str(invalid) == "a.b: is odd (allowed: even)"
    assert isinstance(missing, NotFound)
    assert (missing.kind, missing.name) == ("tool", "add")
    assert str(missing) == "no tool named 'add'; see ListTools"
    assert isinstance(busy, Overloaded)
    assert busy.retry_after_s == 1.5


@given(st.text(max_size=3000), st.text(max_size=20_000), st.text(max_size=3000))
def test_trailers_stay_small(field: str, problem: str, limit: str) -> None:
    """Whatever the texts, message and details together stay below the 8 KiB that clients take for trailers."""
    status = to_status(InvalidInput(field, problem, limit))
    size = len(quote(status.message)) + len(status.SerializeToString()) * 4 / 3
    assert size < 7 * 1024


def test_a_text_that_is_no_unicode_does_not_break_the_status() -> None:
    """A fault about bad text must not fail for the same text."""
    assert to_status(InvalidInput("a\ud800", "b\ud800")).message == "a\\ud800: b\\ud800"


@pytest.mark.case("PR-31")
def test_pr_31_what_a_caller_sent_cannot_act_on_a_terminal() -> None:
    """PR-31: control and bidi characters in a fault's text, field and facts are escaped, in all its details."""
    hostile = "a\x1b]52;c;eA==\x07\x9b31m\u202e\r\x00"
    for fault in (InvalidInput(hostile, hostile, hostile), NotFound("tool", hostile), errors.NotReady(hostile)):
        status = to_status(fault)
        told = f"{status.message}{status.SerializeToString().decode('utf-8', 'replace')}"
        assert not set("\x1b\x9b\u202e\x07") & set(told)
        assert "\\x1b]52" in status.message


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        (grpc.StatusCode.UNAVAILABLE, "failed to connect", errors.ServerUnavailable),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded", errors.DeadlineExceeded),
        (grpc.StatusCode.CANCELLED, "Channel closed!", errors.CallCancelled),
        (grpc.StatusCode.UNIMPLEMENTED, "Method not found!", errors.Unsupported),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "Concurrent RPC limit exceeded!", errors.Overloaded),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "Received message larger than max (9 vs. 8)", errors.InvalidInput),
        (grpc.StatusCode.INVALID_ARGUMENT, "", errors.InvalidInput),
        (grpc.StatusCode.NOT_FOUND, "", errors.NotFound),
        (grpc.StatusCode.INTERNAL, "the server failed", errors.ServiceFault),
        (grpc.StatusCode.UNAUTHENTICATED, "", errors.ServiceFault),
    ],
)
def test_statuses_of_grpc_itself_are_typed_too(code: grpc.StatusCode, text: str, kind: type[ToolwrightError]) -> None:
    """GRPC and proxies answer without our details; callers still get a fault of our tree."""
    back = from_status(bare(code, text))
    assert type(back) is kind
    assert str(back)


def test_broken_and_foreign_details_are_as_none() -> None:
    """Another server's details, or garbage in their place, are not taken for ours."""
    garbage = Received(status_pb2.Status(code=5, message="gone"), ((DETAILS_KEY, b"\xff\xff"),))
    foreign = to_status(errors.StoreCorrupt("theirs"))
    info = error_details_pb2.ErrorInfo(reason="OVERLOADED", domain="other.example")
    foreign.details[0].Pack(info)

    assert type(from_status(garbage)) is NotFound
    assert type(from_status(Received(foreign))) is errors.StoreCorrupt  # by its code alone


def test_a_class_without_a_row_is_our_bug() -> None:
    """It is answered as one, not as something that the caller could act on."""
    assert code_of(errors.ServiceFault("?")) is grpc.StatusCode.INTERNAL
    status = internal_status("abc")
    assert status.code == grpc.StatusCode.INTERNAL.value[0]
    assert "abc" in json.dumps(status.message)


def test_a_call_that_grpc_turned_away_did_not_run() -> None:
    """REFUSED_STREAM promises that nothing was processed; any other end of a connection leaves it open."""
    refused = bare(grpc.StatusCode.UNAVAILABLE, "Stream removed (RST_STREAM (Received RST_STREAM with error code 7))")
    broken = bare(grpc.StatusCode.UNAVAILABLE, "Stream removed (RST_STREAM (Received RST_STREAM with error code 2))")

    told = [fault_of(one, "there", timeout_s=1, late="") for one in (refused, broken)]

    assert [type(fault) for fault in told] == [Overloaded, errors.ConnectionLost]
