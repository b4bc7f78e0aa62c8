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
"""As read-only as this file. `preload`: modules; `reseed`: functions, as `module:name`."""
_LIBRARIES = f"{_HOME}/site-packages"
"""Libraries of the image, if it has any."""

Reseed = Callable[[], Any]


def load() -> Sequence[Reseed]:
    """Import what the image says; return what has to be called in each new process, so that no two draw the same.

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


def _function(name: str) -> Reseed:
    module, _, attribute = name.partition(":")
    function: Reseed = getattr(importlib.import_module(module), attribute)
    return function
