"""Callers in threads, each of which calls again as soon as it was answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Load(Generic[Answer]):
    """What the callers saw."""

    seconds: float
    by_caller: tuple[tuple[Answer, ...], ...]
    """The answers to each caller."""

    @property
    def answers(self) -> list[Answer]:
        """All answers."""
        return [answer for answers in self.by_caller for answer in answers]

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return len(self.answers) / self.seconds


def drive(
    call: Callable[[int], Answer], callers: int, *, seconds: float | None = None, calls: int | None = None
) -> Load[Answer]:
    """Let so many callers call at once, for a time or, all together, for a number of calls.

    Args:
        call: (caller, counted from 0) → its answer. What it raises ends the load, and is raised.
        callers: threads.
        seconds: no call begins later; the last ones are waited for, and counted with their time.
        calls: instead of a time.
    """
    ready = threading.Barrier(callers + 1)
    tickets = iter(range(calls)) if calls is not None else None
    until = [0.0]

    def one(caller: int) -> tuple[Answer, ...]:
        ready.wait()
        return tuple(call(caller) for _ in _turns(tickets, until))

    with ThreadPoolExecutor(callers, thread_name_prefix="bench-caller") as pool:
        running = [pool.submit(one, caller) for caller in range(callers)]
        started = time.perf_counter()
        until[0] = started + (seconds or 0.0)
        ready.wait()
        answers = tuple(future.result() for future in running)
        return Load(time.perf_counter() - started, answers)


def _turns(tickets: Iterator[int] | None, until: list[float]) -> Iterator[None]:
    # `next` of a range is one step of the interpreter: no two threads get the same ticket.
    while next(tickets, None) is not None if tickets is not None else time.perf_counter() < until[0]:
        yield
