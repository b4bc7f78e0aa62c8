"""ES: a tool asks where it is, as the usual tools for looking around in containers do."""

from __future__ import annotations

import json
import socket
from typing import Final

from toolwright.attacks.case import Catalog
from toolwright.attacks.lab import NEIGHBOUR, Lab
from toolwright.attacks.probes import PRELUDE
from toolwright.attacks.proof import same, shown, sure
from toolwright.attacks.sabotage import POWERS, Layer
from toolwright.attacks.shot import returned

CASES: Final = Catalog("ES", "Looking around")

_IDENTITY: Final = """
import os, socket
PATHS = ("/proc/version", "/proc/cmdline", "/proc/cpuinfo", "/proc/meminfo", "/proc/uptime", "/proc/loadavg",
         "/proc/self/mountinfo", "/proc/self/cgroup", "/proc/1/cgroup", "/proc/net/dev", "/proc/net/tcp",
         "/proc/net/unix", "/proc/net/route", "/proc/net/arp", "/proc/sys/kernel/hostname",
         "/proc/sys/kernel/random/boot_id",
         "/proc/partitions", "/proc/modules", "/proc/swaps", "/proc/locks", "/proc/key-users", "/etc/hostname",
         "/etc/hosts", "/etc/resolv.conf", "/etc/machine-id", "/sys/class/dmi/id/product_uuid")
def f():
    texts = {}
    for path in PATHS:
        try:
            with open(path, errors="replace") as file:
                texts[path] = file.read(65536)
        except OSError:
            continue
    return [texts, socket.gethostname(), list(os.uname()), dict(os.environ)]
"""
_ENGINES_FILES: Final = ("/etc/hostname", "/etc/hosts", "/etc/resolv.conf")
_SECRET_FREE: Final = {"PATH", "LANG", "TZ", "PYTHON_DISABLE_REMOTE_DEBUG", "HOME", "TMPDIR"}


@CASES.case(
    "ES-49",
    "Reads who the host is: it sees kernel, CPU, memory, load and the host's resolver, its own container's id and its "
    "directories in the table of mounts, and nothing of its neighbours or of the host's network",
    threats=("T-LEAK-02", "T-LAT-05"),
    differs={"runsc": "gVisor shows a kernel and a table of mounts of its own, without the host's directories"},
)
def identity(lab: Lab) -> None:
    own = lab.benign().provenance.container_id
    neighbour = lab.benign(NEIGHBOUR).provenance.container_id
    shown(own != neighbour, "there is no neighbour")

    texts, name, kernel, environment = lab.fire(_IDENTITY).value

    same((name, kernel[1]), ("sandbox", "sandbox"), "name of the machine")
    same(set(environment), _SECRET_FREE, "variables")
    every = json.dumps([texts, kernel, environment])
    sure(neighbour[:12] not in every, "it sees its neighbour's id")
    host = socket.gethostname()
    seen = [
        path for path in ("/proc/sys/kernel/hostname", "/etc/hostname", "/etc/hosts") if host in texts.get(path, "")
    ]
    same(seen, [], f"files that name the host ({host})")
    same(_foreign_mounts(texts["/proc/self/mountinfo"], own), [], "mounts that show the host's directories")
    devices = [line.split(":")[0].strip() for line in texts["/proc/net/dev"].splitlines()[2:]]
    same(devices, ["lo"], "network devices")
    peers = {path: texts[path].splitlines()[1:] for path in ("/proc/net/tcp", "/proc/net/arp") if path in texts}
    same([path for path, lines in peers.items() if lines], [], "tables of the network that hold something")
    places = {line.rpartition(":")[2] for line in texts.get("/proc/self/cgroup", "").splitlines()}
    sure(places <= {"/"}, f"its groups' place on the host: {places}")
    sure("/etc/machine-id" not in texts or not texts["/etc/machine-id"].strip(), "it has a machine's id")


def _foreign_mounts(table: str, own: str) -> list[str]:
    """Return the lines that show a directory of the host's, but for those that are known."""
    foreign = []
    for line in table.splitlines():
        _, _, _, root, target, *_ = line.split()
        kind = line.partition(" - ")[2].split()[0]
        known = kind == "overlay" and target == "/"
        known |= target in _ENGINES_FILES and (own in root or root == "/")
        known |= kind in {"proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2", "9p"}
        if not known:
            foreign.append(line)
    return foreign


