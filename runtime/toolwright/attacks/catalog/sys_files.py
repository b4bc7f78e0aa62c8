"""ES: a tool writes in /sys: the kernel's objects, and its own cgroups."""

from __future__ import annotations

import json
from typing import Final

from toolwright.attacks.case import Catalog
from toolwright.attacks.lab import Lab
from toolwright.attacks.probes import PRELUDE, numbers
from toolwright.attacks.proof import same, shown, sure
from toolwright.attacks.sabotage import POWERS
from toolwright.attacks.shot import returned

CASES: Final = Catalog("ES", "Files of the kernel in /sys")

_DENIED: Final = frozenset({"EACCES", "EPERM", "EROFS"})
_REMOUNT: Final = (
    PRELUDE
    + """
def uncover(mount):
    if mount is None:
        return
    with open("/proc/self/mounts") as table:
        for path in (line.split()[1] for line in table):
            if path == "/sys" or path.startswith("/sys/fs/cgroup"):
                system_call(mount, None, path.encode(), None, 0x20, None)  # MS_REMOUNT, and not read-only
                system_call(mount, None, path.encode(), None, 0x1020, None)  # and with MS_BIND: this mount of it
"""
)
_SYS: Final = (
    _REMOUNT
    + """
NAMED = ("/sys/kernel/uevent_helper", "/sys/power/state", "/sys/kernel/debug", "/sys/kernel/tracing",
         "/sys/kernel/profiling", "/sys/kernel/mm/transparent_hugepage/enabled", "/sys/bus/pci/rescan")
def tried(path):
    # Opened and closed, never written: where the sandbox fails, the machine is not to be changed.
    return attempt(lambda: os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK)))
def f(most, mount=None):
    uncover(mount)
    tally, opened, count = {}, [], 0
    for where, directories, files in os.walk("/sys"):
        for name in files:
            answer = tried(os.path.join(where, name))
            tally[answer] = tally.get(answer, 0) + 1
            opened += [os.path.join(where, name)] if answer == "ok" else []
            count += 1
        if count >= most:
            break
    return {"tally": tally, "opened": opened[:1000], "named": {path: tried(path) for path in NAMED}, "count": count}
"""
)
_MOST: Final = 20_000
"""Files that are tried; machines with many devices have more, of the same kinds."""


@CASES.case(
    "ES-12",
    "Opens every file below /sys to write into it, helpers, power state, modules' parameters and tracing among them: "
    "denied or not there",
    threats=("T-ESC-04",),
    differs={"runsc": "gVisor's /sys holds a handful of files"},
)
def kernel_objects(lab: Lab) -> None:
    answers = lab.fire(_SYS, arguments_json=json.dumps({"most": _MOST})).value

    same(answers["opened"], [], "what could be opened")
    sure(set(answers["tally"]) <= _DENIED | {"ENOENT", "ENODEV"}, f"answers: {answers['tally']}")
    refused = _DENIED | {"ENOENT", "EISDIR"}
    sure(set(answers["named"].values()) <= refused, f"answers: {answers['named']}")
    shown(answers["count"] > lab.golden(500, gvisor=0), f"only {answers['count']} files were found")


@CASES.control("ES-12", runtimes=("runc",))
def root_with_capabilities_opens_them(lab: Lab) -> None:
    arguments = json.dumps({"most": 2_000, "mount": numbers()["mount"]})
    with lab.weakened(POWERS) as open_door:
        answers = returned(open_door.run(_SYS, arguments_json=arguments))
    shown(len(answers["opened"]) > 10, f"nothing could be opened: {answers['tally']}")


_CGROUPS: Final = (
    _REMOUNT
    + """
import glob
def f(mount=None):
    uncover(mount)
    answers = {}
    for where in ["/sys/fs/cgroup", *glob.glob("/sys/fs/cgroup/*/")]:
        for name in ("release_agent", "notify_on_release", "cgroup.procs", "tasks", "cgroup.subtree_control",
                     "cgroup.kill", "memory.limit_in_bytes", "memory.max", "pids.max", "devices.allow"):
            path = os.path.join(where, name)
            if os.path.exists(path):
                answers[path] = attempt(lambda: os.close(os.open(path, os.O_WRONLY)))
        below = os.path.join(where, "below")
        answers[f"mkdir {below}"] = attempt(os.mkdir, below)
        attempt(os.rmdir, below)
    with open("/proc/self/cgroup") as file:
        return [answers, file.read()]
"""
)


@CASES.case(
    "ES-13",
    "Writes to its cgroups (release_agent, limits, members), makes one below, moves itself out: denied",
    threats=("T-ESC-04", "T-DOS-02"),
    differs={"runsc": "gVisor shows no cgroups"},
)
def cgroups(lab: Lab) -> None:
    answers, groups = lab.fire(_CGROUPS).value

    allowed = _DENIED | lab.golden(set(), gvisor={"ENOENT"})
    sure(set(answers.values()) <= allowed, f"not denied: {[name for name in answers if answers[name] not in allowed]}")
    if not lab.gvisor:
        shown(len(answers) > 5, f"only {sorted(answers)} were tried")
        sure(groups, "it does not see its own groups")
    outside = [line for line in groups.splitlines() if not line.endswith(":/")]
    same(outside, [], "groups of which it sees the place in the host's tree")


@CASES.control("ES-13", runtimes=("runc",))
def root_with_capabilities_makes_a_group(lab: Lab) -> None:
    with lab.weakened(POWERS) as open_door:
        answers, _ = returned(open_door.run(_CGROUPS, arguments_json=json.dumps({"mount": numbers()["mount"]})))
    shown("ok" in {answers[name] for name in answers if name.startswith("mkdir")}, f"no group was made: {answers}")
    shown("ok" in {answers[name] for name in answers if name.endswith("procs")}, f"nothing could be moved: {answers}")
