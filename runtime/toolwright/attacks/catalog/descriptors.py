"""RX: a tool takes all the descriptors, pipes and timers it can get."""

from __future__ import annotations

import json
from typing import Final

from toolwright.attacks.case import Catalog
from toolwright.attacks.lab import Lab
from toolwright.attacks.proof import among, same, sure
from toolwright.attacks.shot import returned
from toolwright.domain.outcome import Status

CASES: Final = Catalog("RX", "Descriptors, pipes and timers")

_DESCRIPTORS: Final = """
import errno, os, select, socket
MAKERS = {
    "file": lambda: os.open("/dev/null", os.O_RDONLY),
    "pipe": os.pipe,
    "socket": socket.socketpair,
    "epoll": select.epoll,
    "event": lambda: os.eventfd(0),
}
def take(make, most):
    kept, error = [], ""
    try:
        while len(kept) < most:
            kept.append(make())
    except OSError as fault:
        error = errno.errorcode[fault.errno]
    for one in kept:
        for end in one if isinstance(one, tuple) else (one,):
            os.close(end) if isinstance(end, int) else end.close()
    return [len(kept), error]
def f(most):
    return {name: take(make, most) for name, make in MAKERS.items()}
"""
_KINDS: Final = {"file": 1, "pipe": 2, "socket": 2, "epoll": 1, "event": 1}
"""How many descriptors one of each takes."""


@CASES.case(
    "RX-13",
    "Opens files, pipes, sockets, epolls and events until EMFILE; the agent keeps its own descriptors",
    threats=("T-DOS-02",),
    differs={"runsc": "the agent's descriptors are not seen from outside"},
)
def descriptors(lab: Lab) -> None:
    before = _of_the_agent(lab)
    shot = lab.fire(_DESCRIPTORS, arguments_json='{"most": 1000000}', destructive=True)

    for kind, each in _KINDS.items():
        count, error = shot.value[kind]
        same(error, "EMFILE", kind)
        sure(240 <= count * each <= 256, f"{count} of kind {kind} were given")
    same(_of_the_agent(lab), before, "descriptors of the agent")


@CASES.control("RX-13")
def some_descriptors_are_fine(lab: Lab) -> None:
    some = returned(lab.execute(_DESCRIPTORS, arguments_json='{"most": 100}').outcome)
    same(some, {kind: [100, ""] for kind in _KINDS})


def _of_the_agent(lab: Lab) -> dict[str, str]:
    return lab.relay_descriptors(lab.benign().provenance.container_id)


_IN_FLIGHT: Final = """
import errno, os, socket
def f(most=10_000):
    null = os.open("/dev/null", os.O_RDONLY)
    pairs, passed, error = [], 0, ""
    try:
        while passed < most:
            pairs.append(socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
            left, right = pairs[-1]
            left.setblocking(False)
            with left.dup() as again:
                try:
                    while passed < most:
                        # With the other end in flight to itself, nothing but the kernel's collector lets go of it.
                        socket.send_fds(again, [b"x"], [right.fileno()] + [null] * 63)
                        passed += 64
                except BlockingIOError:
                    continue
    except OSError as fault:
        error = errno.errorcode[fault.errno]
    for left, right in pairs:
        left.close()
        right.close()
    return [passed, error]
"""


@CASES.case(
    "RX-14",
    "Has 10,000 descriptors in flight between its own sockets and closes both ends: ETOOMANYREFS, freed with it",
    threats=("T-DOS-02", "T-LAT-04"),
    differs={"runsc": "gVisor does not count what is in flight; it is memory of its own, and gone with the call"},
)
def in_flight(lab: Lab) -> None:
    first, second = lab.fire_pair(_IN_FLIGHT, _IN_FLIGHT, destructive=True)

    same(second.value, first.value, "what the next user is given")
    passed, error = second.value
    same(error, lab.golden("ETOOMANYREFS", gvisor=""), "error")
    sure(lab.gvisor or 192 <= passed <= 512, f"{passed} were in flight")


@CASES.control("RX-14")
def some_are_passed(lab: Lab) -> None:
    same(returned(lab.execute(_IN_FLIGHT, arguments_json='{"most": 128}').outcome), [128, ""])


_PIPES: Final = """
import errno, fcntl, os
F_SETPIPE_SZ = 1031
def f(most=1000, hold=0):
    pipes, grown, held, errors = [], 0, 0, set()
    try:
        while len(pipes) < most:
            pipes.append(os.pipe())
            os.set_blocking(pipes[-1][1], False)
            try:
                fcntl.fcntl(pipes[-1][1], F_SETPIPE_SZ, 1 << 20)
                grown += 1
            except OSError as fault:
                errors.add(errno.errorcode[fault.errno])
            try:
                while True:
                    held += os.write(pipes[-1][1], b"x" * 65536)
            except BlockingIOError:
                pass
    except OSError as fault:
        errors.add(errno.errorcode[fault.errno])
    kept = bytearray(hold)
    for at in range(0, hold, 4096):
        kept[at] = 1
    return [grown, sorted(errors), held >> 20]
"""
_MIB_IN_PAGES: Final = 256


