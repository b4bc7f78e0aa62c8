"""What a server that starts verifies again, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from toolwright.domain.limits import Limits
from toolwright.domain.tool import Dependency, RegisteredTool
from toolwright.lifecycle.reverify import Reverifying, StartUpVerification
from toolwright.registry.memory import MemoryStore
from toolwright.registry.testing import sample_record, sample_task, sample_version
from toolwright.sandbox.base import SandboxInfo

pytestmark = pytest.mark.unit


def stale_in(store: MemoryStore) -> Sequence[str]:
    """Return what a server in another image verifies again, by name."""
    verification = StartUpVerification(
        store,
        cast("Reverifying", None),  # nothing is verified here
        info=SandboxInfo("", "sha256:" + "9" * 64, "runc"),
        ceilings=Limits(),
        trusts=lambda _record, _reference: None,
    )
    return [tool.version.name for tool, _ in verification.stale()]


@pytest.mark.parametrize("names", ["abc", "cba", "bca"])
def test_parts_come_before_their_users(names: str) -> None:
    """Whatever their names and digests: a user is verified with what becomes of its parts."""
    store = MemoryStore()

    def admit(name: str, *parts: RegisteredTool, **changes: Any) -> RegisteredTool:
        uses = tuple(Dependency(part.version.name, part.version.digest) for part in parts)
        version = sample_version(name, dependencies=uses, **changes)
        return store.admit(version, sample_record(version, f"v-{name}"), sample_task(name))

    base, middle, top = list(names)
    lowest = admit(base)
    admit(top, admit(middle, lowest), lowest)

    assert stale_in(store) == [base, middle, top]
