"""The whole of what reaches Docker, option by option: a change here is a change of what a tool may do."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from toolwright.domain.limits import MIB, Limits
from toolwright.images.recipe import images_root
from toolwright.sandbox.policy import SandboxPolicy, load_seccomp_profile

pytestmark = pytest.mark.unit

IMAGE = "sha256:" + "a" * 64
POLICY = SandboxPolicy(IMAGE, '{"seccomp": true}')
GOLDEN: dict[str, Any] = {
    "image": IMAGE,
    "runtime": "runc",
    "command": ["4096", "65533", "/call"],
    "user": "0:0",
    "cap_drop": ["ALL"],
    "cap_add": ["SETUID", "SETGID", "KILL"],
    "security_opt": ["no-new-privileges:true", 'seccomp={"seccomp": true}'],
    "privileged": False,
    "use_config_proxy": False,
    "read_only": True,
    "tmpfs": {"/call": "rw,noexec,nosuid,nodev,size=67108864,nr_inodes=4096,mode=1731,gid=65533"},
    "network_mode": "none",
    "ipc_mode": "none",
    "sysctls": {
        "fs.mqueue.queues_max": "0",
        "kernel.msgmni": "0",
        "kernel.shmmni": "0",
        "kernel.sem": "0 0 0 0",
    },
    "cgroupns": "private",
    "pids_limit": 64,
    "mem_limit": 256 * MIB,
    "memswap_limit": 256 * MIB,
    "nano_cpus": 1_000_000_000,
    "oom_score_adj": 500,
    "log_config": {"Type": "none", "Config": {}},
    "init": False,
    "tty": False,
    "stdin_open": True,
    "auto_remove": True,
    "restart_policy": {"Name": "no"},
    "healthcheck": {"test": ["NONE"]},
    "hostname": "sandbox",
    "working_dir": "/",
    "labels": {"org.toolwright.owner": "me", "org.toolwright.role": "sandbox"},
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


def test_no_option_is_missing_and_none_is_new() -> None:
    """Options that nobody decided on are as bad as options that are gone."""
    assert set(POLICY.container_options(4096, "me")) == {*GOLDEN, "ulimits"}


@pytest.mark.parametrize("name", GOLDEN)
def test_each_option_is_the_one_that_was_decided_on(name: str) -> None:
    """One assertion an option, so that a failure names it."""
    assert POLICY.container_options(4096, "me")[name] == GOLDEN[name]


def test_each_resource_limit_is_soft_and_hard() -> None:
    """A soft limit alone could be raised from within."""
    ulimits = POLICY.container_options(4096, "me")["ulimits"]

    assert {one["Name"]: (one["Soft"], one["Hard"]) for one in ulimits} == {
        name: (value, value) for name, value in GOLDEN_ULIMITS.items()
    }


def test_ceilings_reach_the_container() -> None:
    """Memory, files, processes, CPU and scratch follow the policy and nothing else."""
    policy = replace(
        POLICY,
        runtime="runsc",
        limits=Limits(memory_bytes=100 * MIB, file_bytes=5),
        scratch_bytes=7,
        scratch_inodes=9,
        container_processes=11,
        cpus=0.5,
    )

    options = policy.container_options(4096, "me")

    assert (options["mem_limit"], options["memswap_limit"]) == (100 * MIB, 100 * MIB)
    assert (options["runtime"], options["pids_limit"], options["nano_cpus"]) == ("runsc", 11, 500_000_000)
    assert "size=7,nr_inodes=9" in options["tmpfs"]["/call"]
    assert {"Name": "fsize", "Soft": 5, "Hard": 5} in options["ulimits"]
    changed = {name for name in GOLDEN if options[name] != GOLDEN[name]}
    assert changed == {"runtime", "tmpfs", "mem_limit", "memswap_limit", "pids_limit", "nano_cpus"}


def test_agent_can_always_fork() -> None:
    """The container has room for the call's processes and the agent's own."""
    assert POLICY.container_processes >= POLICY.limits.processes + 3


@pytest.mark.parametrize("image", ["python:3.13", "toolwright-sandbox-python:latest", "", "a" * 64, "md5:" + "a" * 32])
def test_an_image_is_named_by_its_digest(image: str) -> None:
    """A tag may be another image tomorrow."""
    with pytest.raises(ValueError, match="digest"):
        SandboxPolicy(image, "{}")


def test_a_policy_cannot_be_changed() -> None:
    """It is decided once, at the start."""
    with pytest.raises(FrozenInstanceError):
        POLICY.cpus = 9  # type: ignore[misc]  # that is the point


def test_the_profile_denies_by_default_and_speaks_of_two_machines() -> None:
    """What no rule names is refused, under both architectures, and each rule says why it is there."""
    profile = json.loads(load_seccomp_profile(images_root()))

    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    assert {one["architecture"]: one["subArchitectures"] for one in profile["archMap"]} == {
        "SCMP_ARCH_X86_64": [],
        "SCMP_ARCH_AARCH64": [],
    }
    assert all(rule["comment"] for rule in profile["syscalls"])


NEVER_ALLOWED = [
    "socket",
    "connect",
    "bind",
    "listen",
    "accept",
    "accept4",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "unshare",
    "setns",
    "keyctl",
    "add_key",
    "request_key",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "memfd_create",
    "memfd_secret",
    "splice",
    "tee",
    "vmsplice",
    "shmget",
    "semget",
    "msgget",
    "mq_open",
    "kexec_load",
    "init_module",
    "finit_module",
    "reboot",
    "open_by_handle_at",
    "name_to_handle_at",
    "setxattr",
    "mknod",
    "mknodat",
    "personality",
    "fsopen",
    "open_tree",
    "move_mount",
]


@pytest.mark.parametrize("name", NEVER_ALLOWED)
def test_the_profile_allows_nothing_that_no_call_needs(name: str) -> None:
    """The container's own filter holds for the agent as well, so it stops what the call's filter stops, and first."""
    profile = json.loads(load_seccomp_profile(images_root()))

    plainly = [rule for rule in profile["syscalls"] if name in rule["names"] and rule["action"] == "SCMP_ACT_ALLOW"]

    assert all(rule.get("args") for rule in plainly), f"{name} is allowed without a condition"
