"""Fixtures that more than one tier uses."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from toolwright.domain.call import ExecutionRequest, Isolation
from toolwright.domain.isolation import IsolationPolicy
from toolwright.domain.limits import Limits, LimitsRequest
from toolwright.domain.outcome import Execution
from toolwright.domain.source import ToolSource
from toolwright.errors import EngineUnavailable
from toolwright.execution.executor import SandboxExecutor
from toolwright.images.build import build_image
from toolwright.images.recipe import images_root
from toolwright.llm.offline import OfflineModelServer
from toolwright.llm.testing import ChatEndpoint
from toolwright.registry.memory import MemoryStore
from toolwright.sandbox.docker_pool import open_pool
from toolwright.sandbox.engine import Engine, find_engine
from toolwright.sandbox.policy import SandboxPolicy, load_seccomp_profile
from toolwright.sandbox.pool import PoolSize, WarmPool

pytest_plugins = ["tests.attack_results"]

# That a machine is busy is no fault of what is tested.
settings.register_profile("toolwright", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("toolwright")

PUBLIC_DATA = "TOOLWRIGHT_LATM_TASKS"
RunSource = Callable[..., Execution]
"""(code, function="f", arguments_json="{}", **limits) → Execution."""


@pytest.fixture
def chat_endpoint() -> Iterator[ChatEndpoint]:
    """An OpenAI-compatible endpoint that misbehaves as told; answers like the offline model until then."""
    with ChatEndpoint() as endpoint:
        yield endpoint


@pytest.fixture
def offline_server() -> Iterator[OfflineModelServer]:
    """The offline model, running."""
    with OfflineModelServer() as server:
        yield server


@pytest.fixture(scope="session")
def public_data() -> Path:
    """The paper's six tasks as JSON Lines: no part of the project, so that whoever has them names their place."""
    directory = Path(os.environ.get(PUBLIC_DATA, "/nonexistent"))
    if not any(directory.glob("*.jsonl")):
        pytest.skip(f"NOT PROVEN on the public data sets: set {PUBLIC_DATA} to the directory of their *.jsonl files")
    return directory


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The container engine. Without one nothing about the sandbox is proven, so that is a failure and no skip."""
    try:
        found = find_engine()
    except EngineUnavailable as missing:
        pytest.fail(f"NOT PROVEN: {missing}")
    yield found
    found.client.close()


@pytest.fixture(scope="session")
def policy(engine: Engine) -> SandboxPolicy:
    """The production policy with the image of this checkout."""
    image = build_image(engine.client, "python", progress=lambda _: None)
    return SandboxPolicy(image.image_id, load_seccomp_profile(images_root()))


@pytest.fixture(scope="session")
def warm_pool(engine: Engine, policy: SandboxPolicy) -> Iterator[WarmPool]:
    """A pool of real containers, shared by the whole run as a server's is by all its callers."""
    pool = open_pool(engine, policy, PoolSize(ready=1, most=4))
    yield pool
    pool.close()


@pytest.fixture(scope="session")
def executor(warm_pool: WarmPool) -> SandboxExecutor:
    """Runs calls in real containers."""
    return SandboxExecutor(warm_pool, MemoryStore(), Limits(), isolation=IsolationPolicy(Isolation.TENANT))


@pytest.fixture(scope="session")
def run_source(executor: SandboxExecutor) -> RunSource:
    """Run source text in the sandbox."""

    def run(code: str, function: str = "f", arguments_json: str = "{}", **limits: Any) -> Execution:
        request = ExecutionRequest(ToolSource(code, function), arguments_json, LimitsRequest(**limits), tenant="tests")
        return executor.execute(request)

    return run
