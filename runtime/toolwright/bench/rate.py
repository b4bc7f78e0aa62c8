"""Calls a second against callers at once: unary, and any other way to send many."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any, Final

from toolwright.bench.floors import forks_per_second
from toolwright.bench.ground import Ground
from toolwright.bench.load import drive
from toolwright.bench.plan import Plan
from toolwright.bench.spread import Spread, flat, rounded
from toolwright.bench.work import ARGUMENTS, SMALL, call, check
from toolwright.client import Client
from toolwright.domain.batch import BatchCall
from toolwright.domain.call import Isolation
from toolwright.domain.source import ToolSource

CALLERS: Final = (1, 2, 4, 8, 16)

_PRICE_S: Final = 0.6
_SETTLE_S: Final = 0.5
"""After a load the pool starts and removes containers for a while."""
_FORKS: Final = 50

Sender = Callable[[Client, int, float], tuple[float, list[float]]]
"""(client, callers, seconds) → calls a second, and the milliseconds of each."""


def unary(client: Client, callers: int, seconds: float) -> tuple[float, list[float]]:
    """Send each call by itself, from so many threads."""

    def once(_caller: int) -> float:
        started = time.perf_counter()
        call(client, isolation=Isolation.TOOL)
        return 1000 * (time.perf_counter() - started)

    drive(once, callers, seconds=seconds / 4)  # containers start here, not below
    load = drive(once, callers, seconds=seconds)
    return load.per_second, load.answers


def forks_to_calls(client: Client, source: ToolSource, blocks: int) -> dict[str, float]:
    """Return how many bare forks on all cores could be had for one call, where four callers call: the price of a call.

    The median of blocks, in each of which forks and calls took turns; and the median of the calls a second.

    Raises:
        SandboxUnavailable: a call failed.
    """

    def load(seconds: float) -> float:
        return drive(lambda _: call(client, source, isolation=Isolation.TOOL), 4, seconds=seconds).per_second

    load(2 * _PRICE_S)  # containers start here, not below
    rates, ratios = [], []
    for _ in range(blocks):
        time.sleep(_SETTLE_S)
        forks = forks_per_second(_FORKS, os.cpu_count() or 1)
        rates.append(load(_PRICE_S))
        ratios.append(forks / rates[-1])
    return {"per_second": statistics.median(rates), "ratio": statistics.median(ratios)}


def batch(client: Client, callers: int, seconds: float) -> tuple[float, list[float]]:
    """Send all calls in one stream, so many of them in flight."""
    _stream(client, callers, seconds / 4)  # containers start here, not below
    return _stream(client, callers, seconds)


def _stream(client: Client, in_flight: int, seconds: float) -> tuple[float, list[float]]:
    sent: dict[str, float] = {}
    times = []
    started = time.perf_counter()

    def calls() -> Iterator[BatchCall]:
        for number in count():
            now = time.perf_counter()
            if now > started + seconds:
                return
            sent[str(number)] = now
            yield BatchCall(str(number), SMALL, ARGUMENTS, isolation=Isolation.TOOL)

    for answer in client.execute_batch(calls(), in_flight=in_flight):
        times.append(1000 * (time.perf_counter() - sent.pop(answer.request_id)))
        check(answer.execution, answer.error)
    return len(times) / (time.perf_counter() - started), times


SENDERS: Final[Mapping[str, Sender]] = {"unary": unary, "batch": batch}
"""By name; each gets a line in the picture."""


def measure_rate(ground: Ground, plan: Plan) -> dict[str, Any]:
    """Measure each sender with 1, 2, 4, 8 and 16 callers, three times, in turns with forks on all cores.

    Raises:
        SandboxUnavailable: a call failed.
    """
    client = ground.main().client
    counts = sorted({*CALLERS, plan.concurrency})
    sweeps, seconds = (2, 0.5) if plan.quick else (3, 3.0)
    rates: dict[str, dict[int, list[float]]] = {name: {callers: [] for callers in counts} for name in SENDERS}
    times: dict[str, dict[int, list[list[float]]]] = {name: {callers: [] for callers in counts} for name in SENDERS}
    price = forks_to_calls(client, SMALL, 3 if plan.quick else 7)
    forks: list[float] = []
    for _ in range(sweeps):
        time.sleep(_SETTLE_S)
        forks.append(forks_per_second(100, os.cpu_count() or 1))
        for name, send in SENDERS.items():
            for callers in counts:
                rate, took = send(client, callers, seconds)
                rates[name][callers].append(rate)
                times[name][callers].append(took)
    return {
        "sweeps": sweeps,
        "seconds": seconds,
        "forks_per_second_all_cores": Spread.of(forks).document(),
        "forks_to_calls": rounded(price["ratio"]),
        "senders": {
            name: [_point(callers, rates[name][callers], times[name][callers]) for callers in counts]
            for name in SENDERS
        },
    }


def _point(callers: int, rates: list[float], times: list[list[float]]) -> dict[str, Any]:
    return {
        "callers": callers,
        "calls_per_second": rounded(statistics.median(rates)),
        "least": rounded(min(rates)),
        "most": rounded(max(rates)),
        "latency_ms": Spread.of(flat(times)).document(),
    }
