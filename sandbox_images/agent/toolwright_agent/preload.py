"""What the zygote imports before the first fork, as the image says it: a warm call pays for none of it."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

_HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_START = f"{_HOME}/start.json"
"""As read-only as this file. `preload`: modules; `reseed`: functions of a seed, as `module:name`."""
_LIBRARIES = f"{_HOME}/site-packages"
"""Libraries of the image, if it has any."""

Reseed = Callable[[int], Any]
_SEED_BYTES = 4
"""As many as numpy.random takes for a seed; more would cost each call a millisecond there."""


def load() -> Sequence[Reseed]:
    """Import what the image says; return what `draw_anew` needs.

    Raises:
        RuntimeError: a library started a thread: it would not live through a fork, and a lock that it held would
            stay locked.
    """
    if os.path.isdir(_LIBRARIES):
        sys.path.append(_LIBRARIES)  # last: none of them can stand in for the standard library
    with open(_START, "rb") as file:
        start = json.load(file)
    for name in start["preload"]:
        importlib.import_module(name)
    reseed = [_function(name) for name in start["reseed"]]
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        raise RuntimeError(f"{threads} threads after the imports; a process that forks calls may have one")
    return reseed


def draw_anew(reseed: Sequence[Reseed]) -> None:
    """Give this process random numbers of its own, else all that are forked from one would draw the same.

    Python's own `random` does it by itself at each fork.
    """
    for function in reseed:
        function(int.from_bytes(os.urandom(_SEED_BYTES), "little"))


def _function(name: str) -> Reseed:
    module, _, attribute = name.partition(":")
    function: Reseed = getattr(importlib.import_module(module), attribute)
    return function