@CASES.case(
    "RX-29",
    "Grows a thousand pipes to 1 MiB and fills them: bounded by the pages of its user, then by EMFILE; free afterwards",
    threats=("T-DOS-02", "T-LAT-04"),
    differs={
        "runsc": "gVisor does not count a user's pages, so all of the 126 pipes grow, to 126 MiB of its own memory"
    },
)
def pipes(lab: Lab) -> None:
    first, second = lab.fire_pair(_PIPES, _PIPES, destructive=True)

    same(second.value, first.value, "what the next user is given")
    grown, errors, held = second.value
    same(errors, lab.golden(["EMFILE", "EPERM"], gvisor=["EMFILE"]), "errors")
    pages = 0 if lab.gvisor else int(lab.observer.host_setting("fs/pipe-user-pages-soft"))
    sure(grown <= lab.golden(pages // _MIB_IN_PAGES, gvisor=126), f"{grown} pipes were grown")
    sure(grown <= held <= grown + 1, f"{held} MiB were held in {grown} pipes")


@CASES.control("RX-29")
def some_pipes_are_grown(lab: Lab) -> None:
    same(returned(lab.execute(_PIPES, arguments_json='{"most": 20}').outcome), [20, [], 20])


_TIMERS: Final = """
import ctypes, errno, os, signal, time
libc = ctypes.CDLL(None, use_errno=True)
class Spec(ctypes.Structure):
    _fields_ = [(name, ctypes.c_long) for name in ("every_s", "every_ns", "in_s", "in_ns")]
def posix(delay):
    timer = ctypes.c_void_p()
    if libc.timer_create(1, None, ctypes.byref(timer)):
        return False
    return libc.timer_settime(timer, 0, ctypes.byref(Spec(0, 0, 0, int(delay * 1e9))), None) == 0
def descriptor(delay):
    return libc.timerfd_create(1, 0) >= 0
def count(arm, most, delay):
    made = 0
    while made < most and arm(delay):
        made += 1
    return [made, "" if made == most else errno.errorcode[ctypes.get_errno()]]
def f(most, delay, wait):
    for which in (signal.ITIMER_REAL, signal.ITIMER_PROF, signal.ITIMER_VIRTUAL):
        signal.setitimer(which, delay, 0.01)
    answer = {"posix": count(posix, most, delay), "timerfd": count(descriptor, most, delay)}
    time.sleep(wait)
    return answer
"""
_NONE_FIRES: Final = """
import signal, time
def f():
    armed = [signal.getitimer(which) for which in (signal.ITIMER_REAL, signal.ITIMER_PROF, signal.ITIMER_VIRTUAL)]
    end = time.monotonic() + 0.6
    while time.monotonic() < end:
        sum(range(1000))
    return [sorted(set(armed)), len(signal.sigpending())]
"""


@CASES.case(
    "RX-27",
    "Arms 10,000 POSIX timers (EAGAIN), timerfds (EMFILE) and interval timers: none of them fires into the next call",
    threats=("T-DOS-02", "T-LAT-04"),
    differs={"runsc": "gVisor has no limit on POSIX timers, so a thousand are made there; they die with the call"},
)
def timers(lab: Lab) -> None:
    most = lab.golden(10_000, gvisor=1_000)
    arguments = json.dumps({"most": most, "delay": 0.5, "wait": 0})
    first, second = lab.fire_pair(_TIMERS, _NONE_FIRES, arguments_json=arguments, destructive=True)

    among(first.value["posix"], lab.golden(([64, "EAGAIN"], [0, "EPERM"]), gvisor=([most, ""],)), "POSIX timers")
    made, error = first.value["timerfd"]
    same(error, "EMFILE", "timerfds")
    sure(240 <= made <= 256, f"{made} timerfds were made")
    same(second.value, [[[0.0, 0.0]], 0], "timers and signals of the next call")


@CASES.control("RX-27")
def a_timer_fires_into_its_own_call(lab: Lab) -> None:
    own = lab.execute(_TIMERS, arguments_json='{"most": 0, "delay": 0.05, "wait": 5}')
    same((own.outcome.status, own.outcome.failure and own.outcome.failure.type), (Status.CRASHED, "SIGALRM"))
