"""XL: kernel objects that could outlive a call: shared memory, queues, sockets, keys, settings of the process."""

from __future__ import annotations

import json
from typing import Final

from toolwright.attacks.case import Catalog
from toolwright.attacks.lab import Lab
from toolwright.attacks.probes import PRELUDE, numbers
from toolwright.attacks.proof import same, sure
from toolwright.attacks.sabotage import FILTERS
from toolwright.attacks.shot import returned

CASES: Final = Catalog("XL", "Kernel objects left for the next call")

_SHARED: Final = (
    PRELUDE
    + """
import tempfile
def f():
    answers = {}
    for directory in ("/dev/shm", "/run/shm", "/dev/mqueue", "/tmp", "/var/tmp", "/run", "/run/lock", "/var/lock"):
        answers[directory] = attempt(lambda: open(os.path.join(directory, "probe"), "w").close())
    try:
        import _posixshmem
        os.close(_posixshmem.shm_open("/probe", os.O_CREAT | os.O_RDWR, mode=0o600))
        answers["shm_open"] = "ok"
    except OSError as fault:
        answers["shm_open"] = errno.errorcode[fault.errno]
    try:
        import _multiprocessing
        _multiprocessing.SemLock(0, 1, 1, "/probe", False)
        answers["semaphore"] = "ok"
    except OSError as fault:
        answers["semaphore"] = errno.errorcode[fault.errno]
    return answers
"""
)


@CASES.case(
    "XL-03",
    "Makes shared memory, a named semaphore, or a file in a place that all share: there is none, or it is shut",
    threats=("T-LAT-04",),
    differs={"runsc": "gVisor has a /dev/shm and a /tmp of its own; the agent shuts them before the first call"},
)
def shared_memory(lab: Lab) -> None:
    answers = lab.fire(_SHARED).value
    sure(set(answers.values()) <= {"ENOENT", "EACCES", "EROFS", "ENOSYS", "EPERM"}, f"it got {answers}")


@CASES.control("XL-03")
def its_own_directory_takes_files(lab: Lab) -> None:
    code = PRELUDE + "def f():\n    return attempt(lambda: open('probe', 'w').close())"
    same(lab.fire(code).value, "ok")


_SYSTEM_V: Final = (
    PRELUDE
    + """
def f(calls):
    return {name: system_call(number, *arguments) for name, (number, arguments) in calls.items()}
"""
)
_MACHINES: Final = {
    "x86_64": {"shmget": 29, "semget": 64, "msgget": 68, "mq_open": 240, "keyctl": 250, "add_key": 248},
    "aarch64": {"shmget": 194, "semget": 190, "msgget": 186, "mq_open": 180, "keyctl": 219, "add_key": 217},
}


def _calls() -> dict[str, tuple[int, list[object]]]:
    known = _MACHINES["x86_64" if numbers()["ptrace"] == 101 else "aarch64"]
    made = 0o1600  # IPC_CREAT, for its owner
    return {
        "shmget": (known["shmget"], [0x7007, 4096, made]),
        "semget": (known["semget"], [0x7007, 1, made]),
        "msgget": (known["msgget"], [0x7007, made]),
        "keyctl: join a session": (known["keyctl"], [1, 0]),
        "keyctl: own keys": (known["keyctl"], [0, -2, 1]),
    }


@CASES.case(
    "XL-04",
    "Makes System V memory, semaphores and queues: denied by the filters, and the limits are 0 beside",
    threats=("T-LAT-04",),
)
def system_v(lab: Lab) -> None:
    calls = {name: call for name, call in _calls().items() if "get" in name}
    answers = lab.fire(_SYSTEM_V, arguments_json=json.dumps({"calls": calls})).value
    same(answers, dict.fromkeys(calls, "EPERM"))


@CASES.control("XL-04", runtimes=("runc",))
def limits_alone_refuse_system_v(lab: Lab) -> None:
    calls = {name: call for name, call in _calls().items() if "get" in name}
    with lab.weakened(FILTERS) as unfiltered:
        answers = returned(unfiltered.run(_SYSTEM_V, arguments_json=json.dumps({"calls": calls})))
    # A set of one semaphore is more than the most of 0 that a set may have, which is another error.
    same(answers, {"shmget": "ENOSPC", "semget": "EINVAL", "msgget": "ENOSPC"}, "without filters")


_QUEUE: Final = """
import ctypes, errno, os
def f():
    library = ctypes.CDLL(None, use_errno=True)
    made = library.mq_open(b"/probe", os.O_CREAT | os.O_RDWR, 0o600, None)
    return [made >= 0, errno.errorcode.get(ctypes.get_errno(), "")]
"""


@CASES.case(
    "XL-05", "Makes a POSIX message queue: denied by the filters, and the limit is 0 beside", threats=("T-LAT-04",)
)
def message_queue(lab: Lab) -> None:
    same(lab.fire(_QUEUE).value, [False, "EPERM"])


