"""What both stores promise of tools that are made from tools."""

from __future__ import annotations

import pytest

from toolwright.domain.tool import Dependency, RegisteredTool, ToolState, ToolVersion
from toolwright.errors import NotFound
from toolwright.registry.base import Store
from toolwright.registry.testing import sample_record, sample_task, sample_version

pytestmark = pytest.mark.contract

OLD = (
    "sha256:c1f35f3e32452ac8ae138cd384fc3203b096a223900a92a9088994bc8fca344f",
    "sha256:7d1f560d0f6e0a9201ab0acb2c65a1ec8d43efeb57e791d03f0ad10fbd2ad169",
    "sha256:ca42e0cf8ac4669f84ca92c4ec08f846d0f499294c24384d093907d3e6a9a443",
)


def admitted(store: Store, name: str, *parts: RegisteredTool) -> RegisteredTool:
    """Keep a tool that is made from `parts`."""
    uses = tuple(Dependency(part.version.name, part.version.digest) for part in parts)
    version = sample_version(name, dependencies=uses)
    return store.admit(version, sample_record(version, f"v-{name}"), sample_task(name))


def test_a_version_names_its_parts_for_ever(store: Store) -> None:
    """By name and digest, in order, under its own digest; its info tells them too."""
    half, third = admitted(store, "half"), admitted(store, "third")
    sixth = admitted(store, "sixth", half, third)

    kept = store.get_tool("sixth")
    assert kept == sixth
    assert [(part.name, part.digest) for part in kept.version.dependencies] == [
        ("half", half.version.digest),
        ("third", third.version.digest),
    ]
    assert kept.info.dependencies == kept.version.dependencies
    assert half.info.dependencies == ()


def test_parts_are_part_of_the_digest(store: Store) -> None:
    """The same code made from other tools, or from none, is another version."""
    half = admitted(store, "half")
    alone, composed = sample_version("user"), sample_version("user", dependencies=_uses(half))

    assert alone.digest != composed.digest != sample_version("user", dependencies=_uses(half)[:0]).digest


def test_the_users_of_a_tool_are_found_at_any_distance(store: Store) -> None:
    """Direct or not, each once, by name; nobody uses the last one."""
    base = admitted(store, "base")
    left, right = admitted(store, "left", base), admitted(store, "right", base)
    top = admitted(store, "top", left, right)

    found = store.dependencies.dependants(base.version.digest)
    assert [user.reference for user in found] == ["left@1", "right@1", "top@1"]
    assert {user.state for user in found} == {ToolState.ACTIVE}
    assert [user.digest for user in store.dependencies.dependants(left.version.digest)] == [top.version.digest]
    assert store.dependencies.dependants(top.version.digest) == []
    assert store.dependencies.dependants("nonsense \0 \ud800") == []


def test_standings_tell_of_many_at_once(store: Store) -> None:
    """Those that are kept; of others nothing."""
    half = admitted(store, "half")
    standings = store.dependencies.standings([half.version.digest, "sha256:" + "0" * 64, "\ud800"])

    assert {digest: (one.reference, one.state) for digest, one in standings.items()} == {
        half.version.digest: ("half@1", ToolState.ACTIVE)
    }


def test_a_tool_of_parts_that_are_not_kept_is_refused_whole(store: Store) -> None:
    """Nothing of it is there afterwards."""
    absent = sample_version("absent")
    version = sample_version("user", dependencies=(Dependency("absent", absent.digest),))
    with pytest.raises(NotFound, match=absent.digest):
        store.admit(version, sample_record(version), sample_task("user"))
    with pytest.raises(NotFound):
        store.get_tool("user")
    with pytest.raises(NotFound):
        store.get_verification("v-1")


def test_a_task_keeps_what_it_uses(store: Store) -> None:
    """As it was written; and it is another task than the same one without."""
    task = sample_task("user", uses=("half", "third@2"))
    store.save_task(task)

    assert store.get_task("user") == task
    assert task.digest != sample_task("user").digest


def _uses(*parts: RegisteredTool) -> tuple[Dependency, ...]:
    return tuple(Dependency(part.version.name, part.version.digest) for part in parts)


def test_digests_of_old_content_are_what_they_were() -> None:
    """Written down before tools could be made from tools: neither a task's nor a version's may change."""
    version: ToolVersion = sample_version()

    assert (sample_task().digest, version.digest, version.source.digest) == OLD
