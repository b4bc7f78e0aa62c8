"""Calls whose result is known already: answered from the cache, put on record like any other, and filling it else."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from toolwright.domain.call import ExecutionRequest, Operation
from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Execution, Outcome, Status, Timing
from toolwright.domain.record import ExecutionEntry
from toolwright.execution.evidence import Evidence
from toolwright.execution.result_cache import Known, ResultCache, cache_key
from toolwright.registry.base import Store

_REMEMBERED_RECORDS = 4_096


@dataclass(frozen=True, slots=True)
class Asked:
    """A call of a registered version that was found to be in order."""

    request: ExecutionRequest
    tool_digest: str
    verification_id: str
    limits: Limits
    entry: ExecutionEntry
    """Its line in the execution log, as it begins."""


class KnownResults:
    """Puts a `ResultCache` before runs. Safe to use from many threads.

    Equal calls at the same time each run: a tool is pure, and waiting for another caller's run would let that
    one's deadline and limits decide over this one's.
    """

    def __init__(self, cache: ResultCache, store: Store, evidence: Evidence) -> None:
        """Give results out of `cache` as far as `evidence` proves them; `store` is told of each hit."""
        self._cache, self._store, self._evidence = cache, store, evidence
        self._deterministic: OrderedDict[tuple[str, str], bool] = OrderedDict()

    def answer(self, asked: Asked, run: Callable[[], Execution]) -> Execution:
        """Return the result that is known, or that of `run`.

        Raises:
            StoreUnavailable: the hit could not be put on record, so it is not given out.
            NotReady, StoreCorrupt: the version's record proves nothing, so nothing is given out on it.
            ToolwrightError: what `run` raises.
        """
        began = time.monotonic()
        if not self._may_be_known(asked):
            return run()
        key = cache_key(asked.request, asked.tool_digest)
        known = self._cache.get(key, asked.limits)
        if known is not None:
            return self._hit(asked, known, began)
        execution = run()
        self._cache.put(key, execution)
        return execution

    def _may_be_known(self, asked: Asked) -> bool:
        request = asked.request
        # A description is no result of the tool, and another replica is asked for a second opinion.
        if request.operation is not Operation.CALL or request.replica or request.bypass_cache:
            return False
        place = asked.tool_digest, asked.verification_id
        remembered = self._deterministic.get(place)
        return self._read(asked, place) if remembered is None else remembered

    def _read(self, asked: Asked, place: tuple[str, str]) -> bool:
        # A record never changes: once read and found genuine, it need not be read again.
        proved = self._cache.trusts(self._evidence.record(asked.entry.tool or asked.tool_digest, *place))
        if len(self._deterministic) >= _REMEMBERED_RECORDS:
            self._deterministic.clear()
        self._deterministic[place] = proved
        return proved

    def _hit(self, asked: Asked, known: Known, began: float) -> Execution:
        # Nothing ran for this call, in no container; the record that it rests on is today's.
        provenance = replace(known.provenance, container_id="", verification_id=asked.verification_id)
        self._store.add_execution(
            replace(
                asked.entry,
                status=Status.SUCCESS,
                result_sha256=hashlib.sha256(known.result_json.encode()).hexdigest(),
                image_digest=provenance.image_digest,
                runtime=provenance.runtime,
                computed_by=provenance.computed_by,
                ended=True,
            )
        )
        outcome = Outcome(Status.SUCCESS, result_json=known.result_json)
        timing = Timing(collect_ms=(time.monotonic() - began) * 1000)
        return Execution(asked.entry.execution_id, outcome, asked.limits, timing, provenance)
