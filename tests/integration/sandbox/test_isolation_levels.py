"""Who shares a container with whom, at each level of isolation, in one pool of real ones."""

from __future__ import annotations

import random
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from tests.integration.sandbox.conftest import OpenPool
from tests.integration.sandbox.helpers import eventually, exists
from toolwright.domain.call import ExecutionRequest, Isolation
from toolwright.domain.isolation import IsolationPolicy
from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Status
from toolwright.domain.source import ToolSource
from toolwright.errors import PermissionDenied
from toolwright.execution.executor import SandboxExecutor
from toolwright.registry.memory import MemoryStore
from toolwright.sandbox.base import Cancellation, Lease, SandboxInfo, SandboxKey, SandboxPool
from toolwright.sandbox.engine import Engine

pytestmark = [pytest.mark.integration, pytest.mark.threat("T-LAT-05")]

TOOLS = {name: ToolSource(f"def f():\n    return {name!r}\n", "f") for name in ("parse", "sort", "count")}
POLICY = IsolationPolicy(
    Isolation.TENANT,
    {"b": Isolation.TOOL, "careful": Isolation.CALL},
    {"parse": Isolation.CALL, "sort": Isolation.TOOL},
)


@dataclass(frozen=True)
class Ran:
    """One call, and where it ran."""

    tenant: str
    tool: str
    level: Isolation | None
    container: str


def executor_over(pool: SandboxPool, policy: IsolationPolicy = POLICY) -> SandboxExecutor:
    """Return an executor under a policy."""
    return SandboxExecutor(pool, MemoryStore(), Limits(), isolation=policy)


def run(executor: SandboxExecutor, tenant: str, tool: str, asked: Isolation | None = None) -> Ran:
    """Call a tool for a tenant; the tool's name decides on its rules, as when it is verified."""
    request = ExecutionRequest(TOOLS[tool], tenant=tenant, candidate_for=tool, isolation=asked)
    reply = executor.execute(request)
    assert (reply.outcome.status, reply.outcome.result_json) == (Status.SUCCESS, f'"{tool}"')
    return Ran(tenant, tool, reply.provenance.isolation, reply.provenance.container_id)


def shared_by_tenants(calls: Sequence[Ran]) -> set[str]:
    """Return the containers that served more than one tenant."""
    tenants: dict[str, set[str]] = defaultdict(set)
    for one in calls:
        tenants[one.container].add(one.tenant)
    return {container for container, seen in tenants.items() if len(seen) > 1}


def shared_against_their_level(calls: Sequence[Ran]) -> set[str]:
    """Return the containers that served more than their level allows."""
    uses = Counter(one.container for one in calls)
    kinds: dict[str, set[object]] = defaultdict(set)
    for one in calls:
        kinds[one.container].add((one.level, one.tenant, "" if one.level is Isolation.TENANT else one.tool))
    single = {one.container for one in calls if one.level is Isolation.CALL}
    return {one for one, kind in kinds.items() if len(kind) > 1} | {one for one in single if uses[one] > 1}


def mixed_calls(executor: SandboxExecutor, count: int, seed: int, callers: int = 4) -> list[Ran]:
    """Run calls of three tenants and three tools at all levels, from several callers at once."""
    choose, lock, done = random.Random(seed), threading.Lock(), []
    # A container of a call's own takes the engine most of a second, so one call in eight asks for it.
    plan = [(choose.choice(("a", "b", "c")), choose.choice(("sort", "count"))) for _ in range(count)]

    def one(number: int) -> None:
        tenant, tool = plan[number]
        asked = Isolation.CALL if number % 8 == 0 else None
        ran = run(executor, tenant, tool, asked)
        with lock:
            done.append(ran)

    with ThreadPoolExecutor(callers) as threads:
        for future in [threads.submit(one, number) for number in range(count)]:
            future.result()
    return done


def test_each_call_has_a_container_of_its_own_where_that_is_the_level(small_pool: OpenPool, engine: Engine) -> None:
    """No id comes twice, each container is destroyed after its call, and the next one is started ahead."""
    pool = small_pool(ready=1, most=3)
    executor = executor_over(pool)
    calls = []
    for _ in range(5):
        eventually(lambda: pool.counts()["blank"] >= 1)  # calls close upon each other have a second one started
        calls.append(run(executor, "a", "parse"))

    assert {one.level for one in calls} == {Isolation.CALL}
    assert len({one.container for one in calls}) == 5
    eventually(lambda: not any(exists(engine, one.container) for one in calls))
    assert pool.counts()["idle"] == 0


