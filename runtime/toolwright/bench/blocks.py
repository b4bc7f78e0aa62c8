"""Measures several things in turns, block by block, so that the machine's moods fall on all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Blocks = dict[str, list[list[float]]]
"""Name of a subject → its blocks, each the milliseconds of its rounds."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Something whose time is taken."""

    name: str
    run: Callable[[int], Sequence[float]]
    """(rounds) → milliseconds of each."""
    rounds: int
    """In a block."""


def interleaved(subjects: Sequence[Subject], blocks: int) -> Blocks:
    """Measure all `subjects`, `blocks` times, in turns: A B C, C B A, A B C and so on."""
    found: Blocks = {subject.name: [] for subject in subjects}
    order = list(subjects)
    for _ in range(blocks):
        for subject in order:
            found[subject.name].append(list(subject.run(subject.rounds)))
        order.reverse()
    return found


def timed(once: Callable[[], object]) -> Callable[[int], list[float]]:
    """Return what takes the time of `once` so many times, in milliseconds."""

    def run(rounds: int) -> list[float]:
        times = []
        for _ in range(rounds):
            started = time.perf_counter()
            once()
            times.append(1000 * (time.perf_counter() - started))
        return times

    return run
