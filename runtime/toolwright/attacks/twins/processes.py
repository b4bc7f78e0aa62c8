"""Twins with processes of their own, and what a process may ask about itself."""

from __future__ import annotations

from typing import Final

from toolwright.attacks.twins.twin import Twin

TWINS: Final = (
    Twin(
        "children and what they end with",
        """
import os, signal, time
def child(work):
    pid = os.fork()
    if pid == 0:
        os._exit(work() or 0)
    return pid
def f():
    status = os.waitpid(child(lambda: 7), 0)[1]
    _, signalled, usage = os.wait4(child(lambda: os.kill(os.getpid(), signal.SIGTERM)), 0)
    pid = child(lambda: 3)
    seen = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    os.waitpid(pid, 0)
    many = [child(lambda n=n: n) for n in range(10)]
    codes = sorted(os.waitstatus_to_exitcode(os.waitpid(one, 0)[1]) for one in many)
    sleeper = child(lambda: time.sleep(60))
    os.kill(sleeper, signal.SIGKILL)
    killed = os.waitid(os.P_PID, sleeper, os.WEXITED).si_status
    return [os.waitstatus_to_exitcode(status), os.WTERMSIG(signalled), usage.ru_maxrss > 0, seen.si_status, codes,
            killed]
""",
        [7, 15, True, 3, list(range(10)), 9],
        needs=("clone", "wait4", "waitid", "kill", "exit_group"),
    ),
    Twin(
        "a child held by its descriptor",
        """
import os, select, signal, time
def f():
    pid = os.fork()
    if pid == 0:
        time.sleep(60)
    handle = os.pidfd_open(pid)
    waiting = select.select([handle], [], [], 0.01)[0]
    signal.pidfd_send_signal(handle, signal.SIGKILL)
    ended = select.select([handle], [], [], 5)[0] == [handle]
    return [waiting, ended, os.waitid(os.P_PIDFD, handle, os.WEXITED).si_status]
""",
        [[], True, 9],
        needs=("pidfd_open", "pidfd_send_signal"),
        not_under={"runsc": "gVisor has no descriptors of processes"},
    ),
    Twin(
        "process groups and sessions",
        """
import os
def f():
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        first = [os.getpgrp() == os.getpgid(os.getppid()), os.getsid(0) == os.getsid(os.getppid())]
        os.setpgid(0, 0)
        second = os.getpgid(0) == os.getpid()
        grandchild = os.fork()
        if grandchild == 0:
            os.setsid()
            os.write(writer, repr([first, second, os.getsid(0) == os.getpid()]).encode())
        else:
            os.waitpid(grandchild, 0)
        os._exit(0)
    os.waitpid(pid, 0)
    return eval(os.read(reader, 1_000))
""",
        [[True, True], True, True],
        needs=("getpgrp", "getsid", "getpgid", "setpgid", "setsid", "getppid"),
    ),
    Twin(
        "multiprocessing by fork and pipe",
        """
import multiprocessing as mp
def square(numbers, out):
    out.send([n * n for n in numbers])
    out.close()
def f():
    context = mp.get_context("fork")
    answers, workers = [], []
    for start in range(0, 12, 4):
        ours, theirs = context.Pipe(duplex=False)
        worker = context.Process(target=square, args=(range(start, start + 4), theirs))
        worker.start()
        theirs.close()
        workers.append((worker, ours))
    for worker, ours in workers:
        answers += ours.recv()
        worker.join()
    try:
        context.Lock()
    except OSError:
        locks = "no shared memory, so none of its locks, queues and pools"
    else:
        locks = "there"
    return [answers, [worker.exitcode for worker, _ in workers], locks]
""",
        [[n * n for n in range(12)], [0, 0, 0], "no shared memory, so none of its locks, queues and pools"],
    ),
    Twin(
        "who it is",
        """
import getpass, os, platform, sys
def f():
    ids = {os.getuid(), os.geteuid(), *os.getresuid()}
    groups = {os.getgid(), os.getegid(), *os.getresgid()}
    uname = os.uname()
    return [len(ids), ids == groups, min(ids) >= 1_000, os.getgroups(), uname.sysname, uname.nodename,
            platform.system(), platform.machine() == uname.machine, platform.python_implementation(),
            sys.platform, os.getpid() > 1, os.name]
""",
        [1, True, True, [], "Linux", "sandbox", "Linux", True, "CPython", "linux", True, "posix"],
        needs=(
            "getuid",
            "geteuid",
            "getresuid",
            "getgid",
            "getegid",
            "getresgid",
            "getgroups",
            "uname",
            "getpid",
        ),
    ),
    Twin(
        "limits and use of resources",
        """
import os, resource, sys
def f():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
    lowered = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    used = resource.getrusage(resource.RUSAGE_SELF)
    times = os.times()
    return [soft, hard, lowered, used.ru_maxrss > 1_000, used.ru_utime >= 0, times.elapsed > 0,
            os.getpriority(os.PRIO_PROCESS, 0) in {0, 19},
            os.sysconf("SC_NPROCESSORS_ONLN") > 0, os.sysconf("SC_PAGE_SIZE") % 4_096,
            os.sysconf("SC_PHYS_PAGES") > 0, len(os.getloadavg())]
""",
        [256, 256, 100, True, True, True, True, True, 0, True, 3],
        needs=("prlimit64", "getrusage", "times", "getpriority", "sysinfo"),
    ),
    Twin(
        "how it is scheduled",
        """
import os
def f():
    lowest, highest = (bound(os.SCHED_FIFO) for bound in (os.sched_get_priority_min, os.sched_get_priority_max))
    os.sched_yield()
    return [len(os.sched_getaffinity(0)) == os.process_cpu_count() > 0, os.sched_getscheduler(0) == os.SCHED_OTHER,
            os.sched_getparam(0).sched_priority, lowest <= highest]
""",
        [True, True, 0, True],
        needs=(
            "sched_getaffinity",
            "sched_getscheduler",
            "sched_getparam",
            "sched_get_priority_min",
            "sched_get_priority_max",
            "sched_yield",
        ),
    ),
)
