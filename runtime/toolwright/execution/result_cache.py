"""Results of tools that were proved deterministic, given out again without a run.

What is kept is found by tenant, version and arguments:

- *Tenant.* A result of one tenant is never given to another. It is the same text for both, but a quick answer would
  tell that somebody else asked the same, and its provenance names an execution that is none of theirs.
- *Version.* By digest, so another version never finds it. A version that is not active is refused before it is
  looked for.
- *Arguments.* As a tool gets them: integers exact, `1` and `1.0` different, white space and the order of keyword
  arguments without meaning. The order of keys *within* an argument does count: a tool can see it.

Kept are results of runs that succeeded and wrote nothing to stdout or stderr, so there is no output to make up.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from toolwright.domain.call import ExecutionRequest
from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Execution, Provenance, Status
from toolwright.domain.record import VerificationRecord
from toolwright.execution.arguments import parse_arguments

DETERMINISM = "determinism"
"""Name of the gate that proves it."""
_ENTRY_BYTES = 1_024
"""What an entry takes beside its result: key, provenance, places in the table."""

Key = tuple[str, str, bytes]


def proved_deterministic(record: VerificationRecord) -> bool:
    """Whether the evidence shows that equal arguments give equal results: only then may a result be given again."""
    gates = getattr(record, "gates", ())
    return any(gate.gate == DETERMINISM and gate.passed for gate in gates)


def cache_key(request: ExecutionRequest, tool_digest: str) -> Key:
    """Return what the result of `request` is found by. Its arguments were checked before."""
    arguments = parse_arguments(request.arguments_json or "{}")
    # Only the outermost keys are sorted: they are names of parameters, and their order is lost in the call.
    in_order = {name: arguments[name] for name in sorted(arguments)}
    canonical = json.dumps(in_order, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return request.tenant, tool_digest, hashlib.sha256(canonical.encode()).digest()


@dataclass(frozen=True, slots=True)
class Known:
    """A result that may be given again."""

    result_json: str
    provenance: Provenance
    """Of the run that computed it, which `computed_by` names."""

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return len(self.result_json.encode()) + _ENTRY_BYTES


@dataclass(frozen=True, slots=True)
class CacheCounts:
    """What the cache of this server did since its start."""

    hits: int
    misses: int
    entries: int
    bytes: int


class ResultCache:
    """The results that were used last, up to a number and a size. Safe to use from many threads."""

    def __init__(
        self, *, max_entries: int, max_bytes: int, trusts: Callable[[VerificationRecord], bool] = proved_deterministic
    ) -> None:
        """Keep at most `max_entries` results, together at most `max_bytes`, of versions whose record it `trusts`."""
        self._max_entries, self._max_bytes, self.trusts = max_entries, max_bytes, trusts
        self._lock = threading.Lock()
        self._known: OrderedDict[Key, Known] = OrderedDict()
        self._bytes = self._hits = self._misses = 0

    def get(self, key: Key, limits: Limits) -> Known | None:
        """Return what is known, if it is within the limit on results."""
        with self._lock:
            known = self._known.get(key)
            if known is None or len(known.result_json.encode()) > limits.result_bytes:
                self._misses += 1
                return None
            self._known.move_to_end(key)
            self._hits += 1
            return known

    def put(self, key: Key, execution: Execution) -> None:
        """Keep the result of `execution`, if it is one that can be given again."""
        known = _known_from(execution)
        if known is None or known.size > self._max_bytes:
            return
        with self._lock:
            self._drop(key)
            self._known[key] = known
            self._bytes += known.size
            while len(self._known) > self._max_entries or self._bytes > self._max_bytes:
                self._drop(next(iter(self._known)))

    @property
    def counts(self) -> CacheCounts:
        """What it did so far."""
        with self._lock:
            return CacheCounts(self._hits, self._misses, len(self._known), self._bytes)

    def _drop(self, key: Key) -> None:
        known = self._known.pop(key, None)
        self._bytes -= known.size if known else 0


def _known_from(execution: Execution) -> Known | None:
    outcome = execution.outcome
    if outcome.status is not Status.SUCCESS or outcome.result_json is None:
        return None
    if outcome.stdout.total_bytes or outcome.stderr.total_bytes:
        return None
    return Known(outcome.result_json, replace(execution.provenance, computed_by=execution.execution_id))
