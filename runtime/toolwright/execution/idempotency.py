"""One run for one idempotency key: a repeated request gets the first one's reply, or waits for it."""

from __future__ import annotations

import hashlib
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from toolwright.domain.call import ExecutionRequest
from toolwright.domain.outcome import Execution
from toolwright.errors import CallCancelled, DeadlineExceeded, InvalidInput

MAX_KEY_CHARS = 128
REMEMBERED = 10_000
REMEMBERED_BYTES = 64 * 1024 * 1024
"""All remembered replies together; beyond it the oldest are forgotten."""
_ENTRY_BYTES = 2_048

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

    def run(self, request: ExecutionRequest, execute: Callable[[], Execution]) -> Execution:
        """Return `execute()`, or the reply that the same key got before.

        A run that raises is not remembered: nothing was kept, so the key may be used again.

        Raises:
            InvalidInput: the key is too long, or was used for another call.
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
            try:
                return earlier.reply.result()
            except (CallCancelled, DeadlineExceeded):
                continue  # the first caller's patience ended, not this one's

    def _first(self, place: _Place, mine: _Run, execute: Callable[[], Execution]) -> Execution:
        try:
            reply = execute()
        except BaseException as fault:
            with self._lock:
                del self._runs[place]
            mine.reply.set_exception(fault)
            raise
        with self._lock:
            mine.reply.set_result(reply)
            mine.size += _size(reply)
            self._bytes += mine.size
            while len(self._runs) > REMEMBERED or self._bytes > REMEMBERED_BYTES:
                self._forget_oldest()
        return reply

    def _forget_oldest(self) -> None:
        # What still runs is never forgotten: the key's next request has to wait for it.
        place = next(place for place, run in self._runs.items() if run.reply.done())
        self._bytes -= self._runs.pop(place).size


def _size(reply: Execution) -> int:
    outcome = reply.outcome
    texts = [outcome.result_json or ""]
    if outcome.failure is not None:
        texts += [outcome.failure.type, outcome.failure.message, outcome.failure.traceback]
    return sum(map(sys.getsizeof, texts)) + len(outcome.stdout.kept) + len(outcome.stderr.kept)


def _fingerprint(request: ExecutionRequest) -> str:
    target = request.target if isinstance(request.target, str) else request.target.digest
    text = "\0".join((target, request.operation.value, repr(request.limits), request.arguments_json))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
