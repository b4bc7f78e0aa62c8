"""Synonyms: names that stand for tools of other names."""

from __future__ import annotations

import pytest

from toolwright.domain.tool import RegisteredTool
from toolwright.errors import AlreadyExists, NotFound
from toolwright.registry.base import Store
from toolwright.registry.testing import sample_record, sample_task, sample_version


def admitted(store: Store, name: str, **changes: str) -> RegisteredTool:
    """Admit a tool."""
    version = sample_version(name, **changes)
    record = sample_record(version, f"v-{name}-{version.digest[-8:]}")
    return store.admit(version, record, sample_task(name))


def test_a_synonym_leads_to_the_tool(store: Store) -> None:
    """By its bare name, to the newest version; it is listed with the tool, and is no tool of its own."""
    admitted(store, "add")
    store.save_task(sample_task("plus"))
    store.synonyms.add("plus", "add")
    assert store.get_tool("plus").reference == "add@1"
    second = admitted(store, "add", code="def add(a, b):\n    return b + a\n")
    assert store.get_tool("plus") == second
    assert store.synonyms.of("add") == ["plus"]
    assert [tool.version.name for tool in store.list_tools()] == ["add"]
    with pytest.raises(NotFound):
        store.get_tool("plus@1")


def test_a_version_of_its_own_ends_a_synonym(store: Store) -> None:
    """From then on the name is its own tool's."""
    admitted(store, "add")
    store.synonyms.add("plus", "add")
    admitted(store, "plus")
    assert store.get_tool("plus").reference == "plus@1"
    assert store.synonyms.of("add") == []
    with pytest.raises(AlreadyExists):
        store.synonyms.add("plus", "add")


def test_a_synonym_can_be_taken_back(store: Store) -> None:
    """Then the name stands for nothing; a second time there is nothing to take back."""
    admitted(store, "add")
    store.synonyms.add("plus", "add")
    store.synonyms.remove("plus")
    with pytest.raises(NotFound):
        store.get_tool("plus")
    for name in ("plus", "\x00"):
        with pytest.raises(NotFound):
            store.synonyms.remove(name)
    assert store.synonyms.of("\x00") == []


def test_a_synonym_stands_for_another_when_told(store: Store) -> None:
    """The later word counts; of what is no tool there is no synonym."""
    admitted(store, "add")
    admitted(store, "sum")
    store.synonyms.add("plus", "add")
    store.synonyms.add("plus", "sum")
    assert store.get_tool("plus").reference == "sum@1"
    with pytest.raises(NotFound):
        store.synonyms.add("plus", "none")
    assert store.synonyms.of("sum") == ["plus"]
