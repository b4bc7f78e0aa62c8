"""Measures what the guard judges, in a process of its own: coverage of the tests would be measured with it.

program.py IMAGE_ID BLOCKS    writes JSON: what was measured of our own tool, and of one that is twice as dear
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from typing import Any, Final

from toolwright.bench.blocks import Subject, interleaved
from toolwright.bench.floors import fork_pipe
from toolwright.bench.ground import MAIN
from toolwright.bench.rate import forks_to_calls
from toolwright.bench.server_process import base_environment, server_process
from toolwright.bench.spread import ratio
from toolwright.bench.warm import Caller
from toolwright.bench.work import SMALL, slowed
from toolwright.client import Client
from toolwright.domain.call import Isolation
from toolwright.domain.source import ToolSource

_CALLS, _FORKS = 25, 50
_SPIN_S: Final = 0.03
_CORES: Final = os.cpu_count() or 1


def slowness() -> float:
    """Return how many times longer than alone something takes now, as others use the processors: at least 1."""
    begun, used = time.perf_counter(), time.process_time()
    while time.process_time() - used < _SPIN_S:
        pass
    return max(1.0, (time.perf_counter() - begun) / _SPIN_S)


def warm(client: Client, source: ToolSource, blocks: int) -> dict[str, float]:
    """Return the median of a warm call in milliseconds, and its ratio to fork and pipe."""
    caller = Caller(client, Isolation.TOOL, source)
    caller.warm_up(10)
    subjects = [Subject("floor", fork_pipe, _FORKS), Subject("ours", caller.run, _CALLS)]
    found = interleaved(subjects, blocks)
    return {
        "ms": statistics.median(statistics.median(block) for block in found["ours"]),
        "ratio": ratio(found["ours"], found["floor"]).p50,
    }


def measured(client: Client, blocks: int) -> dict[str, Any]:
    """Return what was measured of the small tool, and of ones that burn as much processor time again as it took."""
    before = slowness()
    ours = {"warm": warm(client, SMALL, blocks), "rate": forks_to_calls(client, SMALL, blocks)}
    between = slowness()
    dear, costly = slowed(ours["warm"]["ms"]), slowed(1000 * _CORES / ours["rate"]["per_second"])
    doubled = {"warm": warm(client, dear, blocks), "rate": forks_to_calls(client, costly, blocks)}
    return {"ours": ours, "doubled": doubled, "slowness": max(before, between, slowness())}


def main(image_id: str, blocks: int) -> None:
    """Start a server, measure, and write the result."""
    with server_process({**MAIN, "sandbox.image": image_id}, base_environment()) as server:
        found = measured(server.client, blocks)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
