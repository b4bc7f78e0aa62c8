"""What the engine has to say of a live container, option by option, whatever the policy's code asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from toolwright.domain.limits import MIB
from toolwright.sandbox.policy import LABEL_OWNER, SCRATCH, SandboxPolicy
from toolwright.sandbox.selfcheck.finding import Finding, compare

# Layer, path in `docker inspect`, and the value; several values where engines write the same thing differently.
_FIXED: Final[tuple[tuple[str, str, tuple[object, ...]], ...]] = (
    ("privileges", "HostConfig.Privileged", (False,)),
    ("capabilities", "HostConfig.CapDrop", (["ALL"],)),
    ("capabilities", "HostConfig.CapAdd", (["CAP_KILL", "CAP_SETGID", "CAP_SETUID"], ["KILL", "SETGID", "SETUID"])),
    ("root file system", "HostConfig.ReadonlyRootfs", (True,)),
    ("network", "HostConfig.NetworkMode", ("none",)),
    ("network", "HostConfig.PortBindings", ({}, None)),
    ("network", "HostConfig.PublishAllPorts", (False,)),
    ("network", "HostConfig.ExtraHosts", (None, [])),
    ("network", "HostConfig.Links", (None, [])),
    ("network", "HostConfig.Dns", (None, [])),
    ("ipc", "HostConfig.IpcMode", ("none",)),
    ("namespaces", "HostConfig.PidMode", ("",)),
    ("namespaces", "HostConfig.UTSMode", ("",)),
    ("namespaces", "HostConfig.UsernsMode", ("",)),
    ("namespaces", "HostConfig.CgroupnsMode", ("private",)),
    ("namespaces", "HostConfig.Cgroup", ("",)),
    ("host paths", "HostConfig.Binds", (None, [])),
    ("host paths", "HostConfig.VolumesFrom", (None, [])),
    ("host paths", "HostConfig.Mounts", (None, [])),
    ("host paths", "HostConfig.Devices", (None, [])),
    ("host paths", "HostConfig.DeviceRequests", (None, [])),
    ("host paths", "HostConfig.DeviceCgroupRules", (None, [])),
    ("groups", "HostConfig.GroupAdd", (None, [])),
    ("log", "HostConfig.LogConfig.Type", ("none",)),
    ("life", "HostConfig.RestartPolicy.Name", ("no", "")),
    ("life", "HostConfig.AutoRemove", (True,)),
    ("life", "HostConfig.Init", (False,)),
    ("terminal", "Config.Tty", (False,)),
    ("channel", "Config.StdinOnce", (True,)),
    ("host paths", "Mounts", ([],)),
    ("user", "Config.User", ("0:0",)),
    ("exec", "Config.Healthcheck.Test", (["NONE"],)),
    ("memory", "HostConfig.OomKillDisable", (False, None)),
    ("memory", "HostConfig.OomScoreAdj", (500,)),
    ("host paths", "Config.Volumes", (None, {})),
    ("hostname", "Config.Hostname", ("sandbox",)),
)
_ULIMITS: Final = {
    "core": 0,
    "nofile": 256,
    "memlock": 0,
    "sigpending": 64,
    "msgqueue": 0,
    "rtprio": 0,
    "nice": 0,
    "stack": 8 * MIB,
}
_SYSCTLS: Final = {"kernel.shmmni": "0", "kernel.msgmni": "0", "kernel.sem": "0 0 0 0", "fs.mqueue.queues_max": "0"}
_MASKED: Final = {"/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"}
_READ_ONLY: Final = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
_NO_NEW_PRIVILEGES: Final = ("no-new-privileges", "no-new-privileges:true", "no-new-privileges=true")
_KNOWN: Final = ("no-new-privileges", "seccomp=")
_SCRATCH_FLAGS: Final = {"noexec", "nosuid", "nodev"}


def inspect(container: Mapping[str, Any], image: Mapping[str, Any], policy: SandboxPolicy) -> list[Finding]:
    """Return a finding for each option.

    Args:
        container: `docker inspect` of a container that runs.
        image: the same of its image.
        policy: for the numbers that settings choose, and the image, runtime and seccomp profile.
    """
    host = container["HostConfig"]
    return [
        *(_fixed(container, *row) for row in _FIXED),
        compare("image", "Image", policy.image_id, container.get("Image")),
        compare("runtime", "Runtime", policy.runtime, host.get("Runtime")),
        *_amounts(host, policy),
        *_security(host.get("SecurityOpt") or [], policy),
        *_scratch(host.get("Tmpfs") or {}, policy),
        *_limits(host.get("Ulimits") or [], policy),
        *_kernel(host),
        *_program(container["Config"], image["Config"]),
    ]


def _fixed(container: Mapping[str, Any], layer: str, path: str, allowed: tuple[object, ...]) -> Finding:
    value: Any = container
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    if isinstance(value, list):
        value = sorted(value, key=str)
    wanted = next((one for one in allowed if repr(one) == repr(value)), allowed[0])  # 0 is not False
    return compare(layer, path.rpartition(".")[2], wanted, value)


def _amounts(host: Mapping[str, Any], policy: SandboxPolicy) -> list[Finding]:
    memory = policy.limits.memory_bytes
    return [
        compare("memory", "Memory", memory, host.get("Memory")),
        compare("memory", "MemorySwap", memory, host.get("MemorySwap")),
        compare("processes", "PidsLimit", policy.container_processes, host.get("PidsLimit")),
        compare("CPU", "NanoCpus", int(policy.cpus * 1e9), host.get("NanoCpus")),
    ]


def _kernel(host: Mapping[str, Any]) -> list[Finding]:
    sysctls, masked, read_only = (host.get(name) or () for name in ("Sysctls", "MaskedPaths", "ReadonlyPaths"))
    return [
        *(compare("ipc", name, value, dict(sysctls).get(name)) for name, value in _SYSCTLS.items()),
        compare("kernel settings", "MaskedPaths", [], sorted(_MASKED.difference(masked))),
        compare("kernel settings", "ReadonlyPaths", [], sorted(_READ_ONLY.difference(read_only))),
    ]


def _program(config: Mapping[str, Any], image: Mapping[str, Any]) -> list[Finding]:
    """What runs, and what it is told: nothing but the image's, so nothing of this host."""
    return [
        compare("agent", "Entrypoint", image.get("Entrypoint"), config.get("Entrypoint")),
        compare("environment", "Env", sorted(image.get("Env") or ()), sorted(config.get("Env") or ())),
        compare("life", "Labels", expected=True, found=LABEL_OWNER in (config.get("Labels") or ())),
    ]


