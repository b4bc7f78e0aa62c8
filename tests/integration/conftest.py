"""Fixtures of the integration tier."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from toolwright.domain.call import ExecutionRequest, Operation
from toolwright.domain.outcome import Execution
from toolwright.domain.source import ToolSource
from toolwright.execution.executor import SandboxExecutor


@pytest.fixture(scope="session")
def describe_source(executor: SandboxExecutor) -> Callable[[str], Execution]:
    """Describe the function `f` of a source text in the sandbox."""

    def describe(code: str) -> Execution:
        request = ExecutionRequest(ToolSource(code, "f"), operation=Operation.DESCRIBE, tenant="tests")
        return executor.execute(request)

    return describe
