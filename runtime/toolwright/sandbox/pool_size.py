"""The bounds of a pool."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

CORES: Final = os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class PoolSize:
    """How many containers, and how long a queue for them."""

    ready: int = 2
    """Blank containers kept ready, whatever the demand."""
    most: int = 8
    """Containers at once, in use ones included."""
    starting: int = 2
    """Containers that may be starting at once; more only makes each slower."""
    ending: int = 2
    """Containers that may be removed at once, so that removals leave the engine time for starts."""
    queue: int = 64
    """Calls that may wait; one more is refused."""
    rest_s: float = 3.0
    """Seconds, above 0. A container called more often than that is in use, although it is idle between two calls:
    it does not make room for a blank that nobody waits for. Longer than a start for each of the default 8 places,
    else as many tools as places, called in turn, would evict each other for ever."""
    idle_s: float = 300.0
    """Seconds, above 0. A container that nobody used for so long is removed; blank ones, beyond those kept ready."""
    patience_s: float = 0.02
    """A call that will probably get one of its key's containers within so many seconds is given no further one."""
    cores: int = CORES
    """Containers that a key gets in any case if that many of its calls come at once."""
