"""Twins that wait: threads, events, signals, timers."""

from __future__ import annotations

from typing import Final

from toolwright.attacks.twins.twin import Twin

TWINS: Final = (
    Twin(
        "threads, locks and queues",
        """
import os, queue, threading
def f():
    work, done, lock, total = queue.Queue(), threading.Event(), threading.Lock(), [0]
    local = threading.local()
    def run():
        while (n := work.get()) is not None:
            local.n = n
            with lock:
                total[0] += local.n
            work.task_done()
    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for n in range(1_000):
        work.put(n)
    work.join()
    for _ in threads:
        work.put(None)
    for thread in threads:
        thread.join()
    timer = threading.Timer(0.01, done.set)
    timer.start()
    barrier, ready = threading.Barrier(3), []
    waiters = [threading.Thread(target=lambda: ready.append(barrier.wait(5))) for _ in range(3)]
    [one.start() for one in waiters], [one.join() for one in waiters]
    return [total[0], done.wait(5), sorted(ready), threading.Semaphore(0).acquire(timeout=0.01),
            threading.active_count(), threading.get_native_id() == os.getpid()]
""",
        [499_500, True, [0, 1, 2], False, 1, True],
        needs=("clone", "futex", "mprotect", "gettid", "exit"),
    ),
    Twin(
        "a pool of threads",
        """
import concurrent.futures as cf, time
def f():
    with cf.ThreadPoolExecutor(max_workers=8) as pool:
        squares = list(pool.map(lambda n: n * n, range(100)))
        jobs = {pool.submit(divmod, 7, n): n for n in (2, 0)}
        failed = [jobs[job] for job in cf.as_completed(jobs) if job.exception()]
        slow = pool.submit(time.sleep, 0.05)
        waited = cf.wait([slow], timeout=5)
    return [sum(squares), failed, len(waited.done)]
""",
        [328_350, [0], 1],
    ),
    Twin(
        "asyncio: tasks, time limits, other threads",
        """
import asyncio
async def work(n, log):
    await asyncio.sleep(0.001 * (5 - n))
    log.append(n)
    return n * 10
async def main():
    log, queue = [], asyncio.Queue()
    results = await asyncio.gather(*(work(n, log) for n in range(5)))
    try:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(10)
    except TimeoutError:
        late = True
    loop = asyncio.get_running_loop()
    other = await asyncio.to_thread(lambda: loop.call_soon_threadsafe(queue.put_nowait, "from a thread") and 1)
    async with asyncio.TaskGroup() as group:
        told = group.create_task(queue.get())
    return [results, sorted(log), late, other is not None, told.result()]
def f():
    return asyncio.run(main())
""",
        [[0, 10, 20, 30, 40], [0, 1, 2, 3, 4], True, True, "from a thread"],
        needs=("epoll_ctl", "epoll_wait", "socketpair", "sendto", "recvfrom"),
    ),
    Twin(
        "asyncio over pipes and socket pairs",
        """
import asyncio, os, socket
async def main():
    loop = asyncio.get_running_loop()
    one, two = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=one)
    other_reader, other_writer = await asyncio.open_connection(sock=two)
    writer.write(b"question\\n")
    asked = await other_reader.readline()
    other_writer.write(asked.upper())
    other_writer.write_eof()
    answer = await reader.read()
    writer.close()
    other_writer.close()
    read_fd, write_fd = os.pipe()
    stream = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(read_fd, "rb"))
    os.write(write_fd, b"through a pipe")
    os.close(write_fd)
    return [answer.decode(), (await stream.read()).decode()]
def f():
    return asyncio.run(main())
""",
        ["QUESTION\n", "through a pipe"],
        needs=("shutdown",),
    ),
    Twin(
        "a socket pair and what it carries",
        """
import array, os, socket
def f():
    one, two = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with one, two:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        one.sendall(b"plain")
        first = two.recv(100).decode()
        reader, writer = os.pipe()
        socket.send_fds(one, [b"fd"], [writer])
        message, fds, _, _ = socket.recv_fds(two, 10, 1)
        os.write(fds[0], b"passed")
        two.settimeout(0.01)
        try:
            two.recv(1)
        except TimeoutError:
            late = True
        one.shutdown(socket.SHUT_WR)
        return [first, message.decode(), os.read(reader, 10).decode(), late, two.recv(1).decode(),
                two.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM, str(two.getsockname()),
                str(one.getpeername())]
""",
        ["plain", "fd", "passed", True, "", True, "", ""],
        needs=("sendmsg", "recvmsg", "setsockopt", "getsockopt", "getsockname", "getpeername"),
    ),
    Twin(
        "select, poll, epoll and selectors",
        """
import os, select, selectors, time
def f():
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    nothing = select.select([reader], [], [], 0.01)[0]
    os.write(writer, b"x")
    by_select = select.select([reader], [writer], [], 1)[:2] == ([reader], [writer])
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    by_poll = poll.poll(1_000) == [(reader, select.POLLIN)]
    with select.epoll() as epoll:
        epoll.register(reader, select.EPOLLIN)
        by_epoll = epoll.poll(1) == [(reader, select.EPOLLIN)]
    with selectors.DefaultSelector() as selector:
        selector.register(reader, selectors.EVENT_READ, "data")
        by_selector = [key.data for key, _ in selector.select(1)]
    return [nothing, by_select, by_poll, by_epoll, by_selector, os.get_blocking(reader)]
""",
        [[], True, True, True, ["data"], False],
        needs=("pipe2", "poll", "pselect6", "epoll_create1", "epoll_ctl", "epoll_wait"),
    ),
    Twin(
        "descriptors that count and keep time",
        """
import os, select
def f():
    counter = os.eventfd(3, os.EFD_NONBLOCK)
    os.eventfd_write(counter, 4)
    timer = os.timerfd_create(__import__("time").CLOCK_MONOTONIC)
    os.timerfd_settime(timer, initial=0.01, interval=0.01)
    left = os.timerfd_gettime(timer)
    ready = select.select([timer], [], [], 5)[0] == [timer]
    ticks = int.from_bytes(os.read(timer, 8), "little")
    return [os.eventfd_read(counter), ready, ticks >= 1, round(left[1], 3)]
""",
        [7, True, True, 0.01],
        needs=("eventfd2", "timerfd_create", "timerfd_settime", "timerfd_gettime"),
    ),
    Twin(
        "signals, alarms and interval timers",
        """
import os, signal, threading, time
def f():
    seen = []
    handler = lambda number, frame: seen.append(signal.Signals(number).name)
    for number in (signal.SIGUSR1, signal.SIGALRM):
        signal.signal(number, handler)
    os.kill(os.getpid(), signal.SIGUSR1)
    signal.raise_signal(signal.SIGUSR1)
    signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    left = signal.getitimer(signal.ITIMER_REAL)[0]
    signal.pause()
    before = signal.alarm(100)
    remaining = signal.alarm(0)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    os.kill(os.getpid(), signal.SIGUSR2)
    pending = sorted(signal.sigpending())
    taken = signal.sigwait({signal.SIGUSR2})
    timed = signal.sigtimedwait({signal.SIGUSR2}, 0.01)
    signal.siginterrupt(signal.SIGUSR1, False)
    return [seen, 0 < left <= 0.01, before, remaining in (99, 100), [int(one) for one in pending], int(taken), timed]
""",
        [["SIGUSR1"] * 3 + ["SIGALRM"], True, 0, True, [12], 12, None],
        needs=(
            "rt_sigaction",
            "rt_sigprocmask",
            "rt_sigreturn",
            "tgkill",
            "setitimer",
            "getitimer",
            "alarm",
            "pause",
            "rt_sigpending",
            "rt_sigtimedwait",
        ),
    ),
    Twin(
        "an exception by alarm ends a long calculation",
        """
import signal
class Late(Exception):
    pass
def late(number, frame):
    raise Late
def f():
    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        while True:
            pass
    except Late:
        return "stopped"
""",
        "stopped",
    ),
    Twin(
        "a fault shown with its stack",
        """
import faulthandler, os, signal
def f():
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        faulthandler.enable(writer)
        os.kill(os.getpid(), signal.SIGSEGV)
    os.close(writer)
    with open(reader) as pipe:
        text = pipe.read()
    return [os.WTERMSIG(os.waitpid(pid, 0)[1]), "Segmentation fault" in text, "in f" in text]
""",
        [11, True, True],
        needs=("sigaltstack",),
    ),
    Twin(
        "a wait goes on after a stop",
        """
import os, select, signal, time
def f():
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        poll = select.poll()
        poll.register(reader, select.POLLIN)
        os._exit(len(poll.poll(300)))
    time.sleep(0.05)
    os.kill(pid, signal.SIGSTOP)
    stopped = os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])
    os.kill(pid, signal.SIGCONT)
    return [stopped, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])]
""",
        [True, 0],
        # The agent makes a call that lasts so long yield to it.
        needs=("restart_syscall", "setpriority"),
    ),
    Twin(
        "clocks and sleep",
        """
import time
def f():
    begun = time.perf_counter()
    time.sleep(0.02)
    passed = time.perf_counter() - begun
    monotonic = [time.monotonic_ns() for _ in range(100)]
    return [0.02 <= passed < 5, monotonic == sorted(monotonic), time.time() > 1.6e9, time.process_time() >= 0,
            time.thread_time() >= 0, time.strftime("%Y", time.gmtime(0)), time.tzname[0],
            time.get_clock_info("monotonic").adjustable,
            time.clock_getres(time.CLOCK_PROCESS_CPUTIME_ID) > 0, time.mktime((2000, 1, 1, 0, 0, 0, 0, 0, 0))]
""",
        [True, True, True, True, True, "1970", "UTC", False, True, 946684800.0],
        needs=("clock_nanosleep", "clock_gettime", "clock_getres"),
    ),
)
