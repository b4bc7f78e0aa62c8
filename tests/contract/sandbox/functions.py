"""What is run in every kind of pool: as source for a container, as a behaviour for the fake."""

from __future__ import annotations

import threading
from typing import Any

from toolwright.domain.call import ToolCall
from toolwright.sandbox.base import Cancellation

SOURCES = {
    "add": "def add(a, b=2):\n    return a + b\n",
    "echo": "def echo(value):\n    return value\n",
    "fail": "def fail():\n    raise ValueError('no such word')\n",
    "sleep": "import time\ndef sleep(seconds):\n    time.sleep(seconds)\n    return 'slept'\n",
    "make_set": "def make_set():\n    return {1}\n",
    "make_nan": "def make_nan():\n    return float('nan')\n",
    "repeat": "def repeat(text, times):\n    return text * times\n",
}
"""What a container runs; `BEHAVIOURS` is the same for the fake."""


def _sleep(arguments: dict[str, Any], call: ToolCall, cancellation: Cancellation) -> str:
    ended = threading.Event()
    cancellation.on_cancel(ended.set)
    ended.wait(arguments["seconds"])
    return "slept"


def _fail(arguments: dict[str, Any], call: ToolCall, cancellation: Cancellation) -> None:
    raise ValueError("no such word")


BEHAVIOURS = {
    "add": lambda arguments, call, cancellation: arguments["a"] + arguments.get("b", 2),
    "echo": lambda arguments, call, cancellation: arguments["value"],
    "fail": _fail,
    "sleep": _sleep,
    "make_set": lambda arguments, call, cancellation: {1},
    "make_nan": lambda arguments, call, cancellation: float("nan"),
    "repeat": lambda arguments, call, cancellation: arguments["text"] * arguments["times"],
}
