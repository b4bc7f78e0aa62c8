"""One gRPC call: when its caller stops waiting, and that a caller who goes away ends it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, NoReturn

import grpc

from toolwright.errors import CallCancelled, DeadlineExceeded, Unsupported
from toolwright.sandbox.base import Cancellation

# gRPC tells "no deadline" as a time far in the future.
_NO_DEADLINE_S: Final = 10 * 365 * 86_400.0


@dataclass(frozen=True, slots=True)
class CallScope:
    """What a handler passes on about its call."""

    deadline_s: float | None
    """Seconds from the start of the call; None if the caller waits for ever."""
    cancellation: Cancellation = field(default_factory=Cancellation)


@contextmanager
def scope_of(context: grpc.ServicerContext) -> Iterator[CallScope]:
    """Bound a handler's work by its call: cancelled when the caller goes away, untouched once the work is done.

    gRPC does not interrupt handlers; without this a tool would run on for nobody.

    Raises:
        DeadlineExceeded: the deadline passed before the work began.
        CallCancelled: the caller went away before.
    """
    remaining = context.time_remaining()
    if remaining <= 0:
        raise DeadlineExceeded("the deadline passed before the call began; nothing ran")
    scope = CallScope(None if remaining > _NO_DEADLINE_S else remaining)
    lock, done = threading.Lock(), False

    def gone() -> None:
        # gRPC calls this at the end of every call. A cancel after the work would strike whoever has the sandbox next.
        with lock:
            if not done:
                scope.cancellation.cancel()

    if not context.add_callback(gone):
        raise CallCancelled("the caller went away before the call began; nothing ran")
    try:
        yield scope
    finally:
        with lock:
            done = True


def not_served(method: str) -> NoReturn:
    """Answer a call that is specified, but not served yet.

    Raises:
        Unsupported: always.
    """
    raise Unsupported(f"{method} is not served yet by this version")