def _security(options: list[str], policy: SandboxPolicy) -> list[Finding]:
    profile = next((one.partition("=")[2] for one in options if one.startswith("seccomp=")), "")
    same = _normal(profile) == _normal(policy.seccomp_profile) and "SCMP_ACT_ERRNO" in profile
    no_new_privileges = any(one in _NO_NEW_PRIVILEGES for one in options)
    return [
        compare("no new privileges", "SecurityOpt", expected=True, found=no_new_privileges),
        compare("seccomp profile", "SecurityOpt", expected=True, found=same),
        # What turns off SELinux, AppArmor or the masks of /proc, where there are any, would stand here.
        compare("security modules", "SecurityOpt", [], sorted(one for one in options if not one.startswith(_KNOWN))),
    ]


def _normal(profile: str) -> object:
    try:
        return json.loads(profile)
    except ValueError:
        return profile


def _scratch(mounts: Mapping[str, str], policy: SandboxPolicy) -> list[Finding]:
    options = set(mounts.get(SCRATCH, "").split(","))
    return [
        compare("scratch space", "Tmpfs", [SCRATCH], sorted(mounts)),
        compare("scratch space", "flags", sorted(_SCRATCH_FLAGS), sorted(options & _SCRATCH_FLAGS)),
        compare("scratch space", "size", expected=True, found=f"size={policy.scratch_bytes}" in options),
        compare("scratch space", "inodes", expected=True, found=f"nr_inodes={policy.scratch_inodes}" in options),
        compare("scratch space", "mode", expected=True, found="mode=1731" in options),
    ]


def _limits(ulimits: list[dict[str, Any]], policy: SandboxPolicy) -> list[Finding]:
    found = {row.get("Name"): (row.get("Soft"), row.get("Hard")) for row in ulimits}
    wanted = {**_ULIMITS, "fsize": policy.limits.file_bytes}
    return [compare("limits", name, (value, value), found.get(name)) for name, value in wanted.items()]
