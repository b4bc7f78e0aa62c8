"""What a call finds when it tries: one harmless call that knocks on every door, and what each must answer.

The program is text that runs in the sandbox like any tool's. Each answer is compared exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from toolwright.domain.limits import MIB
from toolwright.sandbox.policy import SCRATCH, SandboxPolicy
from toolwright.sandbox.selfcheck.finding import Finding, compare

FUNCTION: Final = "knock"
PROGRAM: Final = """
import ctypes, errno, os, platform, resource

_libc = ctypes.CDLL(None, use_errno=True)

def _attempt(function, *arguments):
    try:
        function(*arguments)
    except OSError as fault:
        return errno.errorcode.get(fault.errno, str(fault.errno))
    return "done"

def _system_call(numbers, *arguments):
    number = numbers.get(platform.machine())
    if number is None:
        return "no number for " + platform.machine()
    ctypes.set_errno(0)
    wide = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    if _libc.syscall(ctypes.c_long(number), *wide) >= 0:
        return "done"
    return errno.errorcode.get(ctypes.get_errno(), str(ctypes.get_errno()))

def _write(path):
    with open(path, "w") as file:
        file.write("x")

def _read(path):
    try:
        with open(path) as file:
            return file.read(65536).strip()
    except OSError as fault:
        return errno.errorcode.get(fault.errno, str(fault.errno))

