"""What honest tools do works with every layer on; and each rule of the profile is there for something of that."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

import pytest

from tests.conftest import RunSource
from tests.security.kit.profiles import allowed, changed, rules, without
from tests.security.kit.sweep import GOLDEN
from toolwright.attacks.sabotage import Layer, Sabotaged, sabotaged
from toolwright.attacks.twins import TWINS, Twin
from toolwright.domain.call import ExecutionRequest, Isolation
from toolwright.domain.isolation import IsolationPolicy
from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Outcome, Status
from toolwright.domain.source import ToolSource
from toolwright.errors import SandboxUnavailable
from toolwright.execution.executor import SandboxExecutor
from toolwright.images.build import build_image
from toolwright.images.recipe import images_root
from toolwright.registry.memory import MemoryStore
from toolwright.sandbox.docker_pool import open_pool
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.policy import SandboxPolicy, load_seccomp_profile
from toolwright.sandbox.pool import PoolSize

pytestmark = pytest.mark.security

BY_NAME: Final = {twin.name: twin for twin in TWINS}
PROFILE: Final = load_seccomp_profile(images_root())
PLAIN: Final = [twin for twin in TWINS if twin.image == "python"]
SCIENCE: Final = [twin for twin in TWINS if twin.image == "science"]
RunTwin = Callable[[Twin], Outcome]
KEPT: Final[dict[str, str]] = json.loads((GOLDEN / "seccomp-kept.json").read_text(encoding="utf-8"))
"""Calls that the profile allows and no twin needs on this machine, and why they are allowed all the same."""
EVERY_CALL: Final = {"execve", "arch_prctl", "prctl", "fstat", "setresuid", "setresgid", "setgroups"}
"""Calls without which no container starts, or no call is confined, so that nothing runs at all."""


def ids(twins: list[Twin]) -> list[str]:
    """Return the names that pytest shows."""
    return [twin.name.replace(" ", "-") for twin in twins]


def check(twin: Twin, outcome: Outcome, output_bytes: int = Limits().output_bytes) -> None:
    """Fail unless a twin came to exactly its result."""
    assert outcome.status is Status.SUCCESS, (outcome.status, outcome.failure, outcome.stderr.kept[-500:])
    assert json.loads(outcome.result_json or "null") == twin.expected
    assert outcome.stdout.total_bytes == twin.printed
    assert len(outcome.stdout.kept) == min(twin.printed, output_bytes)
    assert outcome.stdout.truncated is (twin.printed > output_bytes)


@pytest.mark.parametrize("twin", PLAIN, ids=ids(PLAIN))
def test_honest_work_is_done(twin: Twin, run_source: RunSource) -> None:
    """On the production road, with the default limits, the result is exactly the one written down."""
    check(twin, run_source(twin.source, arguments_json=json.dumps(twin.arguments)).outcome)


@pytest.fixture(scope="module")
def gvisor(engine: Engine, policy: SandboxPolicy) -> Iterator[Sabotaged]:
    """A sandbox under gVisor, with nothing taken away."""
    if "runsc" not in engine.info["Runtimes"]:
        pytest.skip("NOT PROVEN under gVisor: the engine has no runtime named runsc")
    with sabotaged(engine, replace(policy, runtime="runsc"), Layer.NOTHING) as sandbox:
        yield sandbox


@pytest.mark.slow
@pytest.mark.parametrize("twin", PLAIN, ids=ids(PLAIN))
def test_honest_work_is_done_under_gvisor(twin: Twin, gvisor: Sabotaged) -> None:
    """The same under gVisor; where a twin says that it fails there, it does, so that what it says stays true."""
    outcome = gvisor.run(twin.source, arguments_json=json.dumps(twin.arguments))

    if "runsc" in twin.not_under:
        assert outcome.status is Status.TOOL_ERROR
    else:
        check(twin, outcome)


@pytest.fixture(scope="module", params=["runc", "runsc"])
def run_science(request: pytest.FixtureRequest, engine: Engine, policy: SandboxPolicy) -> Iterator[RunTwin]:
    """Run a twin in the image that has the scientific libraries, on the production road."""
    if request.param not in engine.info["Runtimes"]:
        pytest.skip(f"NOT PROVEN under {request.param}: the engine has no runtime of that name")
    image = build_image(engine.client, "science", progress=lambda _: None)
    libraries = replace(policy, image_id=image.image_id, runtime=request.param)
    pool = open_pool(engine, libraries, PoolSize(ready=1, most=1))
    executor = SandboxExecutor(pool, MemoryStore(), Limits(), isolation=IsolationPolicy(Isolation.TENANT))

    def run(twin: Twin) -> Outcome:
        source = ToolSource(twin.source, "f")
        return executor.execute(ExecutionRequest(source, json.dumps(twin.arguments), tenant="tests")).outcome

    yield run
    pool.close()


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("twin", SCIENCE, ids=ids(SCIENCE))
def test_scientific_work_is_done(twin: Twin, run_science: RunTwin) -> None:
    """NumPy, pandas, SymPy and SciPy come to exactly what is written down, under either runtime."""
    check(twin, run_science(twin))


def test_the_set_is_large_and_each_name_stands_for_one() -> None:
    """A set that shrinks, or a name that hides another, would prove less than it says."""
    assert len(PLAIN) >= 60
    assert len(SCIENCE) >= 6
    assert len(BY_NAME) == len(TWINS)
    assert all(twin.expected is not None for twin in TWINS)


def test_each_allowed_call_has_a_reason() -> None:
    """Each call in the profile is needed by a twin, by every call, or is kept for a reason that is written down."""
    needed = {name for twin in TWINS for name in twin.needs}
    names = allowed(PROFILE)

    assert len(names) == len(set(names))
    assert set(names) == needed | EVERY_CALL | set(KEPT)
    assert not needed & set(KEPT)
    assert not EVERY_CALL & set(KEPT)
    assert all(len(reason) > 20 for reason in KEPT.values())


def fails(twin: Twin, engine: Engine, policy: SandboxPolicy, profile: str, layers: Layer = Layer.NOTHING) -> bool:
    """Whether a twin does not come to its result in a sandbox with another profile."""
    try:
        with sabotaged(engine, policy, layers, seccomp_profile=profile) as sandbox:
            outcome = sandbox.run(twin.source, arguments_json=json.dumps(twin.arguments))
    except SandboxUnavailable:
        return True
    return outcome.result_json is None or json.loads(outcome.result_json) != twin.expected


@pytest.mark.slow
@pytest.mark.parametrize("index", range(len(rules(PROFILE))), ids=lambda index: rules(PROFILE)[index]["names"][0])
def test_each_rule_names_the_twin_that_needs_it(index: int, engine: Engine, policy: SandboxPolicy) -> None:
    """Without the rule the twin that it names goes red; with it, the twin is green."""
    rule = rules(PROFILE)[index]
    twin = BY_NAME[rule["twin"]]
    # The filter of each call has this rule as well; alone, the profile has to have it.
    layers = Layer.CALL_FILTER if rule["names"] == ["clone3"] else Layer.NOTHING

    assert fails(twin, engine, policy, changed(PROFILE, lambda old: old[:index] + old[index + 1 :]), layers)
    assert not fails(twin, engine, policy, PROFILE, layers)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_each_allowed_call_is_needed(engine: Engine, policy: SandboxPolicy) -> None:
    """Without any one of the calls that twins name, a twin that names it goes red; so the profile allows no more."""
    claims = {name: twin for twin in reversed(TWINS) for name in twin.needs if twin.image == "python"}
    claims |= dict.fromkeys(EVERY_CALL, TWINS[0])

    def idle(name: str) -> str:
        return "" if fails(claims[name], engine, policy, without(PROFILE, [name])) else name

    with ThreadPoolExecutor(2) as threads:
        unneeded = [name for name in threads.map(idle, claims) if name]

    assert unneeded == [], "allowed, but the twins that name them do as well without"


@pytest.mark.slow
def test_what_is_kept_is_not_needed_here(engine: Engine, policy: SandboxPolicy) -> None:
    """Without all calls that are kept for other reasons every twin is green: a reason is no cover for a need."""
    bare = without(PROFILE, KEPT)

    with sabotaged(engine, policy, Layer.NOTHING, seccomp_profile=bare) as sandbox:
        for twin in PLAIN:
            check(twin, sandbox.run(twin.source, arguments_json=json.dumps(twin.arguments)))
