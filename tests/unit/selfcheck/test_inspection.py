"""What an engine says of a container, each option wrong in turn."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from toolwright.domain.limits import MIB
from toolwright.sandbox.policy import LABEL_OWNER, SandboxPolicy
from toolwright.sandbox.selfcheck.inspection import inspect

pytestmark = pytest.mark.unit

PROFILE = '{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": []}'
POLICY = SandboxPolicy("sha256:" + "a" * 64, PROFILE)
IMAGE: dict[str, Any] = {"Config": {"Entrypoint": ["/agent"], "Env": ["B=2", "A=1"]}}
ULIMITS = {
    "core": 0, "nofile": 256, "fsize": 64 * MIB, "memlock": 0, "sigpending": 64, "msgqueue": 0, "stack": 8 * MIB,
    "rtprio": 0, "nice": 0,
}  # fmt: skip
RIGHT: dict[str, Any] = {
    "Image": POLICY.image_id,
    "Mounts": [],
    "HostConfig": {
        "Privileged": False, "CapDrop": ["ALL"], "CapAdd": ["SETUID", "SETGID", "KILL"], "ReadonlyRootfs": True,
        "NetworkMode": "none", "PortBindings": None, "PublishAllPorts": False, "ExtraHosts": None, "Links": None,
        "Dns": None, "IpcMode": "none", "PidMode": "", "UTSMode": "", "UsernsMode": "", "CgroupnsMode": "private",
        "Cgroup": "", "Binds": None, "VolumesFrom": None, "Devices": None, "DeviceRequests": None,
        "DeviceCgroupRules": None, "GroupAdd": None, "LogConfig": {"Type": "none", "Config": {}},
        "RestartPolicy": {"Name": "no"}, "AutoRemove": True, "Init": False, "OomKillDisable": False,
        "OomScoreAdj": 500, "Runtime": "runc", "Memory": 256 * MIB, "MemorySwap": 256 * MIB, "PidsLimit": 64,
        "NanoCpus": 10**9, "SecurityOpt": ["no-new-privileges:true", f"seccomp={PROFILE}"],
        "Tmpfs": {"/call": f"rw,noexec,nosuid,nodev,size={64 * MIB},nr_inodes=4096,mode=1731,gid=65533"},
        "Ulimits": [{"Name": name, "Soft": value, "Hard": value} for name, value in ULIMITS.items()],
        "Sysctls": {
            "kernel.shmmni": "0", "kernel.msgmni": "0", "kernel.sem": "0 0 0 0", "fs.mqueue.queues_max": "0",
        },
        "MaskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware", "/proc/more"],
        "ReadonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
    },
    "Config": {
        "Tty": False, "StdinOnce": True, "User": "0:0", "Healthcheck": {"Test": ["NONE"]}, "Volumes": None,
        "Hostname": "sandbox", "Entrypoint": ["/agent"], "Env": ["A=1", "B=2"], "Labels": {LABEL_OWNER: "me"},
    },
}  # fmt: skip

WRONG: list[tuple[str, Any, str]] = [
    ("Image", "sha256:" + "b" * 64, "image"),
    ("Mounts", [{"Source": "/etc"}], "host paths"),
    ("HostConfig.Privileged", True, "privileges"),
    ("HostConfig.Privileged", 0, "privileges"),
    ("HostConfig.CapDrop", None, "capabilities"),
    ("HostConfig.CapDrop", ["NET_RAW"], "capabilities"),
    ("HostConfig.CapAdd", ["SETUID", "SETGID", "KILL", "SYS_ADMIN"], "capabilities"),
    ("HostConfig.CapAdd", ["ALL"], "capabilities"),
    ("HostConfig.ReadonlyRootfs", False, "root file system"),
    ("HostConfig.NetworkMode", "default", "network"),
    ("HostConfig.NetworkMode", "container:abc", "network"),
    ("HostConfig.PortBindings", {"80/tcp": [{"HostPort": "80"}]}, "network"),
    ("HostConfig.PublishAllPorts", True, "network"),
    ("HostConfig.ExtraHosts", ["db:10.0.0.1"], "network"),
    ("HostConfig.Links", ["/db:/db"], "network"),
    ("HostConfig.Dns", ["10.0.0.1"], "network"),
    ("HostConfig.IpcMode", "private", "ipc"),
    ("HostConfig.PidMode", "host", "namespaces"),
    ("HostConfig.UTSMode", "host", "namespaces"),
    ("HostConfig.UsernsMode", "host", "namespaces"),
    ("HostConfig.CgroupnsMode", "host", "namespaces"),
    ("HostConfig.Binds", ["/:/host:ro"], "host paths"),
    ("HostConfig.VolumesFrom", ["other"], "host paths"),
    ("HostConfig.Mounts", [{"Type": "bind"}], "host paths"),
    ("HostConfig.Devices", [{"PathOnHost": "/dev/kvm"}], "host paths"),
    ("HostConfig.DeviceRequests", [{"Driver": "nvidia"}], "host paths"),
    ("HostConfig.DeviceCgroupRules", ["a *:* rwm"], "host paths"),
    ("HostConfig.GroupAdd", ["docker"], "groups"),
    ("HostConfig.LogConfig.Type", "json-file", "log"),
    ("HostConfig.RestartPolicy.Name", "always", "life"),
    ("HostConfig.AutoRemove", False, "life"),
    ("HostConfig.Init", True, "life"),
    ("HostConfig.OomKillDisable", True, "memory"),
    ("HostConfig.OomScoreAdj", 0, "memory"),
    ("HostConfig.Runtime", "crun", "runtime"),
    ("HostConfig.Memory", 0, "memory"),
    ("HostConfig.Memory", 257 * MIB, "memory"),
    ("HostConfig.MemorySwap", -1, "memory"),
    ("HostConfig.PidsLimit", None, "processes"),
    ("HostConfig.PidsLimit", -1, "processes"),
    ("HostConfig.NanoCpus", 0, "CPU"),
    ("HostConfig.SecurityOpt", [f"seccomp={PROFILE}"], "no new privileges"),
    ("HostConfig.SecurityOpt", ["no-new-privileges:false", f"seccomp={PROFILE}"], "no new privileges"),
    ("HostConfig.SecurityOpt", ["no-new-privileges"], "seccomp profile"),
    ("HostConfig.SecurityOpt", ["no-new-privileges", "seccomp=unconfined"], "seccomp profile"),
    ("HostConfig.SecurityOpt", ["no-new-privileges", 'seccomp={"defaultAction": "SCMP_ACT_ALLOW"}'], "seccomp profile"),
    ("HostConfig.SecurityOpt", ["no-new-privileges", f"seccomp={PROFILE}", "label=disable"], "security modules"),
    ("HostConfig.SecurityOpt", ["no-new-privileges", f"seccomp={PROFILE}", "apparmor=x"], "security modules"),
    ("HostConfig.Tmpfs", {**RIGHT["HostConfig"]["Tmpfs"], "/tmp": "rw"}, "scratch space"),
    ("HostConfig.Tmpfs", None, "scratch space"),
    ("HostConfig.Ulimits", None, "limits"),
    ("HostConfig.Ulimits", [{"Name": "core", "Soft": 0, "Hard": -1}], "limits"),
    ("HostConfig.Sysctls", None, "ipc"),
    ("HostConfig.Sysctls", {**RIGHT["HostConfig"]["Sysctls"], "kernel.sem": "250 32000 32 128"}, "ipc"),
    ("HostConfig.MaskedPaths", None, "kernel settings"),
    ("HostConfig.ReadonlyPaths", [], "kernel settings"),
    ("Config.Tty", True, "terminal"),
    ("Config.StdinOnce", False, "channel"),
    ("Config.User", "", "user"),
    ("Config.User", "0:0 ", "user"),
    ("Config.Healthcheck", None, "exec"),
    ("Config.Healthcheck.Test", ["CMD", "true"], "exec"),
    ("Config.Volumes", {"/data": {}}, "host paths"),
    ("Config.Hostname", "prod-7", "hostname"),
    ("Config.Entrypoint", ["/bin/sh"], "agent"),
    ("Config.Env", ["A=1", "B=2", "HTTPS_PROXY=http://user:secret@proxy"], "environment"),
    ("Config.Labels", None, "life"),
]


def with_value(path: str, value: Any) -> dict[str, Any]:
    """Return a right container with one value in the place of its own."""
    container = copy.deepcopy(RIGHT)
    *way, last = path.split(".")
    place = container
    for name in way:
        place = place[name]
    place[last] = value
    return container


def broken_layers(container: dict[str, Any], policy: SandboxPolicy = POLICY) -> set[str]:
    """Return the layers that do not hold."""
    return {finding.layer for finding in inspect(container, IMAGE, policy) if not finding.holds}


def test_right_container_holds() -> None:
    """With every option as decided nothing is broken."""
    assert broken_layers(RIGHT) == set()


@pytest.mark.parametrize(("path", "value", "layer"), WRONG)
def test_each_wrong_option_names_its_layer(path: str, value: Any, layer: str) -> None:
    """That layer and no other."""
    assert broken_layers(with_value(path, value)) == {layer}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("HostConfig.CapAdd", ["CAP_KILL", "CAP_SETGID", "CAP_SETUID"]),
        ("HostConfig.PortBindings", {}),
        ("HostConfig.Binds", []),
        ("HostConfig.OomKillDisable", None),
        ("HostConfig.SecurityOpt", ["no-new-privileges", f"seccomp={json.dumps(json.loads(PROFILE), indent=9)}"]),
    ],
)
def test_other_spellings_of_the_same_hold(path: str, value: Any) -> None:
    """Engines of other versions write the same thing in another way."""
    assert broken_layers(with_value(path, value)) == set()


@pytest.mark.parametrize("name", sorted(ULIMITS))
def test_each_ulimit_counts_soft_and_hard(name: str) -> None:
    """One that is gone, and one that may be raised, are named."""
    rows = RIGHT["HostConfig"]["Ulimits"]
    gone = [row for row in rows if row["Name"] != name]
    soft = [{**row, "Hard": row["Hard"] + 1} if row["Name"] == name else row for row in rows]
    assert broken_layers(with_value("HostConfig.Ulimits", gone)) == {"limits"}
    assert broken_layers(with_value("HostConfig.Ulimits", soft)) == {"limits"}


@pytest.mark.parametrize("flag", ["noexec", "nosuid", "nodev", "nr_inodes=4096", f"size={64 * MIB}", "mode=1731"])
def test_each_option_of_the_scratch_space_counts(flag: str) -> None:
    """One that is gone is named."""
    options = RIGHT["HostConfig"]["Tmpfs"]["/call"].replace(f",{flag}", "")
    assert broken_layers(with_value("HostConfig.Tmpfs", {"/call": options})) == {"scratch space"}


@pytest.mark.parametrize("name", sorted(RIGHT["HostConfig"]))
def test_what_the_engine_does_not_say_never_turns_an_option_on(name: str) -> None:
    """An option that is absent from the answer is broken, or is one whose absence is what is wanted."""
    container = copy.deepcopy(RIGHT)
    del container["HostConfig"][name]
    absent_is_right = {
        "PortBindings", "ExtraHosts", "Links", "Dns", "Binds", "VolumesFrom", "Devices", "DeviceRequests",
        "DeviceCgroupRules", "GroupAdd", "OomKillDisable",
    }  # fmt: skip
    assert bool(broken_layers(container)) is (name not in absent_is_right)


def test_profile_that_allows_everything_is_no_profile() -> None:
    """Even where the policy itself asks for it."""
    profile = '{"defaultAction": "SCMP_ACT_ALLOW"}'
    security = ["no-new-privileges:true", f"seccomp={profile}"]
    policy = SandboxPolicy(POLICY.image_id, profile)
    assert broken_layers(with_value("HostConfig.SecurityOpt", security), policy) == {"seccomp profile"}
