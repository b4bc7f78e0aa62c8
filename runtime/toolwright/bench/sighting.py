"""Sees, from the host, when a call in a container began and when the last process of it was gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from toolwright.bench.cgroup import Cgroup

_LOOK_S: Final = 0.0005
_GONE_S: Final = 5.0
_LOOKS: Final = 3
"""A look is no snapshot: a process that forks and ends while it is taken may be missed once, but not three times."""
_NO_CPU_LIMIT: Final = "Max cpu time unlimited"
_DEAD: Final = "ZX"


@dataclass(frozen=True, slots=True)
class Residents:
    """The processes of a container that outlive every call, as this machine numbers them."""

    relay: int
    """The container's first process."""
    zygote: int
    """Forks the process of each call ahead: until there is one, that waits."""

    @classmethod
    def of(cls, relay: int, group: Cgroup) -> Residents | None:
        """Return those of the container whose first process is `relay`; None if they cannot be told apart now."""
        children = [pid for pid in group.pids() if (found := _state_and_parent(pid)) and found[1] == relay]
        return cls(relay, children[0]) if len(children) == 1 else None

    def is_of_call(self, pid: int) -> bool:
        """Return whether `pid` is alive and belongs to a call."""
        if pid in {self.relay, self.zygote} or (found := _state_and_parent(pid)) is None:
            return False
        state, parent = found
        return state not in _DEAD and not (parent == self.zygote and _waits(pid))


@dataclass(slots=True)
class Sighting:
    """What was seen of a call's processes, by the clock of `time.perf_counter`."""

    began: float = 0.0
    """When its process had been given its limit on processor time; 0 for never seen."""
    gone: float = 0.0
    """From when on there was none; 0 for never: some were left when patience ended."""
    most: int = 0
    """At one time."""


@contextmanager
def watched(group: Cgroup, residents: Residents) -> Iterator[Sighting]:
    """Look at the container's processes all the time, and at the end until those of the call are gone."""
    seen, ending = Sighting(), threading.Event()
    watcher = threading.Thread(target=_watch, args=(group, residents, seen, ending), name="bench-watch")
    watcher.start()
    try:
        yield seen
    finally:
        ending.set()
        watcher.join()


def _watch(group: Cgroup, residents: Residents, seen: Sighting, ending: threading.Event) -> None:
    looks, until = 0, float("inf")
    while looks < _LOOKS:
        before = time.perf_counter()
        found = sum(map(residents.is_of_call, group.pids()))
        if found:
            seen.began, seen.most, seen.gone, looks = seen.began or before, max(seen.most, found), 0.0, 0
        elif seen.began:
            seen.gone, looks = seen.gone or time.perf_counter(), looks + 1
        if ending.is_set():
            until = min(until, before + (_GONE_S if seen.began else 0.0))
        if before > until:
            return
        time.sleep(_LOOK_S)


def _waits(pid: int) -> bool:
    # To be the next call: one that runs has a limit on processor time, which it cannot get rid of.
    try:
        lines = Path(f"/proc/{pid}/limits").read_text(encoding="ascii").splitlines()
    except OSError:
        return True  # it has ended: nothing of it is left to be counted
    return any(" ".join(line.split()[:4]) == _NO_CPU_LIMIT for line in lines)


def _state_and_parent(pid: int) -> tuple[str, int] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, parent = text.rpartition(")")[2].split()[:2]
    return state, int(parent)