@CASES.control("ES-49", runtimes=("runc",))
def the_hosts_network_would_be_seen(lab: Lab) -> None:
    with lab.weakened(Layer.NETWORK) as connected:
        texts, name, _, _ = returned(connected.run(_IDENTITY))
    sure(len(texts["/proc/net/dev"].splitlines()) > 3 or texts["/proc/net/tcp"].count("\n") > 1, "no network is seen")
    shown(name == socket.gethostname() or name != "sandbox", f"its name is {name}")


_EVALUATION: Final = (
    PRELUDE
    + """
import glob, re, shutil, socket
def text(path):
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""
def field(name):
    found = re.search(rf"^{name}:[ \\t]*(.*)$", text("/proc/self/status"), re.M)
    return found[1] if found else ""
def readable(paths):
    return [path for path in paths if os.access(path, os.R_OK)]
def capabilities(name):
    bits = int(field(name) or "0", 16)
    return [at for at in range(64) if bits >> at & 1]
def mounts(test):
    return sorted(line.split()[1] for line in text("/proc/self/mounts").splitlines() if test(line))
def alone():
    lines = [line for line in text("/proc/net/unix").splitlines()[1:] if "@" in line]
    return [line.split()[-1] for line in lines]
SECRET = re.compile("pass|secret|token|key|cred|auth|kube|aws|azure|gcp|docker|database", re.I)
PROGRAMS = ("sh bash dash busybox curl wget nc ncat netcat socat ssh gcc cc make perl ruby node docker kubectl runc "
            "nsenter capsh mount sudo su gdb strace tcpdump nmap apt apk yum").split()
PLACES = "/bin:/sbin:/usr/bin:/usr/sbin:/usr/local/bin"
SECRET_FILES = [
    "/var/run/secrets/kubernetes.io/serviceaccount/token", "/run/secrets", "/root/.ssh", "/root/.aws", "/root",
    "/root/.docker/config.json", "/root/.kube/config", "/etc/shadow", "/etc/gshadow", "/etc/kubernetes",
]
LOGS = ["/var/log/syslog", "/var/log/auth.log", "/etc/crontab", "/var/spool/cron", "/var/log/pods"]
WRITABLE = ["/tmp", "/var/tmp", "/dev/shm", "/run", "/etc", "/usr", "/", "/opt", "/home", "/root", "/srv", "/mnt",
            "/dev", "/dev/mqueue"]
def f(sample):
    return {
        "user is root": 0 in os.getresuid() + os.getresgid(),
        "groups": os.getgroups(),
        "capabilities": capabilities("CapEff"),
        "capabilities to be had": capabilities("CapBnd"),
        "namespace of users is the host's": text("/proc/self/uid_map").split() == ["0", "0", "4294967295"],
        "processes of others": [name for name in os.listdir("/proc") if name.isdecimal()
                                if "python3.13" not in text(f"/proc/{name}/cmdline")],
        "seccomp": field("Seccomp"),
        "no new privileges": _libc.prctl(39, 0, 0, 0, 0),
        "security label": text("/proc/self/attr/current").strip("\\0\\n") or text("/proc/self/attr/apparmor/current"),
        "marks of a container": readable(["/.dockerenv", "/run/.containerenv", "/.dockerinit"]),
        "engines' sockets": sorted(glob.glob("/run/**/*.sock", recursive=True) + glob.glob("/var/run/**/*.sock")),
        "sockets without a path": alone(),
        "devices of disks": sorted(glob.glob("/dev/[shvx]d*") + glob.glob("/dev/nvme*") + glob.glob("/dev/dm-*")),
        "writable mounts": mounts(lambda line: "rw" in line.split()[3].split(",")),
        "mounts of disks": mounts(lambda line: line.split()[2] in ("ext4", "xfs", "btrfs", "nfs", "virtiofs")),
        "secrets in the environment": sorted(name for name in os.environ if SECRET.search(name)),
        "secrets in files": readable(SECRET_FILES + sample),
        "programs": sorted(name for name in PROGRAMS if shutil.which(name, path=PLACES)),
        "logs and jobs": readable(LOGS),
        "release agents": [path for path in glob.glob("/sys/fs/cgroup/*/release_agent") if os.access(path, os.W_OK)],
        "core pattern": os.access("/proc/sys/kernel/core_pattern", os.W_OK),
        "module helper": os.access("/proc/sys/kernel/modprobe", os.W_OK),
        "network devices": sorted(line.split(":")[0].strip() for line in text("/proc/net/dev").splitlines()[2:]),
        "routes": text("/proc/net/route").splitlines()[1:],
        "address randomness": text("/proc/sys/kernel/randomize_va_space").strip(),
        "kernel addresses": sorted({line.split()[0] for line in text("/proc/kallsyms").splitlines()[:50]} - {"0" * 16}),
        "kernel log": attempt(lambda: os.close(os.open("/dev/kmsg", os.O_RDONLY))),
        "writable places": sorted(path for path in WRITABLE if os.access(path, os.W_OK)),
    }
"""
)
_NOTHING: Final = (
    "groups", "capabilities", "processes of others", "engines' sockets", "sockets without a path", "devices of disks",
    "secrets in the environment", "secrets in files", "programs", "logs and jobs", "release agents", "routes",
    "kernel addresses", "writable places",
)  # fmt: skip
_KILL_SETGID_SETUID: Final = [5, 6, 7]
_DOCKER_MOUNTS: Final = (
    *("/call", "/dev", "/dev/mqueue", "/dev/pts", "/proc", "/sys/fs/cgroup"),
    # The null device, over what is covered.
    *("/proc/keys", "/proc/timer_list", "/proc/kcore", "/proc/sched_debug", "/proc/latency_stats", "/proc/interrupts"),
)
"""Writable as mounts: what is in them belongs to root."""
_GVISOR_MOUNTS: Final = ("/call", "/dev", "/dev/pts", "/proc", "/tmp")


