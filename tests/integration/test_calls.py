"""Calls in real containers: each verdict, and that the next call is fine after it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from toolwright.domain.outcome import Execution, Status

pytestmark = pytest.mark.integration
Run = Callable[..., Execution]

ENDINGS = {
    "raises": ("def f():\n    raise ValueError('no')", {}, Status.TOOL_ERROR),
    "exits politely": ("import sys\ndef f():\n    sys.exit(0)", {}, Status.TOOL_ERROR),
    "loops": ("def f():\n    while True:\n        pass", {"wall_time_s": 0.3}, Status.TIMEOUT),
    "eats memory": (
        "def f():\n    kept = []\n    while True:\n        kept.append(bytearray(1_000_000))",
        {},
        Status.OUT_OF_MEMORY,
    ),
    "floods stdout": ("def f():\n    while True:\n        print('x' * 1000)", {}, Status.OUTPUT_LIMIT),
    "ends with no result": ("import os\ndef f():\n    os._exit(0)", {}, Status.CRASHED),
    "kills itself": ("import os\ndef f():\n    os.kill(os.getpid(), 11)", {}, Status.CRASHED),
    "feigns a time limit": (
        "import os, signal\ndef f():\n    os.kill(os.getpid(), signal.SIGXCPU)",
        {},
        Status.CRASHED,
    ),
    "returns NaN": ("def f():\n    return float('nan')", {}, Status.RESULT_INVALID),
    "returns a set": ("def f():\n    return {1}", {}, Status.RESULT_INVALID),
    "returns too much": ("def f():\n    return 'x' * 5_000_000", {}, Status.RESULT_INVALID),
    "does not parse": ("def f(:", {}, Status.LOAD_ERROR),
    "has no such function": ("def g():\n    return 1", {}, Status.LOAD_ERROR),
    "raises at import": ("1 / 0\ndef f():\n    return 1", {}, Status.LOAD_ERROR),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_every_ending_has_its_verdict_and_the_next_call_is_fine(run_source: Run, name: str) -> None:
    """The verdict is the right one, and the pool serves the next call as if nothing had been."""
    code, limits, expected = ENDINGS[name]

    assert run_source(code, **limits).outcome.status is expected
    assert run_source("def f():\n    return 'fine'").outcome.result_json == '"fine"'


def test_arguments_and_results_keep_every_digit(run_source: Run) -> None:
    """Integers of 400 digits go in and come out exactly; so do text and nesting."""
    value = {"n": int("9" * 400), "text": "ünï\u0000\U0001f600", "nested": [[1.5, None, True], {}]}

    reply = run_source("def f(value):\n    return value", arguments_json=json.dumps({"value": value}))

    assert json.loads(reply.outcome.result_json or "") == value


def test_output_beyond_the_cap_is_counted_and_flagged(run_source: Run) -> None:
    """A little too much output is cut with a flag and the true count; the call succeeds."""
    outcome = run_source("def f():\n    print('x' * 3000)\n    return 1", output_bytes=1000).outcome

    assert outcome.status is Status.SUCCESS
    assert (len(outcome.stdout.kept), outcome.stdout.total_bytes, outcome.stdout.truncated) == (1000, 3001, True)


def test_reply_says_what_ran_and_what_it_used(run_source: Run) -> None:
    """Usage, limits, timing and provenance are those of this call."""
    reply = run_source("def f():\n    x = bytearray(60_000_000)\n    return sum(range(3_000_000))", wall_time_s=5)

    assert reply.outcome.usage.peak_memory_bytes > 60_000_000
    assert reply.outcome.usage.wall_ms >= 10
    assert reply.outcome.usage.cpu_ms >= 10
    assert reply.limits.wall_time_s == 5
    assert reply.provenance.image_digest.startswith("sha256:")
    assert len(reply.provenance.container_id) == 64
    assert reply.timing.run_ms >= reply.outcome.usage.wall_ms


DESCRIBED: dict[str, tuple[str, dict[str, Any]]] = {
    "simple": (
        "def f(a: int, b: float = 1.0, *, c: str, d: bool, e: None):\n    '''Adds.\n\n    More.'''",
        {
            "a": {"type": "integer"},
            "b": {"type": "number"},
            "c": {"type": "string"},
            "d": {"type": "boolean"},
            "e": {"type": "null"},
        },
    ),
    "containers": (
        "def f(a: list[list[int]], b: dict[str, str], c: tuple[int, str], d: tuple[int, ...]):\n    ''",
        {
            "a": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
            "b": {"type": "object", "additionalProperties": {"type": "string"}},
            "c": {
                "type": "array",
                "prefixItems": [{"type": "integer"}, {"type": "string"}],
                "minItems": 2,
                "maxItems": 2,
            },
            "d": {"type": "array", "items": {"type": "integer"}},
        },
    ),
    "choices": (
        "from typing import *\ndef f(a: Literal['x', 'y'], b: int | None, c: Annotated[str, 'a name']):\n    ''",
        {
            "a": {"enum": ["x", "y"]},
            "b": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "c": {"type": "string", "description": "a name"},
        },
    ),
    "records": (
        "from typing import *\nclass P(TypedDict):\n    x: int\n    y: NotRequired[str]\ndef f(a: P):\n    ''",
        {
            "a": {
                "type": "object",
                "properties": {"x": {"type": "integer"}, "y": {"type": "string"}},
                "required": ["x"],
                "additionalProperties": False,
            }
        },
    ),
}


@pytest.mark.parametrize("name", DESCRIBED)
def test_schema_of_the_arguments_is_made_in_the_sandbox(describe_source: Run, name: str) -> None:
    """Signature and annotations become a JSON Schema; the server never parses the source."""
    code, properties = DESCRIBED[name]

    description = json.loads(describe_source(code).outcome.result_json or "")

    assert description["parameters"]["properties"] == properties
    assert description["parameters"]["additionalProperties"] is False
    assert description["signature"].startswith("f(")


UNDESCRIBABLE = {
    "positional only": "def f(a: int, /): ''",
    "any arguments": "def f(*a: int): ''",
    "any keywords": "def f(**a: int): ''",
    "no annotation": "def f(a): ''",
    "a type without JSON form": "def f(a: set[int]): ''",
    "keys that are no text": "def f(a: dict[int, int]): ''",
    "an unknown name": "from __future__ import annotations\ndef f(a: Nowhere): ''",
    "a coroutine": "async def f(a: int): ''",
    "a generator": "def f(a: int):\n    yield a",
    "a class": "class f: ''",
    "no function": "f = 3",
}


@pytest.mark.parametrize("name", UNDESCRIBABLE)
def test_what_cannot_be_called_with_json_is_a_load_error(describe_source: Run, name: str) -> None:
    """The error says what to change, since it goes back to the model that wrote the source."""
    outcome = describe_source(UNDESCRIBABLE[name]).outcome

    assert outcome.status is Status.LOAD_ERROR
    assert outcome.failure is not None
    assert outcome.failure.message
