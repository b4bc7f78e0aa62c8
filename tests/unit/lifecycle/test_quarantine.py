"""Holding versions back: by whoever is first, whatever they were in use for."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from toolwright.domain.tool import ToolState
from toolwright.lifecycle.quarantine import Quarantine
from toolwright.registry.memory import MemoryStore
from toolwright.registry.testing import sample_record, sample_task, sample_version

pytestmark = pytest.mark.unit


@dataclass
class Wanted:
    """Notes what is to be made anew."""

    names: list[str] = field(default_factory=list)

    def want(self, name: str) -> None:
        self.names.append(name)


@pytest.mark.parametrize("state", [ToolState.ACTIVE, ToolState.VERIFIED])
def test_what_failed_is_held_back_once(state: ToolState) -> None:
    """One that waits for approval too: it must not be approved on evidence that no longer holds. Then nothing more."""
    store, wanted = MemoryStore(), Wanted()
    version = sample_version()
    tool = store.admit(version, sample_record(version), sample_task(), state=state)
    quarantine = Quarantine(store, wanted)

    assert quarantine.hold(tool, "it crashed")
    assert store.get_tool("add@1").state is ToolState.QUARANTINED
    assert not quarantine.hold(tool, "it crashed")
    assert not quarantine.hold(store.get_tool("add@1"), "it crashed")
    assert wanted.names == ["add"]
    assert [event.reason for event in store.lifecycle.events("add")][1:] == ["it crashed"]
