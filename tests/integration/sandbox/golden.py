"""The options of a live container, written down apart from the policy that asks for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from toolwright.domain.limits import MIB
from toolwright.sandbox.policy import LABEL_OWNER, LABEL_ROLE, SandboxPolicy

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


def unlike(seen: Mapping[str, Any], policy: SandboxPolicy) -> list[str]:
    """Return what in the engine's account of a container is not as it has to be.

    Args:
        seen: its answer to `docker inspect`.
        policy: of the container; its image and its profile are not written down here.
    """
    host, config = seen["HostConfig"], seen["Config"]
    found = [f"{name}: {host[name]!r}" for name, value in GOLDEN_HOST.items() if host[name] != value]
    found += [f"{name}: {config[name]!r}" for name, value in GOLDEN_CONFIG.items() if config[name] != value]
    found += [f"{name}: {host[name]!r}" for name in NOTHING if host.get(name)]
    ulimits = {one["Name"]: (one["Soft"], one["Hard"]) for one in host["Ulimits"] or ()}
    holds = {
        "Ulimits": ulimits == {name: (value, value) for name, value in GOLDEN_ULIMITS.items()},
        "SecurityOpt": _security_holds(host["SecurityOpt"] or [], policy),
        "Image": seen["Image"] == config["Image"] == policy.image_id,
        "Mounts": seen["Mounts"] == [],
        "ExecIDs": seen["ExecIDs"] is None,
        "Cmd": config["Cmd"][1:] == ["65533", "/call"],
        "Labels": {LABEL_OWNER, LABEL_ROLE} <= set(config["Labels"]),
    }
    return found + [name for name, is_so in holds.items() if not is_so]


def _security_holds(options: list[str], policy: SandboxPolicy) -> bool:
    """Whether there are both options, the second with our filter to the letter, and no third one."""
    if len(options) != 2 or options[0] != "no-new-privileges:true" or not options[1].startswith("seccomp={"):
        return False
    return bool(json.loads(options[1].partition("=")[2]) == json.loads(policy.seccomp_profile))
