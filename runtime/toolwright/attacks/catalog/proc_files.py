"""ES: a tool reads and writes in /proc: other processes, the kernel's settings, its own knobs, what is covered."""

from __future__ import annotations

import json
from typing import Final

from toolwright.attacks.case import Catalog
from toolwright.attacks.lab import Lab
from toolwright.attacks.probes import PRELUDE, numbers
from toolwright.attacks.proof import among, same, shown, sure
from toolwright.attacks.sabotage import POWERS, Layer
from toolwright.attacks.shot import returned
from toolwright.domain.outcome import Status

CASES: Final = Catalog("ES", "Files of the kernel in /proc")

_DENIED: Final = frozenset({"EACCES", "EPERM", "EROFS"})
_OTHERS: Final = (
    PRELUDE
    + """
HANDLES = [f"fd/{number}" for number in range(12)]
CONTENT = ("mem", "environ", "maps", "smaps", "auxv", "syscall", "stack", "pagemap", "personality", "io", "timers")
LINKS = ("root", "cwd", "exe", "ns/mnt", "ns/pid", "ns/user")
DIRECTORIES = ("fd", "fdinfo", "map_files", "root/", "cwd/")
def f():
    answers, bytes_read = {}, 0
    for name in os.listdir("/proc"):
        if not name.isdecimal() or int(name) == os.getpid():
            continue
        try:
            threads = [f"{name}/task/{one}" for one in os.listdir(f"/proc/{name}/task")]
        except OSError as fault:
            threads, answers[f"{name} task"] = [], errno.errorcode[fault.errno]
        for thread in [name, *threads]:
            for kind in HANDLES:
                try:
                    own = os.open(f"/proc/{thread}/{kind}", os.O_RDONLY | os.O_NONBLOCK)
                except OSError as fault:
                    answers[f"{thread} {kind}"] = errno.errorcode[fault.errno]
                    continue
                answers[f"{thread} {kind}"] = "ok"
                answers[f"{thread} {kind} is"] = os.readlink(f"/proc/self/fd/{own}")
                os.close(own)
            for kind in CONTENT:
                try:
                    with open(f"/proc/{thread}/{kind}", "rb") as file:
                        bytes_read += len(file.read(4096))
                    answer = "ok"
                except OSError as fault:
                    answer = errno.errorcode[fault.errno]
                answers[f"{thread} {kind}"] = answer
            for kind in LINKS:
                answers[f"{thread} {kind}"] = attempt(os.readlink, f"/proc/{thread}/{kind}")
            for kind in DIRECTORIES:
                answers[f"{thread} {kind}"] = attempt(os.listdir, f"/proc/{thread}/{kind}")
    return [answers, bytes_read]
"""
)


_SHOWN_BY_GVISOR: Final = frozenset({"environ", "auxv", "maps", "smaps", "fd", "fdinfo", "ns/pid", "ns/user"})
_NULL: Final = "/dev/null"


@CASES.case(
    "ES-06",
    "Opens memory, environment, maps, descriptors, root of every other process and thread: denied, not a byte of it. "
    "That the agent's processes are there is seen; `timers` of a process that arms none can be read",
    threats=("T-ESC-07", "T-LEAK-01"),
    differs={
        "runsc": "gVisor shows environment (five fixed values), layout and a list of descriptors of every process to "
        "all; memory, directories and the descriptors themselves it denies"
    },
)
def other_processes(lab: Lab) -> None:
    answers, bytes_read = lab.fire(_OTHERS).value

    handles = {name.removesuffix(" is"): answers.pop(name) for name in list(answers) if name.endswith(" is")}
    # The relay reads what /proc shows to all of a call, to know its memory; the null device is everyone's.
    public = {name for name, path in handles.items() if path == _NULL or path.startswith("/proc")}
    harmless = {name for name, answer in answers.items() if answer == "ok"} - lab.golden(set(), gvisor=public)
    opened = {name.split()[1] for name in harmless}
    sure(opened <= lab.golden({"timers"}, gvisor=_SHOWN_BY_GVISOR), f"opened: {harmless}, among them {handles}")
    refused = {answer for name, answer in answers.items() if answer != "ok"}
    sure(refused <= {"EACCES", "EPERM", "ENOENT"} | lab.golden(set(), gvisor={"ENXIO"}), f"answers: {answers}")
    for name in lab.golden(("mem", "environ", "fd", "root", "fd/0", "fd/1"), gvisor=("mem", "root", "fd/0", "fd/1")):
        same(answers[f"1 {name}"], "EACCES", f"the relay's {name}")
    if not lab.gvisor:
        absent = {name.split()[1] for name, answer in answers.items() if answer == "ENOENT"}
        sure(absent <= {"timers", "map_files"}, f"absent: {absent}")  # threads have neither
        same(bytes_read, 0, "bytes read")


