"""ES: a tool lies to its own children about system calls, and uses up objects of the kernel."""

from __future__ import annotations

from typing import Final

from toolwright.attacks.case import Catalog
from toolwright.attacks.lab import Lab
from toolwright.attacks.probes import PRELUDE, numbered
from toolwright.attacks.proof import among, same, shown, sure
from toolwright.attacks.sabotage import FILTERS
from toolwright.attacks.shot import returned
from toolwright.domain.outcome import Status

CASES: Final = Catalog("ES", "Filters of its own, objects of the kernel")

_FAKE: Final = (
    PRELUDE
    + """
import platform, struct, time
NUMBERS = {
    "x86_64": {"unlink": 87, "unlinkat": 263, "rmdir": 84, "kill": 62, "getdents64": 217, "exit_group": 231,
               "exit": 60},
    "aarch64": {"unlinkat": 35, "kill": 129, "getdents64": 61, "exit_group": 94, "exit": 93},
}[platform.machine()]
LANDLOCK = 444  # landlock_create_ruleset, asked for its version
def fake(names):
    # Each of these calls succeeds and does nothing from here on, in this process and its children.
    ops = [struct.pack("=HBBI", 0x20, 0, 0, 0)]
    for number in (NUMBERS[name] for name in names if name in NUMBERS):
        ops += [struct.pack("=HBBI", 0x15, 0, 1, number), struct.pack("=HBBI", 0x06, 0, 0, 0x00050000)]
    ops.append(struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000))
    text = ctypes.create_string_buffer(b"".join(ops))
    program = struct.pack("HxxxxxxP", len(ops), ctypes.addressof(text))
    return _libc.prctl(22, 2, ctypes.c_char_p(program), 0, 0)
def f(names):
    open("left", "w").close()
    installed = fake(names)
    unlinked = attempt(os.unlink, "left") if "unlink" in names else ""
    if os.fork() == 0:
        os.setsid()
        time.sleep(3600)
        os._exit(0)
    return [installed, unlinked, os.path.exists("left"), system_call(LANDLOCK, None, 0, 1)]
"""
)
_CLEANING: Final = '{"names": ["unlink", "unlinkat", "rmdir", "kill", "getdents64"]}'
_ENDING: Final = '{"names": ["exit_group", "exit"]}'


@CASES.case(
    "ES-51",
    "Puts filters over itself that let unlink, kill, reading of directories and exit succeed without effect: it lies "
    "to itself alone; its files and children are gone, and the verdict is right",
    threats=("T-LAT-01", "T-LAT-02", "T-LIE-02"),
    differs={"runsc": "gVisor has no rules on paths (Landlock)"},
)
def own_filter(lab: Lab) -> None:
    lied = lab.fire(_FAKE, arguments_json=_CLEANING)
    *told, landlock = lied.value
    same(told, [0, "ok", True], "what it was told, and what is")
    same(landlock, lab.golden("EPERM", gvisor="ENOSYS"), "rules of its own on paths")
    sure(lied.survived, "the container was thrown away")
    # A process that cannot end is ended: it has sent its result, but did not end as one that is well.
    endless = lab.fire(_FAKE, arguments_json=_ENDING, wall_time_s=1)
    among(endless.status, {Status.CRASHED, Status.TIMEOUT}, "verdict on a process that does not end")


@CASES.control("ES-51")
def without_a_filter_it_is_gone(lab: Lab) -> None:
    code = _FAKE.replace("installed = fake(names)", "installed = 0")
    same(lab.fire(code, arguments_json=_CLEANING).value[:3], [0, "ok", False])


