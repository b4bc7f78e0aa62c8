"""The answers of a call that knocks on every door, each wrong in turn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from toolwright.domain.limits import MIB
from toolwright.sandbox.policy import SandboxPolicy
from toolwright.sandbox.selfcheck.facts import FACTS, GVISOR, judge
from toolwright.sandbox.selfcheck.finding import Finding

pytestmark = pytest.mark.unit

POLICY = SandboxPolicy("sha256:" + "a" * 64, "{}")
UNDER_GVISOR = replace(POLICY, runtime=GVISOR)
NUMBERS: dict[str, tuple[str, object]] = {
    "scratch bytes": ("scratch space", 64 * MIB),
    "scratch inodes": ("scratch space", 4096),
    "limit FSIZE": ("limits", [64 * MIB, 64 * MIB]),
    "limit NPROC": ("limits", [32, 32]),
}
CGROUPS: dict[int, dict[str, tuple[str, object]]] = {
    1: {
        "cgroup memory/memory.limit_in_bytes": ("memory", str(256 * MIB)),
        "cgroup memory/memory.memsw.limit_in_bytes": ("memory", str(256 * MIB)),
        "cgroup pids/pids.max": ("processes", "64"),
        "cgroup cpu": ("CPU", 1.0),
    },
    2: {
        "cgroup memory.max": ("memory", str(256 * MIB)),
        "cgroup memory.swap.max": ("memory", "0"),
        "cgroup pids.max": ("processes", "64"),
        "cgroup cpu.max": ("CPU", "100000 100000"),
    },
}


def answers(version: int = 1) -> dict[str, Any]:
    """Return what a call answers in a sandbox that holds."""
    return {fact.name: fact.answer for fact in FACTS} | {
        name: value for name, (_, value) in (NUMBERS | CGROUPS[version]).items()
    }


def layers(version: int = 1) -> dict[str, str]:
    """Return the layer of each answer."""
    return {fact.name: fact.layer for fact in FACTS} | {
        name: layer for name, (layer, _) in (NUMBERS | CGROUPS[version]).items()
    }


def broken(found: list[Finding]) -> list[tuple[str, str]]:
    """Return layer and name of what does not hold."""
    return [(finding.layer, finding.check) for finding in found if not finding.holds]


@pytest.mark.parametrize("version", [1, 2])
def test_right_answers_hold(version: int) -> None:
    """All of them, and each is judged once."""
    found = judge(answers(version), POLICY, version)
    assert broken(found) == []
    assert sorted(finding.check for finding in found) == sorted(answers(version))


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("wrong", ["done", None, [], {"EPERM": "EPERM"}, -1, "EPERM "])
def test_each_wrong_answer_names_its_layer(version: int, wrong: object) -> None:
    """Another value, another type, or a likeness: that layer and no other is named."""
    for name, layer in layers(version).items():
        assert broken(judge(answers(version) | {name: wrong}, POLICY, version)) == [(layer, name)]


@pytest.mark.parametrize("version", [1, 2])
def test_each_missing_answer_names_its_layer(version: int) -> None:
    """Silence is no yes."""
    for name, layer in layers(version).items():
        kept = {key: value for key, value in answers(version).items() if key != name}
        assert broken(judge(kept, POLICY, version)) == [(layer, name)]


def test_no_answer_at_all_breaks_everything() -> None:
    """An empty reply proves nothing."""
    assert len(broken(judge({}, POLICY, 1))) == len(answers())


def test_answers_that_nobody_asked_for_change_nothing() -> None:
    """Whatever else a sandbox says is not looked at."""
    hostile = {"passed": True, "holds": True, "x" * 10_000: "\x1b[2J", "FACTS": []}
    assert broken(judge(hostile | answers(), POLICY, 1)) == []


def test_limits_of_the_other_cgroup_version_do_not_count() -> None:
    """The files have to be those of the version that the engine says it has."""
    assert {layer for layer, _ in broken(judge(answers(1), POLICY, 2))} == {"memory", "processes", "CPU"}


def test_gvisor_has_answers_of_its_own() -> None:
    """They hold there, and the ordinary ones do not."""
    own = {fact.name: fact.under(gvisor=True) for fact in FACTS}
    numbers = {name: value for name, (_, value) in NUMBERS.items()} | {"scratch inodes": 0}
    assert broken(judge(own | numbers, UNDER_GVISOR, 1)) == []
    different = {fact.name for fact in FACTS if fact.gvisor is not None} | {"scratch inodes"}
    assert {name for _, name in broken(judge(answers(), UNDER_GVISOR, 1))} == different
    assert {name for _, name in broken(judge(own | numbers | CGROUP_VALUES, POLICY, 1))} == different


CGROUP_VALUES = {name: value for name, (_, value) in CGROUPS[1].items()}