@CASES.control("ES-06")
def root_with_capabilities_opens_them(lab: Lab) -> None:
    with lab.weakened(POWERS) as open_door:
        allowed, seen = returned(open_door.run(_OTHERS))
    for name in lab.golden(("environ", "maps", "fd", "root", "exe"), gvisor=("environ", "maps", "fd")):
        same(allowed[f"1 {name}"], "ok", f"the relay's {name}")
    sure(seen > 0, "nothing could be read")


_SETTINGS: Final = (
    PRELUDE
    + """
def f(umount=None):
    if umount:
        assert system_call(umount, b"/proc/sys", 0) == "ok"
    answers, opened = {}, []
    for where, _, files in os.walk("/proc/sys"):
        for name in files:
            path = os.path.join(where, name)
            try:
                # Opened and closed, never written: where the sandbox fails, the machine is not to be changed.
                os.close(os.open(path, os.O_WRONLY))
            except OSError as fault:
                answer = errno.errorcode[fault.errno]
            else:
                answer = "ok"
                opened.append(path)
            answers[answer] = answers.get(answer, 0) + 1
    return [answers, opened]
"""
)
_POWERFUL: Final = ("kernel/core_pattern", "kernel/hostname", "kernel/pid_max")


@CASES.case(
    "ES-10",
    "Opens every file below /proc/sys to write into it: denied, and the host's settings are as before",
    threats=("T-ESC-04",),
    differs={"runsc": "they are settings of gVisor's kernel, and fewer; the host's are out of reach"},
)
def settings(lab: Lab) -> None:
    before = {} if lab.gvisor else {name: lab.observer.host_setting(name) for name in _POWERFUL}

    shot = lab.fire(_SETTINGS)

    denials, opened = shot.value
    same(opened, [], "what could be opened")
    sure(set(denials) <= _DENIED, f"answers: {denials}")
    shown(sum(denials.values()) > lab.golden(100, gvisor=10), f"hardly any settings were found: {denials}")
    for name, value in before.items():
        same(lab.observer.host_setting(name), value, f"the host's {name}")
    same(shot.status, Status.SUCCESS, "verdict")


@CASES.control("ES-10")
def uncovered_settings_can_be_opened(lab: Lab) -> None:
    uncover = "{}" if lab.gvisor else json.dumps({"umount": numbers()["umount2"]})
    with lab.weakened(POWERS | Layer.READ_ONLY) as open_door:
        _, opened = returned(open_door.run(_SETTINGS, arguments_json=uncover))
    if lab.gvisor:
        sure(opened, "none could be opened by root")
    else:
        missing = {f"/proc/sys/{name}" for name in _POWERFUL} - set(opened)
        same(missing, set(), "settings that could not be opened")


_KNOBS: Final = (
    PRELUDE
    + """
def written(path, data):
    try:
        fd = os.open(path, os.O_WRONLY)
    except OSError as fault:
        return errno.errorcode[fault.errno]
    try:
        os.write(fd, data)
    except OSError as fault:
        return errno.errorcode[fault.errno]
    finally:
        os.close(fd)
    return "ok"
def f(knobs):
    _libc.prctl(4, 1, 0, 0, 0)  # dumpable: else its own files in /proc would be root's
    answers = {name: written(f"/proc/self/{name}", text.encode()) for name, text in knobs.items()}
    # Opened, never written.
    answers["sysrq-trigger"] = attempt(lambda: os.close(os.open("/proc/sysrq-trigger", os.O_WRONLY)))
    with open("/proc/self/comm") as file:
        return [answers, file.read()]
"""
)
_FORGED: Final = "agent\nERROR"
_KNOB_TEXTS: Final = {
    "oom_score_adj": "0",
    "uid_map": "0 0 1",
    "gid_map": "0 0 1",
    "setgroups": "allow",
    "timens_offsets": "monotonic 86400 0",
    "attr/current": "unconfined",
    "attr/exec": "unconfined",
    "clear_refs": "1",
    "projid_map": "0 0 1",
    "comm": _FORGED,
    "coredump_filter": "0xff",
}
_OWN_ONLY: Final = ("comm", "coredump_filter", "clear_refs")