_OBJECTS: Final = (
    PRELUDE
    + """
import fcntl, select
def until_refused(make, most=10_000):
    kept, answer = [], "ok"
    for _ in range(most):
        try:
            kept.append(make())
        except OSError as fault:
            answer = errno.errorcode[fault.errno]
            break
    count = len(kept)
    for fd in kept:
        if isinstance(fd, int):
            os.close(fd)
    return [answer, count]
def called(number, *arguments):
    answer = system_call(number, *arguments)
    if answer != "ok":
        raise OSError(getattr(errno, answer), answer)
def locked():
    file = os.open("locks", os.O_RDWR | os.O_CREAT)
    try:
        for at in range(0, 2_000, 2):
            fcntl.lockf(file, fcntl.LOCK_EX, 1, at)
    except OSError as fault:
        return errno.errorcode[fault.errno]
    finally:
        os.close(file)
    return "ok"
def f(numbers):
    n = numbers
    return [os.getuid(), {
        "locks": locked(),
        "eventfds": until_refused(lambda: os.eventfd(0)),
        "epolls": until_refused(select.epoll),
        "timers": until_refused(lambda: os.timerfd_create(1)),
        "namespaces": until_refused(lambda: called(n["unshare"], 0x10000000)),
        "mounts": until_refused(lambda: called(n["mount"], b"x", b".", b"tmpfs", 0, None)),
        "keyrings": until_refused(lambda: called(n["keyctl"], 1, None)),
        "keys": until_refused(lambda: called(n["add_key"], b"user", b"x", b"y", 1, -2)),
        "groups": until_refused(lambda: os.mkdir("/sys/fs/cgroup/x")),
        "filters": until_refused(lambda: called(n["bpf"], 0, bytes(128), 128)),
        "sockets": until_refused(lambda: called(n["socket"], 1, 1, 0)),
    }]
"""
)
_REFUSED_AT_ONCE: Final = ("namespaces", "mounts", "keyrings", "keys", "groups", "filters", "sockets")
_HOSTS: Final = ("sys/fs/inotify/max_user_instances", "sys/kernel/keys/maxkeys", "sys/user/max_user_namespaces")


@CASES.case(
    "ES-52",
    "Makes timers, events, namespaces, mounts, keyrings, groups and sockets until none is left: refused at once, or "
    "at its limit of descriptors; the host counts no key of its user's afterwards",
    threats=("T-DOS-02", "T-LAT-04"),
    differs={"runsc": "they are objects of gVisor's kernel, not the host's"},
)
def kernel_objects(lab: Lab) -> None:
    before = {} if lab.gvisor else {name: lab.observer.host_text(name) for name in _HOSTS}

    shot = lab.fire(_OBJECTS, arguments_json=numbered(), destructive=True, wall_time_s=10)

    uid, answers = shot.value
    at_once = {name: answers[name] for name in _REFUSED_AT_ONCE}
    refused = {"EPERM", "EROFS", "EACCES"} | lab.golden(set(), gvisor={"ENOENT", "ENOSYS"})
    sure(all(answer in refused and count == 0 for answer, count in at_once.values()), f"not refused at once: {at_once}")
    for name in ("eventfds", "epolls", "timers"):
        answer, count = answers[name]
        same(answer, "EMFILE", name)
        sure(count < 256, f"{count} {name}")
    among(answers["locks"], {"ok", "ENOLCK"}, "locks, which go with their process")
    sure(shot.survived, "the container was thrown away")
    if not lab.gvisor:
        same({name: lab.observer.host_text(name) for name in _HOSTS}, before, "the host's limits")
        users = {line.split(":")[0].strip() for line in lab.observer.host_text("key-users").splitlines()}
        shown(users, "the host counts no keys at all")
        sure(str(uid) not in users, "the host counts keys of the call's user")


@CASES.control("ES-52")
def they_are_given_without_filters(lab: Lab) -> None:
    with lab.weakened(FILTERS) as unfiltered:
        _, allowed = returned(unfiltered.run(_OBJECTS, arguments_json=numbered()))
    sure(allowed["sockets"][1] > 0 or allowed["sockets"][0] == "ok", f"sockets: {allowed['sockets']}")
    if not lab.gvisor:
        sure(allowed["keyrings"][1] > 0, f"keyrings: {allowed['keyrings']}")
