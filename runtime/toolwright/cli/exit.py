"""Exit statuses, and which fault leads to which. The only place that knows both worlds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import IntEnum
from typing import Any

from toolwright.domain.outcome import Status
from toolwright.errors import (
    CallCancelled,
    CallerError,
    ConnectionLost,
    DeadlineExceeded,
    ModelRejected,
    ModelUnavailable,
    SandboxUnavailable,
    ServerUnavailable,
    StoreUnavailable,
    ToolwrightError,
)


class ExitStatus(IntEnum):
    """How the command ended. The worst of several parts is the largest of the first four."""

    DONE = 0
    FAILED = 1
    """The tool or the task failed."""
    USAGE = 2
    """Bad usage or bad input; asking again gives the same answer."""
    FAULT = 3
    """Our fault, or a service that we need is missing."""
    INTERRUPTED = 130
    """Ctrl-C."""
    BROKEN_PIPE = 141
    """Whoever read our output went away."""
    TERMINATED = 143
    """SIGTERM."""


_STATUS: dict[type[ToolwrightError], ExitStatus] = {
    # The tool ran, or waited, for longer than its caller would wait.
    DeadlineExceeded: ExitStatus.FAILED,
    CallCancelled: ExitStatus.FAILED,
    CallerError: ExitStatus.USAGE,
    ToolwrightError: ExitStatus.FAULT,
}

_ADVICE: dict[type[ToolwrightError], str] = {
    SandboxUnavailable: "See what is wrong with `toolwright doctor`.",
    StoreUnavailable: "Check that the state directory is writable and has space, or name another with --state-dir.",
    ConnectionLost: "The server's log says whether it ran.",
    ServerUnavailable: "Or leave out --server and TOOLWRIGHT_SERVER to run the services in this process.",
    ModelUnavailable: "Check that the endpoint runs and can be reached, or try without it: --offline.",
    ModelRejected: "Correct the endpoint's address, key or model name in the settings, or try without it: --offline.",
}

_NAMED = re.compile(r"`[^`]+`|--[a-z-]+")
"""What an advice is about: a fault whose own text names it needs no more."""


def status_of(error: ToolwrightError) -> ExitStatus:
    """Return the exit status for `error`: its nearest class in the table decides."""
    return next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)


def status_of_outcome(status: Status) -> ExitStatus:
    """Return the exit status for the end of a call."""
    if status is Status.SUCCESS:
        return ExitStatus.DONE
    return ExitStatus.FAULT if status is Status.INFRASTRUCTURE else ExitStatus.FAILED


def worst(statuses: Iterable[ExitStatus]) -> ExitStatus:
    """Return the gravest of `statuses`; `DONE` if there are none."""
    return max(statuses, default=ExitStatus.DONE)


def advice_on(error: ToolwrightError) -> str:
    """Return what to do about `error`, beyond its own text; empty if that says it all."""
    advice = next((_ADVICE[kind] for kind in type(error).__mro__ if kind in _ADVICE), "")
    told = any(words in str(error) for words in _NAMED.findall(advice))
    return "" if told else advice


def paragraph(error: ToolwrightError) -> str:
    """Return the text for people: what is wrong and what to do."""
    message = str(error) or type(error).__doc__ or type(error).__name__
    return f"{message.rstrip('.')}. {advice_on(error)}".rstrip()


def error_document(reason: str, message: str, **facts: str) -> dict[str, Any]:
    """Return the JSON document that stands for a result where there is none."""
    return {"error": {"reason": reason, "message": message, **{name: fact for name, fact in facts.items() if fact}}}


def document_of(error: ToolwrightError) -> dict[str, Any]:
    """Return the JSON document for `error`: its reason, text, advice and facts."""
    facts = {name: str(fact) for name, fact in error.metadata.items() if name not in {"reason", "message", "advice"}}
    return error_document(error.reason, str(error), advice=advice_on(error), **facts)