def knock(scratch):
    status = dict(line.split(":\\t", 1) for line in _read("/proc/self/status").splitlines() if ":\\t" in line)
    here = os.statvfs(".")
    numbers = {name: {"x86_64": x86, "aarch64": arm} for name, x86, arm in (
        ("socket", 41, 198), ("ptrace", 101, 117), ("unshare", 272, 97), ("memfd_create", 319, 279),
        ("landlock", 444, 444), ("mount", 165, 40), ("bpf", 321, 280), ("keyctl", 250, 219), ("shmget", 29, 194))}
    answers = {
        "interfaces": ",".join(sorted(os.listdir("/sys/class/net"))),
        "internet socket": _system_call(numbers["socket"], 2, 1, 0),
        "kernel crypto socket": _system_call(numbers["socket"], 38, 5, 0),
        "write to root": _attempt(_write, "/probe"),
        "write to kernel settings": _attempt(_write, "/proc/sys/kernel/domainname"),
        "become root": _attempt(os.setuid, 0),
        "trace PID 1": _system_call(numbers["ptrace"], 16, 1, 0, 0),
        "memory of PID 1": _attempt(open, "/proc/1/mem"),
        "user namespace": _system_call(numbers["unshare"], 0x10000000),
        "mount": _system_call(numbers["mount"], b"none", scratch.encode(), b"tmpfs", 0, 0),
        "BPF": _system_call(numbers["bpf"], 0, 0, 0),
        "keyring": _system_call(numbers["keyctl"], 0, -3, 1),
        "System V memory": _system_call(numbers["shmget"], 4242, 4096, 0o1666),
        "start a program": _attempt(os.execv, "/nonexistent", ["x"]),
        "memory that runs as a file": _system_call(numbers["memfd_create"], b"x", 0),
        "a call that only the profile denies": _system_call(numbers["landlock"], 0, 0, 1),
        "list the scratch space": _attempt(os.listdir, scratch),
        "create beside its own directory": _attempt(os.mkdir, scratch + "/beside"),
        "write to shared memory": _attempt(_write, "/dev/shm/probe"),
        "write to /tmp": _attempt(_write, "/tmp/probe"),
        "make a message queue": _attempt(_write, "/dev/mqueue/probe"),
        "make a terminal": _attempt(open, "/dev/ptmx", "rb"),
        "scratch flags": ",".join(
            name for name in ("NODEV", "NOEXEC", "NOSUID") if here.f_flag & getattr(os, "ST_" + name)),
        "scratch bytes": here.f_blocks * here.f_frsize,
        "scratch inodes": here.f_files,
        "capabilities": " ".join(status.get(name, "-") for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")),
        "capabilities that could be had": status.get("CapBnd", "-"),
        "no new privileges": status.get("NoNewPrivs", "-"),
        "seccomp mode": status.get("Seccomp", "-"),
        "seccomp filters": status.get("Seccomp_filters", "-"),
        "groups": status.get("Groups", "-").strip(),
        "one user": len({*os.getresuid(), *os.getresgid()}) == 1 and os.getuid() >= 1000,
        "hostname": platform.node(),
        "chosen first when memory ends": _read("/proc/self/oom_score_adj"),
        "environment": ",".join(sorted(os.environ)),
    }
    for name in ("CORE", "FSIZE", "MEMLOCK", "MSGQUEUE", "NOFILE", "NPROC", "SIGPENDING", "STACK"):
        answers["limit " + name] = list(resource.getrlimit(getattr(resource, "RLIMIT_" + name)))
    for name in ("memory/memory.limit_in_bytes", "memory/memory.memsw.limit_in_bytes", "pids/pids.max",
                 "memory.max", "memory.swap.max", "pids.max", "cpu.max"):
        answers["cgroup " + name] = _read("/sys/fs/cgroup/" + name)
    quota, period = _read("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), _read("/sys/fs/cgroup/cpu/cpu.cfs_period_us")
    answers["cgroup cpu"] = int(quota) / int(period) if quota.lstrip("-").isdigit() and period.isdigit() else quota
    return answers
"""


@dataclass(frozen=True, slots=True)
class Fact:
    """One question of the program, the layer it is about, and the answer."""

    name: str
    layer: str
    answer: object
    gvisor: object = None
    """The answer under gVisor, where it is another one. Its kernel says less, and in other words."""

    def under(self, *, gvisor: bool) -> object:
        """Return the answer that is right here."""
        return self.gvisor if gvisor and self.gvisor is not None else self.answer


_NO_CAPABILITIES = " ".join(["0" * 16] * 4)
FACTS: Final = (
    Fact("interfaces", "network", "lo"),
    Fact("internet socket", "call filter", "EPERM"),
    Fact("kernel crypto socket", "call filter", "EPERM"),
    Fact("write to root", "root file system", "EROFS", gvisor="EACCES"),
    Fact("write to kernel settings", "kernel settings", "EROFS", gvisor="EACCES"),
    Fact("become root", "user", "EPERM"),
    Fact("trace PID 1", "call filter", "EPERM"),
    Fact("memory of PID 1", "user", "EACCES"),
    Fact("user namespace", "call filter", "EPERM"),
    Fact("mount", "call filter", "EPERM"),
    Fact("BPF", "call filter", "EPERM"),
    Fact("keyring", "call filter", "EPERM"),
    Fact("System V memory", "call filter", "EPERM"),
    Fact("start a program", "call filter", "EPERM"),
    Fact("memory that runs as a file", "call filter", "EPERM"),
    # gVisor does not load the profile; it has no such call.
    Fact("a call that only the profile denies", "seccomp profile", "EPERM", gvisor="ENOSYS"),
    Fact("list the scratch space", "scratch space", "EACCES"),
    Fact("create beside its own directory", "scratch space", "EACCES"),
    Fact("write to shared memory", "ipc", "ENOENT", gvisor="EACCES"),
    Fact("write to /tmp", "root file system", "EROFS", gvisor="EACCES"),
    Fact("make a message queue", "ipc", "EACCES", gvisor="ENOENT"),
    Fact("make a terminal", "terminal", "EACCES"),
    Fact("scratch flags", "scratch space", "NODEV,NOEXEC,NOSUID", gvisor=""),
    Fact("capabilities", "capabilities", _NO_CAPABILITIES, gvisor=_NO_CAPABILITIES[:-16] + "-"),
    # SETUID, SETGID and KILL: the agent's. No call can have them without root, which it cannot become.
    Fact("capabilities that could be had", "capabilities", "00000000000000e0"),
    Fact("no new privileges", "no new privileges", "1", gvisor="-"),
    Fact("seccomp mode", "call filter", "2"),
    Fact("seccomp filters", "seccomp profile", "2", gvisor="-"),
    Fact("groups", "groups", ""),
    Fact("one user", "user", answer=True),
    Fact("hostname", "hostname", "sandbox"),
    Fact("chosen first when memory ends", "memory", "1000"),
    Fact("environment", "environment", "HOME,LANG,PATH,PYTHON_DISABLE_REMOTE_DEBUG,TMPDIR,TZ"),
    Fact("limit CORE", "limits", [0, 0]),
    Fact("limit MEMLOCK", "limits", [0, 0]),
    Fact("limit MSGQUEUE", "limits", [0, 0]),
    Fact("limit NOFILE", "limits", [256, 256]),
    Fact("limit SIGPENDING", "limits", [64, 64]),
    Fact("limit STACK", "limits", [8 * MIB, 8 * MIB]),
)
GVISOR: Final = "runsc"


def judge(answers: Mapping[str, Any], policy: SandboxPolicy, cgroup_version: int) -> list[Finding]:
    """Return a finding for each answer of `PROGRAM`, given what `policy` promises.

    Args:
        answers: what the program returned: hostile data like any result.
        policy: for the numbers.
        cgroup_version: of the engine, 1 or 2.
    """
    gvisor = policy.runtime == GVISOR
    found = [compare(fact.layer, fact.name, fact.under(gvisor=gvisor), answers.get(fact.name)) for fact in FACTS]
    numbers: tuple[tuple[str, str, object], ...] = (
        ("scratch space", "scratch bytes", policy.scratch_bytes),
        ("scratch space", "scratch inodes", 0 if gvisor else policy.scratch_inodes),
        ("limits", "limit FSIZE", [policy.limits.file_bytes] * 2),
        ("limits", "limit NPROC", [policy.limits.processes] * 2),
    )
    found += [compare(layer, name, value, answers.get(name)) for layer, name, value in numbers]
    if not gvisor:  # it keeps its own view of /sys/fs/cgroup, which shows nothing
        found += _cgroup(answers, policy, cgroup_version)
    return found


def _cgroup(answers: Mapping[str, Any], policy: SandboxPolicy, version: int) -> list[Finding]:
    memory, processes = str(policy.limits.memory_bytes), str(policy.container_processes)
    if version == 1:
        expected: dict[str, tuple[str, object]] = {
            "cgroup memory/memory.limit_in_bytes": ("memory", memory),
            "cgroup memory/memory.memsw.limit_in_bytes": ("memory", memory),
            "cgroup pids/pids.max": ("processes", processes),
            "cgroup cpu": ("CPU", policy.cpus),
        }
    else:
        expected = {
            "cgroup memory.max": ("memory", memory),
            "cgroup memory.swap.max": ("memory", "0"),
            "cgroup pids.max": ("processes", processes),
            "cgroup cpu.max": ("CPU", f"{int(policy.cpus * 100_000)} 100000"),
        }
    return [compare(layer, name, value, answers.get(name)) for name, (layer, value) in expected.items()]


ARGUMENTS: Final = {"scratch": SCRATCH}
