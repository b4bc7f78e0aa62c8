"""The sandbox policy: every option of every container, each with its reason. A reviewer reads it top to bottom.

`container_options` is the whole of what reaches Docker. Nothing a caller sends changes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolwright.domain.limits import MIB, Limits

SCRATCH = "/call"
SCRATCH_GROUP = 65_533
"""May make directories in the scratch space; a call has it only while it makes its own."""
LABEL_OWNER = "org.toolwright.owner"
"""Which server process a container belongs to; see `owner.py`."""
LABEL_ROLE = "org.toolwright.role"


@dataclass(frozen=True, slots=True)
class SandboxPolicy:
    """What all containers of a pool have in common."""

    image_id: str
    """`sha256:…`; a tag is never run."""
    seccomp_profile: str
    """The profile's JSON text."""
    runtime: str = "runc"
    """OCI runtime, always named: a default could be a weaker one tomorrow."""
    limits: Limits = field(default_factory=Limits)
    """Ceilings for every call."""
    scratch_bytes: int = 64 * MIB
    scratch_inodes: int = 4_096
    container_processes: int = 64
    """More than a call's own limit, so that the agent can always fork."""
    cpus: float = 1.0
    max_calls: int = 1_000
    """Calls after which a container is retired."""
    max_age_s: float = 900.0
    """Age after which a container is retired, in seconds."""

    def __post_init__(self) -> None:
        """Refuse an image that is not named by what is in it."""
        if not self.image_id.startswith("sha256:"):
            raise ValueError(f"image {self.image_id!r} is not named by its digest")

    def container_options(self, uid_base: int, owner: str) -> dict[str, Any]:
        """Return the arguments of docker-py's `containers.create` for one sandbox.

        Args:
            uid_base: first of this container's own user ids, which no other container of this server has, and hardly
                one of another's: the kernel counts processes, signals and pipes by user id, across containers.
            owner: label by which a later server finds what a killed one left.
        """
        memory = self.limits.memory_bytes
        return {
            "image": self.image_id,
            "runtime": self.runtime,
            "command": [str(uid_base), str(SCRATCH_GROUP), SCRATCH],
            # PID 1 needs to give each call a user of its own and to kill that user's processes: root
            # in the container with just these three, holding no secret. A call has none.
            "user": "0:0",
            "cap_drop": ["ALL"],
            "cap_add": ["SETUID", "SETGID", "KILL"],
            # No file in the image can raise rights; the kernel's surface is what Python needs.
            "security_opt": ["no-new-privileges:true", f"seccomp={self.seccomp_profile}"],
            "privileged": False,
            # Else the proxies of this user's Docker configuration, passwords and all, would get into its environment.
            "use_config_proxy": False,
            # Nothing can be changed for the next call; what a call writes goes to its scratch space.
            "read_only": True,
            # Owner (agent) all, group may create in it, others only pass through to their own directory.
            # noexec, nosuid, nodev: data only. Both bytes and names are limited; both count as memory.
            "tmpfs": {
                SCRATCH: (
                    f"rw,noexec,nosuid,nodev,size={self.scratch_bytes},nr_inodes={self.scratch_inodes},"
                    f"mode=1731,gid={SCRATCH_GROUP}"
                )
            },
            # No interface but a loopback of its own, and no call can make a socket for that.
            "network_mode": "none",
            # No shared memory that outlives a call: no /dev/shm, no System V or POSIX objects.
            "ipc_mode": "none",
            # What keeps objects that outlive a call is empty from the start: the engine mounts /dev/mqueue all the
            # same, and a queue could be made there by `open`, which no filter of system calls tells from a file's.
            "sysctls": {
                "fs.mqueue.queues_max": "0",
                "kernel.msgmni": "0",
                "kernel.shmmni": "0",
                "kernel.sem": "0 0 0 0",
            },
            # Its own view of the cgroup tree, not the host's.
            "cgroupns": "private",
            "pids_limit": self.container_processes,
            # Equal, so that there is no swap.
            "mem_limit": memory,
            "memswap_limit": memory,
            "nano_cpus": int(self.cpus * 1e9),
            "ulimits": self._ulimits(),
            # If the kernel must choose, it takes the call (1000), then this container, then the host's own.
            "oom_score_adj": 500,
            # Output goes to the attached stream only; a log file could fill the host's disk.
            "log_config": {"Type": "none", "Config": {}},
            # The agent is PID 1 itself: it reaps orphans, and its end is everyone's end.
            "init": False,
            # A terminal would let a call push characters into it.
            "tty": False,
            # Standard input is the channel; when the server dies it closes, and the agent ends.
            "stdin_open": True,
            "auto_remove": True,
            "restart_policy": {"Name": "no"},
            # A health check would run `docker exec` in a used container.
            "healthcheck": {"test": ["NONE"]},
            "hostname": "sandbox",
            "working_dir": "/",
            "labels": {LABEL_OWNER: owner, LABEL_ROLE: "sandbox"},
        }

    def _ulimits(self) -> list[dict[str, Any]]:
        fixed = {
            "core": 0,  # no image of anyone's memory on disk
            "nofile": 256,
            "fsize": self.limits.file_bytes,
            "memlock": 0,
            "sigpending": 64,
            "msgqueue": 0,
            "stack": 8 * MIB,
            "rtprio": 0,
            "nice": 0,
        }
        return [{"Name": name, "Soft": value, "Hard": value} for name, value in fixed.items()]


def load_seccomp_profile(images: Path) -> str:
    """Return the text of `seccomp.json` in the directory of the sandbox images."""
    return (images / "seccomp.json").read_text(encoding="utf-8")