@CASES.case(
    "ES-50",
    "Runs the checks of tools that evaluate containers (rights, mounts, sockets, secrets, programs, settings, network)"
    ": the report is the one written down",
    threats=("T-ESC-02", "T-ESC-04", "T-ESC-06", "T-LEAK-02"),
    differs={
        "runsc": "gVisor has its own list of mounts and a user namespace of its own, names no label and no randomness"
    },
)
def evaluation(lab: Lab) -> None:
    report = lab.fire(_EVALUATION, arguments_json='{"sample": []}', wall_time_s=10).value

    found = {name: report.pop(name) for name in _NOTHING}
    same({name: what for name, what in found.items() if what}, {}, "what was found")
    # That root in the container is root on the host is the engine's choice, which `doctor` speaks of.
    report.pop("namespace of users is the host's")
    mounts = set(report.pop("writable mounts"))
    known = set(lab.golden(_DOCKER_MOUNTS, gvisor=_GVISOR_MOUNTS)) | {
        "/sys/fs/cgroup",
        "/proc/kcore",
        "/proc/sched_debug",
    }
    same(mounts - known, set(), "writable mounts that are not known")
    disks = set(report.pop("mounts of disks"))
    same(disks - set(_ENGINES_FILES), set(), "mounts of disks that are not the engine's files")
    label = report.pop("security label")
    sure("unconfined" not in label, f"the security module leaves it unconfined: {label}")
    same(report, _REPORT | lab.golden({}, gvisor=_REPORT_OF_GVISOR), "report")


_REPORT: Final = {
    "user is root": False,
    "capabilities to be had": _KILL_SETGID_SETUID,
    "seccomp": "2",
    "no new privileges": 1,
    "marks of a container": ["/.dockerenv"],
    "core pattern": False,
    "module helper": False,
    "network devices": ["lo"],
    "address randomness": "2",
    "kernel log": "ENOENT",
}
_REPORT_OF_GVISOR: Final = {"address randomness": ""}


@CASES.control("ES-50", runtimes=("runc",))
def the_same_checks_find_what_is_there(lab: Lab) -> None:
    with lab.weakened(POWERS | Layer.READ_ONLY | Layer.NETWORK) as open_door:
        report = returned(open_door.run(_EVALUATION, arguments_json='{"sample": ["/etc/passwd"]}'))
    sure(report["user is root"] and report["capabilities"], "no rights were found")
    for name in ("writable places", "secrets in files"):
        sure(report[name], f"nothing was found: {name}")
    same((report["seccomp"], "/" in report["writable mounts"]), ("2", True), "call filter without rules; mounts")
