"""Which fault leads to which exit status, and what a person and a program are told."""

from __future__ import annotations

import inspect

import pytest

from toolwright import errors
from toolwright.cli.exit import ExitStatus, document_of, paragraph, status_of, status_of_outcome, worst
from toolwright.domain.outcome import Status

pytestmark = pytest.mark.unit


def _example(kind: type[errors.ToolwrightError]) -> errors.ToolwrightError:
    if kind is errors.InvalidInput:
        return errors.InvalidInput("f", "is bad", "good")
    if kind is errors.NotFound:
        return errors.NotFound("tool", "x")
    if kind is errors.Overloaded:
        return errors.Overloaded("busy", 1.0)
    return kind("text")


KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.ToolwrightError)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_a_status_and_a_document(kind: type[errors.ToolwrightError]) -> None:
    """No class of the tree is left out: callers' errors are 1 or 2, all others 3."""
    error = _example(kind)
    expected = {ExitStatus.FAILED, ExitStatus.USAGE} if issubclass(kind, errors.CallerError) else {ExitStatus.FAULT}
    assert status_of(error) in expected
    assert document_of(error)["error"]["reason"] == kind.reason
    assert paragraph(error).endswith(".") or paragraph(error).endswith(")")


def test_bad_input_names_field_and_limit() -> None:
    """The document of InvalidInput has both as fields of their own."""
    assert document_of(errors.InvalidInput("args", "is no JSON", "an object")) == {
        "error": {
            "reason": "INVALID_INPUT",
            "message": "args: is no JSON (allowed: an object)",
            "field": "args",
            "limit": "an object",
        }
    }


@pytest.mark.parametrize("status", Status)
def test_outcomes_map_to_success_failure_or_our_fault(status: Status) -> None:
    """Only SUCCESS is 0 and only INFRASTRUCTURE is 3."""
    expected = {Status.SUCCESS: ExitStatus.DONE, Status.INFRASTRUCTURE: ExitStatus.FAULT}
    assert status_of_outcome(status) is expected.get(status, ExitStatus.FAILED)


def test_worst_of_several_counts() -> None:
    """A fault of ours outweighs a failed tool."""
    assert worst([ExitStatus.DONE, ExitStatus.FAULT, ExitStatus.FAILED]) is ExitStatus.FAULT
    assert worst([]) is ExitStatus.DONE


def test_advice_is_given_once() -> None:
    """A fault that names the way out itself is not followed by the same in other words."""
    assert "doctor" in paragraph(errors.SandboxUnavailable("no container starts"))
    told = errors.SandboxUnavailable("no container starts; `toolwright doctor` shows why")
    assert paragraph(told).count("doctor") == 1
