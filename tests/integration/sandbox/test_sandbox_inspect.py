"""What the engine says of a live container is what the policy says: no default of Docker's has the last word."""

from __future__ import annotations

import os

import pytest

from tests.integration.sandbox.conftest import Start
from tests.integration.sandbox.golden import unlike
from tests.integration.sandbox.helpers import call
from toolwright.attacks.observer import Observer
from toolwright.sandbox.base import Cancellation
from toolwright.sandbox.container import DockerSandbox
from toolwright.sandbox.policy import SandboxPolicy

pytestmark = pytest.mark.integration


@pytest.fixture
def live(start: Start) -> DockerSandbox:
    """A container that has served a call."""
    sandbox = start()
    sandbox.run(call(), Cancellation())
    return sandbox


def test_the_live_container_is_as_the_policy_has_it(
    live: DockerSandbox, observer: Observer, policy: SandboxPolicy
) -> None:
    """Field by field, and nothing where nothing was decided on."""
    assert unlike(observer.inspect(live.info.container_id), policy) == []


def test_its_network_is_none(live: DockerSandbox, observer: Observer) -> None:
    """No address, no gateway, no published port."""
    network = observer.inspect(live.info.container_id)["NetworkSettings"]

    assert list(network["Networks"]) == ["none"]
    assert (network["IPAddress"], network["Gateway"], network["Ports"]) == ("", "", {})


def test_the_agent_has_three_capabilities_and_no_way_to_more(live: DockerSandbox, observer: Observer) -> None:
    """SETUID, SETGID and KILL, no new privileges, under a filter: as the kernel shows its two processes."""
    wanted = (1 << 5) | (1 << 6) | (1 << 7)
    processes = observer.processes(live.info.container_id)

    assert [one.pid for one in processes] == [1, processes[1].pid]
    for one in processes:
        assert int(one.fields["CapEff"], 16) == int(one.fields["CapBnd"], 16) == wanted
        assert int(one.fields["CapAmb"], 16) == 0
        assert (one.fields["NoNewPrivs"], one.fields["Seccomp"]) == ("1", "2")


def test_its_namespaces_are_its_own(live: DockerSandbox, observer: Observer) -> None:
    """None of the kinds that Docker gives is shared with the host."""
    theirs = observer.namespaces(observer.init_pid(live.info.container_id))

    for kind in ("cgroup", "ipc", "mnt", "net", "pid", "uts"):
        assert theirs[kind] != os.readlink(f"/proc/self/ns/{kind}"), kind  # noqa: PTH115 - no path: a name of the kernel's


def test_the_scratch_space_is_mounted_as_it_was_asked_for(live: DockerSandbox, observer: Observer) -> None:
    """Flags, size and number of files, in the container's own mount table; everything else is read-only."""
    rows = [row.split() for row in observer.mounts(live.info.container_id).splitlines()]
    scratch = next(row for row in rows if row[4] == "/call")
    writable = {row[4] for row in rows if "rw" in row[5].split(",")}

    assert {"rw", "nosuid", "nodev", "noexec"} <= set(scratch[5].split(","))
    assert {"size=65536k", "nr_inodes=4096", "mode=1731", "gid=65533"} <= set(scratch[-1].split(","))
    assert next(row for row in rows if row[4] == "/")[5].split(",")[0] == "ro"
    assert {path for path in writable if not path.startswith(("/proc", "/dev", "/sys"))} == {"/call"}
