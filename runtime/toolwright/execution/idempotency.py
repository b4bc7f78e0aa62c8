"""One run for one idempotency key: a repeated request gets the first one's reply, or waits for it."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from toolwright.domain.call import ExecutionRequest
from toolwright.domain.outcome import Execution
from toolwright.errors import InvalidInput

MAX_KEY_CHARS = 128
REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class _Run:
    fingerprint: str
    reply: Future[Execution]


class OnceOnly:
    """Remembers the replies of the last `REMEMBERED` keys, by tenant."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._runs: OrderedDict[tuple[str, str], _Run] = OrderedDict()
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
        mine = _Run(_fingerprint(request), Future())
        with self._lock:
            earlier = self._runs.setdefault(place, mine)
            while len(self._runs) > REMEMBERED:
                self._runs.popitem(last=False)
        if earlier is not mine:
            if earlier.fingerprint != mine.fingerprint:
                raise InvalidInput(
                    "idempotency_key", "was used for another tool or other arguments", "one key per call"
                )
            return earlier.reply.result()
        try:
            reply = execute()
        except BaseException as fault:
            with self._lock:
                self._runs.pop(place, None)
            mine.reply.set_exception(fault)
            raise
        mine.reply.set_result(reply)
        return reply


def _fingerprint(request: ExecutionRequest) -> str:
    target = request.target if isinstance(request.target, str) else request.target.digest
    text = "\0".join((target, request.operation.value, repr(request.limits), request.arguments_json))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
