"""A container is swept only if its server is surely dead."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from toolwright.sandbox.owner import is_orphan, owner_label

pytestmark = pytest.mark.unit

LABEL_OF_A_CHILD = "from toolwright.sandbox.owner import owner_label; print(owner_label(), flush=True); input()"


@pytest.fixture
def parts() -> list[str]:
    """This process' label: boot, namespace, process id, start."""
    return owner_label().split("/")


def test_a_living_owner_is_none(parts: list[str]) -> None:
    """Our own containers are not orphans, and the label names us."""
    assert not is_orphan(owner_label())
    assert parts[2] == str(os.getpid())


def test_a_label_is_the_same_for_life() -> None:
    """It counts from the boot: a clock that is set while a server runs makes no orphans of its containers."""
    ticks = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()[19]

    assert owner_label().split("/")[3] == ticks


def test_a_dead_owner_is_one() -> None:
    """A process of this host that is gone; while it lives it is none."""
    with subprocess.Popen(
        [sys.executable, "-c", LABEL_OF_A_CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        label = child.stdout.readline().strip()
        assert not is_orphan(label)
        child.kill()

    assert is_orphan(label)


def test_another_process_under_the_same_number_is_not_the_owner(parts: list[str]) -> None:
    """Process ids come round; the start time tells."""
    assert is_orphan("/".join([*parts[:3], "1"]))


def test_containers_of_an_earlier_boot_are_orphans(parts: list[str]) -> None:
    """Whatever ran before the host started again is gone."""
    assert is_orphan("/".join(["00000000-0000-0000-0000-000000000000", *parts[1:]]))


def test_a_process_that_cannot_be_seen_is_left_alone(parts: list[str]) -> None:
    """A server in a container of its own has another process namespace: no verdict on it."""
    assert not is_orphan("/".join([parts[0], "1", "999999", "1"]))


def test_a_process_that_may_not_be_looked_at_lives(parts: list[str]) -> None:
    """Where it exists, only a start that differs makes an orphan: process 1 is there, and did not start with us."""
    assert is_orphan("/".join([*parts[:2], "1", parts[3]]))
    own_start = Path("/proc/1/stat").read_text(encoding="ascii").rpartition(")")[2].split()[19]
    assert not is_orphan("/".join([*parts[:2], "1", own_start]))


@pytest.mark.parametrize(
    "label",
    ["", "x", "a/b/c", "a/b/c/d", "a/b/-1/d", "a/b/1/d/e", "////", "a/b/²/d", "a/b/0/d", "a/b/99999999999999999999/d"],
)
def test_a_label_that_is_not_ours_is_left_alone(label: str) -> None:
    """Someone else's word for someone else's container."""
    assert not is_orphan(label)