@CASES.control("XL-05", runtimes=("runc",))
def limits_alone_refuse_a_queue(lab: Lab) -> None:
    with lab.weakened(FILTERS) as unfiltered:
        answer = returned(unfiltered.run(_QUEUE))
    sure(not answer[0], "a queue was made without filters")
    sure(answer[1] in {"ENOSPC", "EMFILE", "EACCES"}, f"without filters it is refused with {answer[1]}")


_SOCKET: Final = (
    PRELUDE
    + """
import socket
def f(kind):
    if kind == "pair":
        return attempt(lambda: [one.close() for one in socket.socketpair()])
    def listen():
        family = socket.AF_INET if kind == "loopback" else socket.AF_UNIX
        one = socket.socket(family, socket.SOCK_STREAM)
        one.bind({"path": "here", "abstract": b"\\0probe", "loopback": ("127.0.0.1", 0)}[kind])
        one.listen()
    return attempt(listen)
"""
)


@CASES.case(
    "XL-06",
    "Listens at a path or an abstract name for a later call: denied, as only pairs of sockets can be made",
    threats=("T-LAT-04", "T-EXF-01"),
)
def unix_listener(lab: Lab) -> None:
    for kind in ("path", "abstract"):
        same(lab.fire(_SOCKET, arguments_json=json.dumps({"kind": kind})).value, "EPERM", kind)


@CASES.control("XL-06")
def a_listener_without_filters(lab: Lab) -> None:
    same(lab.fire(_SOCKET, arguments_json='{"kind": "pair"}').value, "ok", "a pair")
    with lab.weakened(FILTERS) as unfiltered:
        same(returned(unfiltered.run(_SOCKET, arguments_json='{"kind": "abstract"}')), "ok", "without filters")


@CASES.case(
    "XL-07", "Listens on loopback for a later call: denied when the socket is made", threats=("T-LAT-04", "T-EXF-01")
)
def loopback_listener(lab: Lab) -> None:
    same(lab.fire(_SOCKET, arguments_json='{"kind": "loopback"}').value, "EPERM")


@CASES.control("XL-07")
def loopback_without_filters(lab: Lab) -> None:
    with lab.weakened(FILTERS) as unfiltered:
        same(returned(unfiltered.run(_SOCKET, arguments_json='{"kind": "loopback"}')), "ok", "without filters")


@CASES.case("XL-15", "Puts data into keyrings of the kernel: denied", threats=("T-LAT-04",))
def keyrings(lab: Lab) -> None:
    calls = {name: call for name, call in _calls().items() if name.startswith("keyctl")}
    answers = lab.fire(_SYSTEM_V, arguments_json=json.dumps({"calls": calls})).value
    same(answers, dict.fromkeys(calls, "EPERM"))


@CASES.control("XL-15", runtimes=("runc",))
def keyrings_without_filters(lab: Lab) -> None:
    calls = {name: call for name, call in _calls().items() if name.startswith("keyctl")}
    with lab.weakened(FILTERS) as unfiltered:
        answers = returned(unfiltered.run(_SYSTEM_V, arguments_json=json.dumps({"calls": calls})))
    same(answers["keyctl: join a session"], "ok", "without filters")


_CHANGE: Final = """
import ctypes, os, resource, signal, time
def f():
    os.environ["LEFT"] = "x"; os.umask(0);
    os.mkdir("elsewhere"); os.chdir("elsewhere")
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    resource.setrlimit(resource.RLIMIT_CPU, (3, 3))
    for number in (signal.SIGTERM, signal.SIGALRM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2, signal.SIGINT})
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
    os.environ["TZ"] = "Asia/Tokyo"; time.tzset()
    ctypes.CDLL(None).prctl(15, b"toolwright", 0, 0, 0)
    return state()
"""
_STATE: Final = """
import os, resource, signal, time
def state():
    with open("/proc/self/comm") as file:
        name = file.read().strip()
    with open("/proc/self/oom_score_adj") as file:
        score = file.read().strip()
    mask = os.umask(0o77); os.umask(mask)
    ignored = [int(one) for one in (15, 14, 10) if signal.getsignal(one) == signal.SIG_IGN]
    return {"environment": sorted(os.environ), "umask": mask,
            "in its directory": os.getcwd() == os.environ["HOME"], "files": resource.getrlimit(resource.RLIMIT_NOFILE),
            "CPU": resource.getrlimit(resource.RLIMIT_CPU), "ignored": ignored,
            "blocked": sorted(int(one) for one in signal.pthread_sigmask(signal.SIG_BLOCK, ())),
            "timer": signal.getitimer(signal.ITIMER_REAL)[1], "zone": time.tzname[0], "name": name, "score": score}
"""
_KNOBS: Final = ("name", "score")


@CASES.case(
    "XL-10",
    "Changes environment, directory, umask, limits, signals, timers, time zone: the next call has what every call has",
    threats=("T-LAT-03",),
)
def process_state(lab: Lab) -> None:
    before = lab.fire(_STATE + "def f():\n    return state()").value
    changed, after = lab.fire_pair(_STATE + _CHANGE, _STATE + "def f():\n    return state()")
    same(after.value, before, "state of the next call")
    kept = [name for name in before if changed.value[name] == before[name] and name != "score"]
    same(kept, [], "NOT PROVEN: what the first call could not change")


