"""Rules of isolation that hold for nobody are named at start, as a mistyped name would be one."""

from __future__ import annotations

import pytest

from toolwright.domain.call import Isolation
from toolwright.domain.isolation import IsolationPolicy
from toolwright.registry.memory import MemoryStore
from toolwright.registry.testing import sample_record, sample_task, sample_version
from toolwright.server.rules import rules_without_effect

pytestmark = pytest.mark.unit


def test_each_rule_without_effect_is_named_with_its_reason() -> None:
    """A name that nobody has, and a level that is no stricter than the default; not the rules that do hold."""
    store = MemoryStore()
    version = sample_version()
    store.admit(version, sample_record(version), sample_task(version.name))
    policy = IsolationPolicy(
        Isolation.TOOL,
        {"default": Isolation.CALL, "acme": Isolation.CALL, "slow": Isolation.TENANT},
        {version.name: Isolation.CALL, "parse_cvs": Isolation.CALL, "same": Isolation.TOOL},
    )

    found = dict(rules_without_effect(policy, store))

    assert found == {
        "isolation.tenants.acme": "callers are not authenticated yet: all are the tenant 'default'",
        "isolation.tenants.slow": "tenant is no stricter than the default, tool",
        "isolation.tools.parse_cvs": "no tool of that name is active yet",
        "isolation.tools.same": "tool is no stricter than the default, tool",
    }
