"""What the engine says of a live container is what the policy says: no default of Docker's has the last word."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from tests.integration.sandbox.conftest import Start
from tests.integration.sandbox.helpers import call
from toolwright.attacks.observer import Observer
from toolwright.domain.limits import MIB
from toolwright.sandbox.base import Cancellation
from toolwright.sandbox.container import DockerSandbox
from toolwright.sandbox.policy import SandboxPolicy

pytestmark = pytest.mark.integration

GOLDEN_HOST: dict[str, Any] = {
    "AutoRemove": True,
    "CapAdd": ["SETUID", "SETGID", "KILL"],
    "CapDrop": ["ALL"],
    "CgroupnsMode": "private",
    "CpuQuota": 0,
    "CpusetCpus": "",
    "Init": False,
    "IpcMode": "none",
    "LogConfig": {"Type": "none", "Config": {}},
    "Memory": 256 * MIB,
    "MemorySwap": 256 * MIB,
    "NanoCpus": 1_000_000_000,
    "NetworkMode": "none",
    "OomScoreAdj": 500,
    "PidMode": "",
    "PidsLimit": 64,
    "Privileged": False,
    "PublishAllPorts": False,
    "ReadonlyRootfs": True,
    "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
    "Runtime": "runc",
    "Sysctls": {
        "fs.mqueue.queues_max": "0",
        "kernel.msgmni": "0",
        "kernel.shmmni": "0",
        "kernel.sem": "0 0 0 0",
    },
    "Tmpfs": {"/call": "rw,noexec,nosuid,nodev,size=67108864,nr_inodes=4096,mode=1731,gid=65533"},
    "UTSMode": "",
    "UsernsMode": "",
}
NOTHING = (
    "Binds",
    "ContainerIDFile",
    "DeviceCgroupRules",
    "DeviceRequests",
    "Devices",
    "ExtraHosts",
    "GroupAdd",
    "Links",
    "Mounts",
    "PortBindings",
    "VolumeDriver",
    "VolumesFrom",
    "Dns",
    "CgroupParent",
    "OomKillDisable",
)
GOLDEN_CONFIG: dict[str, Any] = {
    "User": "0:0",
    "Hostname": "sandbox",
    "Tty": False,
    "OpenStdin": True,
    "StdinOnce": True,
    "AttachStdin": True,
    "AttachStdout": True,
    "AttachStderr": True,
    "WorkingDir": "/",
    "Healthcheck": {"Test": ["NONE"]},
    "Env": ["HOME=/", "LANG=C.UTF-8", "PATH=/usr/bin", "PYTHON_DISABLE_REMOTE_DEBUG=1"],
    "Entrypoint": ["/usr/bin/python3.13", "-I", "-S", "-B", "-X", "utf8", "/usr/lib/toolwright/toolwright_agent"],
}
GOLDEN_ULIMITS = {
    "core": 0,
    "nofile": 256,
    "fsize": 64 * MIB,
    "memlock": 0,
    "sigpending": 64,
    "msgqueue": 0,
    "stack": 8 * MIB,
    "rtprio": 0,
    "nice": 0,
}


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
    seen = observer.inspect(live.info.container_id)
    host, config = seen["HostConfig"], seen["Config"]

    assert {name: host[name] for name in GOLDEN_HOST} == GOLDEN_HOST
    assert {name: config[name] for name in GOLDEN_CONFIG} == GOLDEN_CONFIG
    assert {name: host.get(name) for name in NOTHING if host.get(name)} == {}
    assert {one["Name"]: (one["Soft"], one["Hard"]) for one in host["Ulimits"]} == {
        name: (value, value) for name, value in GOLDEN_ULIMITS.items()
    }
    assert seen["Image"] == config["Image"] == policy.image_id
    assert seen["Mounts"] == []
    assert seen["ExecIDs"] is None
    assert config["Cmd"][1:] == ["65533", "/call"]


def test_its_filter_is_ours_to_the_letter(live: DockerSandbox, observer: Observer, policy: SandboxPolicy) -> None:
    """Both security options, and no third one."""
    options = observer.inspect(live.info.container_id)["HostConfig"]["SecurityOpt"]

    assert options[0] == "no-new-privileges:true"
    name, _, text = options[1].partition("=")
    assert name == "seccomp"
    assert json.loads(text) == json.loads(policy.seccomp_profile)
    assert len(options) == 2


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