@CASES.control("XL-10")
def a_call_does_change_its_own(lab: Lab) -> None:
    own = lab.fire(_STATE + _CHANGE).value
    same((own["umask"], own["ignored"]), (0, [15, 14, 10]))


@CASES.case(
    "XL-16",
    "Turns the knobs of its own /proc entry, in a process that it leaves: gone with the process",
    threats=("T-LAT-01", "T-LAT-03"),
)
def proc_knobs(lab: Lab) -> None:
    leave = (
        _STATE
        + _CHANGE.replace("def f():", "def change():")
        + (
            "def f():\n    if os.fork() == 0:\n        os.setsid()\n        change()\n        time.sleep(3600)\n"
            "    time.sleep(0.1)\n    return state()\n"
        )
    )
    left, after = lab.fire_pair(leave, _STATE + "def f():\n    return state()")
    same({name: after.value[name] for name in _KNOBS}, {name: left.value[name] for name in _KNOBS}, "knobs")


@CASES.control("XL-16")
def the_knobs_can_be_turned(lab: Lab) -> None:
    same(lab.fire(_STATE + _CHANGE).value["name"], "toolwright", "own name")


_RANDOMNESS: Final = """
import os, random, uuid
def f():
    return [random.getrandbits(64), hash("text"), os.urandom(8).hex(), str(uuid.uuid4()), id(object)]
"""


@CASES.case(
    "XL-17",
    "Reads random numbers, hash seed and addresses in many calls: random numbers differ in each; the hash seed and the "
    "addresses are those of the zygote, which is known and written down",
    threats=("T-LAT-03",),
)
def randomness(lab: Lab) -> None:
    drawn = [json.loads(lab.execute(_RANDOMNESS).outcome.result_json or "[]") for _ in range(20)]
    for at, what in enumerate(("random", "hash", "urandom", "uuid")):
        if what != "hash":
            same(len({one[at] for one in drawn}), len(drawn), f"different values of {what}")


@CASES.control("XL-17")
def a_seed_gives_the_same_again(lab: Lab) -> None:
    seeded = "import random\ndef f():\n    random.seed(7)\n    return random.getrandbits(64)"
    same(lab.fire(seeded).value, lab.fire(seeded).value, "the same seed")


_SEND: Final = """
import array, os, socket
def f():
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    sent = 0
    try:
        for _ in range(1000):
            reader, writer = os.pipe()
            one.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [reader]))])
            os.close(reader); os.close(writer)
            sent += 1
    except OSError:
        pass
    return sent
"""


@CASES.case(
    "XL-19",
    "Leaves descriptors in flight between sockets and pipes: the agent takes none, and has as many as before",
    threats=("T-LAT-04",),
)
def passed_descriptors(lab: Lab) -> None:
    container = lab.benign().provenance.container_id
    before = lab.relay_descriptors(container)
    for _ in range(3):
        sure(lab.fire(_SEND).value > 5, "NOT PROVEN: no descriptor was sent")
    same(lab.relay_descriptors(container), before, "descriptors of the relay")


@CASES.control("XL-19", runtimes=("runc",))
def the_same_look_sees_a_calls_descriptors(lab: Lab) -> None:
    def seen(container: str) -> None:
        _, (call, *_) = lab.agent_and_rest(container)
        sure(len(lab.observer.fds(call.host_pid)) > 20, "not open yet")

    lab.fire("import os, time\ndef f():\n    kept = [os.pipe() for _ in range(10)]\n    time.sleep(0.4)", during=seen)


_COUNTERS: Final = """
import os
def f(look):
    paths = ("/proc/stat", "/proc/loadavg", "/proc/meminfo", "/proc/vmstat", "/proc/interrupts", "/proc/softirqs",
             "/proc/pressure/cpu", "/proc/sys/fs/file-nr", "/proc/sys/fs/inode-nr",
             "/proc/uptime", "/proc/net/unix", "/proc/net/tcp", "/proc/timer_list", "/proc/sched_debug", "/proc/keys",
             "/proc/locks", "/proc/mounts", "/proc/self/mountinfo", "/proc/self/cgroup", "/proc/version",
             "/proc/cmdline", "/proc/sys/kernel/random/entropy_avail")
    found = []
    for path in paths:
        try:
            with open(path, errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        found += [path] if look in text else []
    return found
"""


@CASES.case(
    "XL-29",
    "Reads the counters that all share (load, memory, next process number) to learn of others: no argument and no name "
    "of a tool is in them; that counters move is a covert channel, which is written down",
    threats=("T-LAT-06",),
)
def shared_counters(lab: Lab) -> None:
    for secret in (lab.canaries.earlier_argument, lab.canaries.neighbours_source, lab.canaries.server_variable):
        same(lab.fire(_COUNTERS, arguments_json=json.dumps({"look": secret})).value, [], "where a secret is seen")


@CASES.control("XL-29")
def the_same_look_reads_counters(lab: Lab) -> None:
    found = lab.fire(_COUNTERS, arguments_json='{"look": "cpu"}').value
    sure("/proc/stat" in found, f"only {found} could be read")
