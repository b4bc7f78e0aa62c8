"""Arguments and results from 1 KiB up to what the limits allow."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any, Final

from toolwright.bench.blocks import Subject, interleaved, timed
from toolwright.bench.ground import Ground
from toolwright.bench.plan import Plan
from toolwright.bench.spread import Spread, flat, rounded
from toolwright.bench.work import GIVES_TEXT, TAKES_TEXT, call
from toolwright.client import Client
from toolwright.domain.call import MAX_ARGUMENTS_BYTES, Isolation
from toolwright.domain.limits import MIB, Limits

_FRAME: Final = 64
"""Bytes of JSON around the text itself."""
_SIZES: Final = (1024, 16 * 1024, 256 * 1024, MIB - _FRAME, 4 * MIB - _FRAME)


def measure_payloads(ground: Ground, plan: Plan) -> dict[str, Any]:
    """Measure both ways, in turns.

    Raises:
        SandboxUnavailable: a call failed.
    """
    client, rounds = ground.main().client, 2 if plan.quick else 10
    found: dict[str, list[dict[str, Any]]] = {}
    for way, once_of, limit in (
        ("arguments", _takes, MAX_ARGUMENTS_BYTES),
        ("result", _gives, Limits().result_bytes),
    ):
        sizes = [size for size in _SIZES if size + _FRAME <= limit]
        subjects = [Subject(str(size), timed(once_of(client, size)), rounds) for size in sizes]
        for subject in subjects:
            subject.run(1)
        blocks = interleaved(subjects, 3)
        found[way] = [_row(size, flat(blocks[str(size)])) for size in sizes]
    return {"unit": "ms", **found}


def _takes(client: Client, size: int) -> Callable[[], object]:
    text = "x" * size
    return lambda: call(client, TAKES_TEXT, {"text": text}, isolation=Isolation.TENANT)


def _gives(client: Client, size: int) -> Callable[[], object]:
    return lambda: call(client, GIVES_TEXT, {"size": size}, isolation=Isolation.TENANT)


def _row(size: int, times: list[float]) -> dict[str, Any]:
    return {
        "bytes": size,
        "mib_per_second": rounded(size / MIB / (statistics.median(times) / 1000)),
        "latency_ms": Spread.of(times).document(),
    }
