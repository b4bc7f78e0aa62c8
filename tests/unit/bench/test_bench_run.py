"""Sections one after the other: one that cannot be measured costs the others nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from toolwright.bench.cgroup import Cgroup, private_bytes
from toolwright.bench.floors import fork_pipe, forks_per_second
from toolwright.bench.ground import Ground, SkippedSection, is_here
from toolwright.bench.report import Findings
from toolwright.bench.run import kept
from toolwright.bench.server_process import base_environment, server_process
from toolwright.errors import SandboxUnavailable

pytestmark = pytest.mark.unit


def test_fork_and_pipe_is_measured_in_a_process_of_its_own() -> None:
    """One time for each fork, and a rate from several processes at once."""
    assert len(fork_pipe(5)) == 5
    assert all(0 < one < 1000 for one in fork_pipe(3))
    assert forks_per_second(5, 2) > 0


@pytest.mark.slow
def test_server_that_does_not_start_gives_its_reason(tmp_path: Path) -> None:
    """No number comes of a server that refuses its settings."""
    with (
        pytest.raises(SandboxUnavailable, match=r"does not serve.*no\.such"),
        server_process({"docker_host": f"unix://{tmp_path}/no.such"}, {**base_environment(), "DOCKER_HOST": ""}),
    ):
        pytest.fail("it started")


def test_bench_never_uses_another_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is measured is started for it."""
    monkeypatch.setenv("TOOLWRIGHT_SERVER", "127.0.0.1:1")
    assert "TOOLWRIGHT_SERVER" not in base_environment()
    assert base_environment()["PATH"] == os.environ["PATH"]


def test_cgroup_counts_of_this_process() -> None:
    """Whichever version the host has."""
    group = Cgroup.of(os.getpid())
    if not (group.memory / "memory.stat").is_file():
        pytest.skip("NOT PROVEN: this process is in no cgroup that counts memory")
    assert group.anonymous_bytes() > 0


def test_private_memory_of_this_process() -> None:
    """More than a mebibyte; none of a process that is gone."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert private_bytes(os.getpid()) > 2**20
    assert private_bytes(gone.pid) == 0


def test_section_that_breaks_costs_the_others_nothing() -> None:
    """Whatever it raised is noted as its failure; what this user may not see is no failure."""
    found, told = Findings(), list[str]()
    ground = Ground(None, "", "", "", None, {}, told.append)  # type: ignore[arg-type]  # no engine is asked
    with kept("memory", ground, found):
        raise ValueError("it broke")
    with kept("cpu", ground, found):
        raise PermissionError(13, "Permission denied", "/proc/1/smaps_rollup")
    with kept("gvisor", ground, found):
        raise SkippedSection("it is not installed")
    assert found.failed == {"memory": "ValueError: it broke"}
    assert found.skipped["cpu"] == "this user may not look at /proc/1/smaps_rollup: run the bench as root"
    assert found.skipped["gvisor"] == "it is not installed"
    assert told[0] == "FAILED: memory: ValueError: it broke"


def test_process_of_another_machine_is_not_taken_for_ours() -> None:
    """A number that some process here happens to bear proves nothing."""
    assert not is_here(os.getpid(), "f" * 64)
    assert not is_here(2**30, "f" * 64)
