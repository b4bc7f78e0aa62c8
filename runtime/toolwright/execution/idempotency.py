"""One run for one idempotency key: a repeated request gets the first one's reply, or waits for it."""

from __future__ import annotations

import hashlib
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field

from toolwright.domain.call import ExecutionRequest
from toolwright.domain.outcome import Execution
from toolwright.errors import CallCancelled, DeadlineExceeded, InvalidInput, RecordLost
from toolwright.sandbox.base import Cancellation

MAX_KEY_CHARS = 128
REMEMBERED = 10_000
REMEMBERED_BYTES = 64 * 1024 * 1024
"""All remembered replies together; beyond it the oldest are forgotten."""
_ENTRY_BYTES = 2_048
_LOOK_S = 0.05
"""A waiting caller looks this often whether it was cancelled."""

_Place = tuple[str, str]


@dataclass(eq=False, slots=True)
class _Run:
    fingerprint: str
    reply: Future[Execution] = field(default_factory=Future)
    size: int = _ENTRY_BYTES


class OnceOnly:
    """Remembers the replies of the last `REMEMBERED` keys, by tenant, up to `REMEMBERED_BYTES`."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._runs: OrderedDict[_Place, _Run] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def run(
        self,
        request: ExecutionRequest,
        execute: Callable[[], Execution],
        *,
        deadline: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> Execution:
        """Return `execute()`, or the reply that the same key got before.

        A run that raises is not remembered, since nothing ran: the key may be used again. But for `RecordLost`:
        then the tool has run, and the key gets the same answer.

        Args:
            request: the call, with its key.
            execute: runs it.
            deadline: on the monotonic clock; how long this caller waits for another one's run.
            cancellation: ends that wait.

        Raises:
            InvalidInput: the key is too long, or was used for another call.
            DeadlineExceeded, CallCancelled: this caller's patience ended while another one's run went on.
        """
        key = request.idempotency_key
        if len(key) > MAX_KEY_CHARS:
            raise InvalidInput("idempotency_key", f"has {len(key)} characters", f"at most {MAX_KEY_CHARS}")
        place = (request.tenant, key)
        while True:
            mine = _Run(_fingerprint(request))
            with self._lock:
                earlier = self._runs.setdefault(place, mine)
            if earlier is mine:
                return self._first(place, mine, execute)
            if earlier.fingerprint != mine.fingerprint:
                raise InvalidInput(
                    "idempotency_key", "was used for another tool or other arguments", "one key per call"
                )
            _await(earlier.reply, deadline, cancellation)
            try:
                return earlier.reply.result()
            except (CallCancelled, DeadlineExceeded):
                continue  # the first caller's patience ended, not this one's

    def _first(self, place: _Place, mine: _Run, execute: Callable[[], Execution]) -> Execution:
        try:
            reply = execute()
        except RecordLost as fault:
            with self._lock:
                mine.reply.set_exception(fault)
                self._remember(mine)
            raise
        except BaseException as fault:
            with self._lock:
                del self._runs[place]
            mine.reply.set_exception(fault)
            raise
        with self._lock:
            mine.reply.set_result(reply)
            mine.size += _size(reply)
            self._remember(mine)
        return reply

    def _remember(self, run: _Run) -> None:
        self._bytes += run.size
        while len(self._runs) > REMEMBERED or self._bytes > REMEMBERED_BYTES:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        # What still runs is never forgotten: the key's next request has to wait for it.
        place = next(place for place, run in self._runs.items() if run.reply.done())
        self._bytes -= self._runs.pop(place).size


def _await(reply: Future[Execution], deadline: float | None, cancellation: Cancellation | None) -> None:
    """Wait until `reply` is there."""
    while not reply.done():
        if cancellation is not None and cancellation.cancelled:
            raise CallCancelled("The call was cancelled; an earlier one with its key goes on.")
        left = _LOOK_S if deadline is None else deadline - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded("The deadline passed; an earlier call with the same key goes on.")
        wait((reply,), timeout=min(left, _LOOK_S))


def _size(reply: Execution) -> int:
    outcome = reply.outcome
    texts = [outcome.result_json or ""]
    if outcome.failure is not None:
        texts += [outcome.failure.type, outcome.failure.message, outcome.failure.traceback]
    return sum(map(sys.getsizeof, texts)) + len(outcome.stdout.kept) + len(outcome.stderr.kept)


def _fingerprint(request: ExecutionRequest) -> str:
    target = request.target if isinstance(request.target, str) else request.target.digest
    asked = request.isolation.value if request.isolation else ""
    text = "\0".join((target, request.operation.value, repr(request.limits), asked, request.arguments_json))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
