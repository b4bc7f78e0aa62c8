"""What is run: the same small work for ours, for the floors and for peers, and tools that ask for something special."""

from __future__ import annotations

import time
from typing import Any, Final

from toolwright.client import Client
from toolwright.domain.call import Isolation
from toolwright.domain.limits import LimitsRequest
from toolwright.domain.outcome import Execution, Status
from toolwright.domain.source import ToolSource
from toolwright.errors import SandboxUnavailable, ToolwrightError

_CODE: Final = "def sort_words(words: list[str]) -> list[str]:\n    return sorted(words)\n"
WORDS: Final = ("quilt", "anvil", "ferret", "tulip", "kettle", "walnut", "ember", "otter", "dew", "hinge")
ARGUMENTS: Final[dict[str, Any]] = {"words": list(WORDS)}
SMALL: Final = ToolSource(_CODE, "sort_words")
"""Sorts ten words."""
SCIENCE: Final = ToolSource(f"import numpy\nimport pandas\n\n\n{_CODE}", "sort_words")
"""Imports NumPy and pandas, and does the same: what the libraries cost a call, and not what is done with them."""
TABLE: Final = ToolSource(
    "import numpy\nimport pandas\n\n\n"
    "def sort_words(words: list[str]) -> list[str]:\n"
    "    lengths = numpy.array([len(word) for word in words])\n"
    "    table = pandas.DataFrame({'word': words, 'length': lengths})\n"
    "    assert int(table['length'].sum()) == int(lengths.sum())\n"
    "    return sorted(table['word'])\n",
    "sort_words",
)
"""The same words, through an array and a table."""
SPIN: Final = ToolSource("def spin() -> None:\n    while True:\n        pass\n", "spin")
FORKS: Final = ToolSource(
    "import os\n\n\n"
    "def spin() -> None:\n"
    "    for _ in range(8):\n"
    "        if os.fork() == 0:\n"
    "            os.setsid()\n"
    "            break\n"
    "    while True:\n"
    "        pass\n",
    "spin",
)
"""Nine processes, eight of them in sessions of their own."""
TAKES_TEXT: Final = ToolSource("def take(text: str) -> int:\n    return len(text)\n", "take")
GIVES_TEXT: Final = ToolSource("def give(size: int) -> str:\n    return 'x' * size\n", "give")
NAPS: Final = ToolSource("import time\n\n\ndef nap(seconds: float) -> None:\n    time.sleep(seconds)\n", "nap")


def never_seen() -> ToolSource:
    """Return the small work as a text that no one has called before."""
    return ToolSource(f"{_CODE}# {time.time_ns()}\n", "sort_words")


def slowed(milliseconds: float) -> ToolSource:
    """Return the small work that burns so much more processor time: a slowdown to find."""
    burn = f"    until = time.process_time() + {milliseconds / 1000:.6f}\n    while time.process_time() < until:\n"
    body = f"{burn}        pass\n    return sorted(words)\n"
    return ToolSource(f"import time\n\n\ndef sort_words(words: list[str]) -> list[str]:\n{body}", "sort_words")


def call(
    client: Client,
    source: ToolSource = SMALL,
    arguments: dict[str, Any] | None = None,
    *,
    isolation: Isolation | None = None,
    limits: LimitsRequest | None = None,
) -> Execution:
    """Make a call that has to succeed: one that fails is quick, and must not look like speed.

    Raises:
        SandboxUnavailable: it ended otherwise.
        ToolwrightError: as `Client.execute`.
    """
    return check(
        client.execute(
            source, ARGUMENTS if arguments is None else arguments, isolation=isolation, limits=limits, timeout_s=60
        )
    )


def check(execution: Execution | None, error: ToolwrightError | None = None) -> Execution:
    """Return `execution` if it succeeded.

    Raises:
        SandboxUnavailable: it ended otherwise.
        ToolwrightError: `error`, where there is no execution.
    """
    if execution is None:
        raise error or SandboxUnavailable("a call of the bench has neither an end nor an error")
    outcome = execution.outcome
    if outcome.status is not Status.SUCCESS:
        why = outcome.failure.message if outcome.failure else ""
        raise SandboxUnavailable(f"a call of the bench ended with {outcome.status.value}: {why}")
    return execution