@CASES.case(
    "ES-11",
    "Turns the knobs of its own /proc entry, and the machine's own key: denied or not there; its own name, which is "
    "shown nowhere, it may change",
    threats=("T-ESC-02", "T-ESC-04", "T-DOS-02"),
    differs={"runsc": "gVisor has fewer, and no name can be written there"},
)
def knobs(lab: Lab) -> None:
    shot = lab.fire(_KNOBS, arguments_json=json.dumps({"knobs": _KNOB_TEXTS}))

    answers, name = shot.value
    power = {knob: answer for knob, answer in answers.items() if knob not in _OWN_ONLY}
    # EINVAL: there is no security module that would take the label.
    refused = _DENIED | {"ENOENT", "EINVAL"}
    sure(set(power.values()) <= refused, f"given: {[knob for knob in power if power[knob] not in refused]}")
    for knob in ("oom_score_adj", "uid_map", "gid_map"):
        among(answers[knob], _DENIED, knob)
    sure(answers["sysrq-trigger"] in _DENIED | {"ENOENT"}, f"sysrq-trigger: {answers['sysrq-trigger']}")
    same(shot.outcome.stdout.kept + shot.outcome.stderr.kept, b"", "what was said in the tool's name")
    shown("agent" in name or answers["comm"] != "ok", f"its name is {name!r}")


@CASES.control("ES-11")
def root_with_capabilities_lowers_its_score(lab: Lab) -> None:
    knobs = json.dumps({"knobs": {"oom_score_adj": "999", "comm": "x"}})
    with lab.weakened(POWERS) as powerful:
        answers, name = returned(powerful.run(_KNOBS, arguments_json=knobs))
    if not lab.gvisor:
        same((answers["comm"], name), ("ok", "x\n"), "its own name")
    same(answers["oom_score_adj"], "ok", "its score, by a process of root's")


_COVERED: Final = (
    PRELUDE
    + """
import glob
def look(path):
    if os.path.isdir(path):
        try:
            return f"{len(os.listdir(path))} entries"
        except OSError as fault:
            return errno.errorcode[fault.errno]
    try:
        with open(path, "rb") as file:
            return f"{len(file.read(64))} bytes"
    except OSError as fault:
        return errno.errorcode[fault.errno]
def f(paths, umount=None):
    for path in paths if umount else ():
        system_call(umount, path.encode(), 0)
    return {path: [look(one) for one in glob.glob(path)] for path in paths}
"""
)
_MASKED: Final = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/firmware",
)
"""What every engine covers."""
_SHUT: Final = (
    "/proc/kmsg", "/proc/kpagecount", "/proc/kpageflags", "/proc/slabinfo", "/proc/vmallocinfo", "/proc/sysrq-trigger",
    "/proc/pagetypeinfo", "/proc/mtrr", "/sys/kernel/debug/*", "/sys/kernel/tracing/*", "/sys/kernel/security/*",
)  # fmt: skip
"""What no engine covers and the kernel keeps for root, or which is not there."""
_LATER: Final = (
    "/proc/interrupts",
    "/sys/devices/virtual/powercap",
    "/sys/devices/system/cpu/cpu[0-9]*/thermal_throttle",
)
"""What only newer engines cover: counters that tell a little of what others do."""
_NOTHING: Final = frozenset({"0 bytes", "0 entries", "ENOENT", "EACCES", "EPERM"})


@CASES.case(
    "ES-14",
    "Reads what the engine covers (kcore, keys, timers, scheduler, firmware) and what is root's: empty, denied or not "
    "there; of what only newer engines cover, /proc/interrupts can be read where the engine does not",
    threats=("T-LEAK-02",),
    differs={"runsc": "gVisor has none of them, nor the counters"},
)
def covered(lab: Lab) -> None:
    container = lab.benign().provenance.container_id
    covers = lab.inspect(container)["HostConfig"].get("MaskedPaths") or []

    looked = lab.fire(_COVERED, arguments_json=json.dumps({"paths": [*_MASKED, *_SHUT, *_LATER]})).value

    old = any(path.startswith("/proc/interrupts") for path in covers) is False
    allowed = {"/proc/interrupts"} if old and not lab.gvisor else set()
    # A machine that counts heat or power shows that as well where the engine is old.
    allowed |= set(_LATER[1:]) if old and not lab.gvisor else set()
    open_ones = {path: seen for path, seen in looked.items() if not _NOTHING.issuperset(seen)}
    same({path: seen for path, seen in open_ones.items() if path not in allowed}, {}, "what could be read")
    if covers:  # an engine need not say
        same(set(_MASKED) - set(covers), set(), "what the engine does not cover")


@CASES.control("ES-14", runtimes=("runc",))
def root_with_capabilities_uncovers_them(lab: Lab) -> None:
    paths = ["/proc/keys", "/proc/timer_list", "/proc/acpi", "/sys/firmware"]
    uncover = json.dumps({"paths": paths, "umount": numbers()["umount2"]})
    with lab.weakened(POWERS) as open_door:
        looked = returned(open_door.run(_COVERED, arguments_json=uncover))
    same(looked["/proc/timer_list"], ["64 bytes"], "timers, uncovered")
