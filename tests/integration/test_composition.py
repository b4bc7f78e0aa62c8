"""Tools made from tools in real containers: registered, called by reference, limited and verified as one."""

from __future__ import annotations

import json

import pytest

from toolwright.calling.models import Models
from toolwright.calling.testing import ModelRequest, Scripted, ScriptedModel, calls
from toolwright.domain.call import ExecutionRequest, Isolation
from toolwright.domain.isolation import IsolationPolicy
from toolwright.domain.limits import Limits, LimitsRequest
from toolwright.domain.outcome import Outcome, Status
from toolwright.domain.source import ToolSource
from toolwright.domain.task import AnswerKind, Example, Task
from toolwright.domain.tool import RegisteredTool
from toolwright.errors import NotReady
from toolwright.execution.evidence import Evidence
from toolwright.execution.executor import SandboxExecutor
from toolwright.lifecycle.porter import Porter
from toolwright.llm.prices import PriceList
from toolwright.making.pipeline import Maker
from toolwright.registry.admission import Admission
from toolwright.registry.memory import MemoryStore
from toolwright.registry.signing import Keyring, Signer
from toolwright.sandbox.pool import WarmPool

pytestmark = pytest.mark.integration


class Shop:
    """A registry, a maker that takes a person's code, and real sandboxes."""

    def __init__(self, pool: WarmPool) -> None:
        self.store, self.signer = MemoryStore(), Signer.generate()
        self.keyring = Keyring([self.signer.public])
        evidence, isolation = Evidence(self.store, self.keyring), IsolationPolicy(Isolation.TENANT)
        self.executor = SandboxExecutor(pool, self.store, Limits(), isolation=isolation, evidence=evidence)
        reader = ScriptedModel(_reads, "light")
        models = Models(ScriptedModel([]), reader, ScriptedModel([]), PriceList({}))
        admission = Admission(self.store, self.signer)
        self.maker = Maker(models=models, executor=self.executor, store=self.store, admission=admission)
        self.porter = Porter(self.store, self.maker, self.keyring)

    def register(self, name: str, body: str, answers: dict[int, int], *uses: str) -> RegisteredTool:
        """Register `def name(x: int) -> int`, with examples of what it has to answer."""
        asked = tuple(Example(f"e{x}", f"{name} of {x}", str(answer)) for x, answer in answers.items())
        imports = f"from tools import {', '.join(uses)}\n" if uses else ""
        code = f'{imports}def {name}(x: int) -> int:\n    """Work it out, for an integer x."""\n{body}'
        task = Task(name, "", asked[:2], asked[2:], AnswerKind.NUMBER, uses)
        return self.maker.register(task, ToolSource(code, name))

    def call(self, tool: str, x: int, **limits: float) -> Outcome:
        request = ExecutionRequest(tool, json.dumps({"x": x}), LimitsRequest(**limits))  # type: ignore[arg-type]
        return self.executor.execute(request).outcome


def _reads(request: ModelRequest) -> Scripted:
    name, _, x = request.question.partition(" of ")
    return calls(name, {"x": int(x)})


@pytest.fixture
def shop(warm_pool: WarmPool) -> Shop:
    """Empty, with two small tools in it."""
    shop = Shop(warm_pool)
    shop.register("half", "    return x // 2\n", {4: 2, 9: 4, 100: 50})
    shop.register("square", "    return x * x\n", {2: 4, 3: 9, 5: 25})
    return shop


def test_tools_of_tools_of_tools(shop: Shop) -> None:
    """Each level is verified with all below it, and called by its name alone."""
    shop.register("half_square", "    return half(square(x))\n", {2: 2, 4: 8, 10: 50}, "half", "square")
    top = shop.register("both", "    return half_square(x) + half(x)\n", {2: 3, 4: 10, 10: 55}, "half_square", "half")

    assert shop.call("both", 6).result_json == "21"
    assert [part.name for part in top.version.dependencies] == ["half_square", "half"]
    users = shop.store.dependencies.dependants(top.version.dependencies[1].digest)
    assert [user.reference for user in users] == ["both@1", "half_square@1"]


def test_a_wrong_part_fails_its_user_in_verification(shop: Shop) -> None:
    """A part that is right for its own examples and wrong for these: nothing is kept."""
    shop.register("double", "    return 2 * x if x < 50 else 0\n", {1: 2, 2: 4, 3: 6})
    with pytest.raises(NotReady, match="was not kept"):
        shop.register("same", "    return half(double(x))\n", {1: 1, 2: 2, 70: 70}, "half", "double")


@pytest.mark.slow
def test_a_newer_version_of_a_part_changes_nothing(shop: Shop) -> None:
    """What was verified is what runs: the name goes on to the new version, the digest does not."""
    shop.register("quarter", "    return half(half(x))\n", {4: 1, 9: 2, 100: 25}, "half")
    newer = shop.register("half", "    return -(-x // 2)\n", {4: 2, 6: 3, 9: 5})

    assert (newer.number, shop.call("half", 9).result_json) == (2, "5")
    assert shop.call("quarter", 9).result_json == "2"


@pytest.mark.slow
def test_limits_hold_for_all_of_it(shop: Shop) -> None:
    """Memory and time that a part takes are those of the call."""
    big = "    held = bytearray(300_000_000 if x > 90 else 1)\n    while x > 80 and x < 90: pass\n    return x\n"
    shop.register("hungry", big, {1: 1, 2: 2, 3: 3})
    shop.register("user", "    return hungry(x)\n", {1: 1, 2: 2, 3: 3}, "hungry")

    hungry = shop.call("user", 99)
    # Below the ceilings of all calls, as a tool's own limits are, the piece of memory is not even given out.
    assert hungry.status is Status.TOOL_ERROR
    assert hungry.failure is not None
    assert hungry.failure.type == "MemoryError"
    assert shop.call("user", 85, wall_time_s=1.0).status is Status.TIMEOUT
    assert shop.call("user", 5).result_json == "5"


@pytest.mark.slow
def test_an_error_in_a_part_says_where(shop: Shop) -> None:
    """The caller sees which tool raised, and through which."""
    shop.register("inverse", "    return 100 // x\n", {1: 100, 2: 50, 5: 20})
    shop.register("user", "    return inverse(x)\n", {1: 100, 2: 50, 5: 20}, "inverse")
    failure = shop.call("user", 0).failure

    assert failure
    assert (failure.type, failure.message) == ("ZeroDivisionError", "integer division or modulo by zero")
    assert "  tools.inverse, line 3, in inverse: return 100 // x" in failure.traceback


def test_it_travels_with_its_parts(shop: Shop, warm_pool: WarmPool) -> None:
    """Another installation verifies parts and user, signs them itself, and runs what is made from its own."""
    shop.register("half_square", "    return half(square(x))\n", {2: 2, 4: 8, 10: 50}, "half", "square")
    exported, there = shop.porter.export_tool("half_square"), Shop(warm_pool)
    imported = there.porter.import_tool(exported.file, trusted_keys=[exported.public_key], actor="ann")

    assert imported.tool.reference == "half_square@1"
    assert there.call("half_square", 6).result_json == "18"
    assert there.call("half", 6).result_json == "3"
    for name in ("half", "square", "half_square"):
        record = there.store.get_verification(there.store.get_tool(name).verification_id)
        assert record.key_id == there.signer.public.key_id