def test_a_tool_has_a_container_of_its_own_where_that_is_the_level(small_pool: OpenPool) -> None:
    """The same tool comes back to its container; another tool of the same tenant gets another."""
    executor = executor_over(small_pool(ready=1, most=4))
    first, other, again = (run(executor, "b", tool) for tool in ("sort", "count", "sort"))

    assert {first.level, other.level, again.level} == {Isolation.TOOL}
    assert first.container == again.container != other.container


def test_the_tools_of_a_tenant_share_where_that_is_the_level(small_pool: OpenPool) -> None:
    """Two tools of one tenant in one container; another tenant's same tool in another."""
    policy = IsolationPolicy(Isolation.TENANT)
    executor = executor_over(small_pool(ready=1, most=4), policy)
    sort, count, yours = run(executor, "a", "sort"), run(executor, "a", "count"), run(executor, "c", "count")

    assert {one.level for one in (sort, count, yours)} == {Isolation.TENANT}
    assert sort.container == count.container != yours.container


def test_a_request_tightens_and_never_loosens(small_pool: OpenPool) -> None:
    """What was asked for is what the reply tells, and what happened; a weaker level is refused before anything runs."""
    executor = executor_over(small_pool(ready=1, most=4))
    usual, strict, usual_again = (run(executor, "a", "count", asked) for asked in (None, Isolation.CALL, None))

    assert (usual.level, strict.level) == (Isolation.TENANT, Isolation.CALL)
    assert usual.container == usual_again.container != strict.container
    with pytest.raises(PermissionDenied, match="'tenant' is weaker than 'call'"):
        run(executor, "careful", "count", Isolation.TENANT)


@pytest.mark.case("XL-25")
@pytest.mark.security
def test_xl_25_tenants_never_share_a_container(small_pool: OpenPool) -> None:
    """XL-25: tenants' mixed calls at all levels from one warm pool: no container id serves two tenants."""
    calls = mixed_calls(executor_over(small_pool(ready=1, most=8)), 60, seed=25)

    assert shared_by_tenants(calls) == set()
    assert shared_against_their_level(calls) == set()
    assert {one.level for one in calls} == set(Isolation)
    assert len({one.container for one in calls}) < len(calls)  # a warm pool, whose containers are used again


@pytest.mark.case("XL-25")
@pytest.mark.security
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_xl_25_over_a_thousand_calls(small_pool: OpenPool) -> None:
    """XL-25: the same over 1,000 calls, with evictions, retired containers and single-use ones among them."""
    seed = random.SystemRandom().randrange(2**32)
    calls = mixed_calls(executor_over(small_pool(ready=1, most=8, max_calls=100)), 1_000, seed)

    assert len(calls) == 1_000, f"seed {seed}"
    assert shared_by_tenants(calls) == set(), f"seed {seed}"
    assert shared_against_their_level(calls) == set(), f"seed {seed}"


@dataclass(frozen=True)
class Careless:
    """A pool that does not look at whose call it is: what these tests have to notice."""

    base: SandboxPool

    @property
    def info(self) -> SandboxInfo:
        """See `SandboxPool.info`."""
        return self.base.info

    @contextmanager
    def lease(self, key: SandboxKey, *, timeout_s: float, cancellation: Cancellation) -> Iterator[Lease]:
        """Lend whatever served anyone."""
        anyone = replace(key, tenant="anyone", isolation=Isolation.TOOL)
        with self.base.lease(anyone, timeout_s=timeout_s, cancellation=cancellation) as lease:
            yield lease

    def close(self) -> None:
        """See `SandboxPool.close`."""
        self.base.close()


@pytest.mark.case("XL-25")
@pytest.mark.security
def test_xl_25_control(small_pool: OpenPool) -> None:
    """XL-25, control: with a pool that takes no notice of tenant and level, both checks go red."""
    calls = mixed_calls(executor_over(Careless(small_pool(ready=1, most=4))), 40, seed=25)

    assert shared_by_tenants(calls)
    assert shared_against_their_level(calls)
