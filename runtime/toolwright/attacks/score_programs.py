"""The programs of the limits score: what they take is bounded, so that they are harmless where nothing stops them."""

from __future__ import annotations

from typing import Final

from toolwright.domain.limits import MIB

ALL: Final = "import json; print(json.dumps({name: f(name) for name in PROBES}))"
SLEEP_LIMIT_S: Final = 0.5
PRINTED: Final = 20 * MIB
SLEEP: Final = f"import time\ndef f():\n    time.sleep({SLEEP_LIMIT_S * 4})\n"
PRINT: Final = f"""
import os
def f():
    left = {PRINTED}
    while left:
        left -= os.write(1, b"x" * min(left, 65536))
"""
LEAVE: Final = """
import os, time
def f():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(30)
        os._exit(0)
    for place in (".", "/tmp", "/var/tmp", "/call", "/dev/shm", "/"):
        try:
            open(os.path.join(place, "left-behind"), "w").close()
        except OSError:
            continue
"""
FIND: Final = """
import os
def f():
    found = [at for at in (".", "/tmp", "/var/tmp", "/call", "/dev/shm", "/")
             if os.path.exists(os.path.join(at, "left-behind"))]
    mine = {os.getpid(), os.getppid(), 1}
    for name in os.listdir("/proc"):
        if name.isdecimal() and int(name) not in mine:
            with open(f"/proc/{name}/status") as status:
                found += ["process"] if "\\nUid:\\t0\\t" not in status.read() else []
    return found
"""
PROBE: Final = r'''
import ctypes, errno, os, resource, socket, stat, threading, time

libc = ctypes.CDLL(None, use_errno=True)

def refused(number, *arguments):
    """Whether a system call is refused, or not there."""
    wide = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    made = libc.syscall(ctypes.c_long(number), *wide)
    return made < 0 and ctypes.get_errno() in (errno.EPERM, errno.EACCES, errno.ENOSYS)

def in_child(function):
    """Whether `function`, in a process of its own, is true; also if memory ends it. Any other end shows nothing."""
    pid = os.fork()
    if pid == 0:
        code = 4
        try:
            code = 0 if function() else 3
        except MemoryError:
            code = 0
        finally:
            os._exit(code)
    ended = os.waitpid(pid, 0)[1]
    if ended not in (0, 3 << 8, 9):  # 9: the kernel's kill
        raise RuntimeError("the probe broke: " + str(ended))
    return ended != 3 << 8

def memory():
    kept = []
    for _ in range(384):
        kept.append(bytearray(b"x") * 1048576)
    return False

def processes():
    children, held = [], False
    try:
        for _ in range(100):
            pid = os.fork()
            if pid == 0:
                time.sleep(20)
                os._exit(0)
            children.append(pid)
    except OSError:
        held = True
    for pid in children:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    return held

def threads():
    done = threading.Event()
    try:
        for _ in range(200):
            threading.Thread(target=done.wait, daemon=True).start()
    except RuntimeError:
        return True
    finally:
        done.set()
    return False

def open_files():
    try:
        for _ in range(2000):
            os.open("/dev/null", os.O_RDONLY)
    except OSError:
        return True
    return False

def writable():
    for place in (".", "/tmp", "/var/tmp"):
        try:
            os.makedirs(os.path.join(place, "probe"), exist_ok=True)
            return os.path.join(place, "probe")
        except OSError:
            continue
    return None

def disk():
    place = writable()
    if place is None:
        return True
    try:
        with open(os.path.join(place, "big"), "wb", buffering=0) as file:
            for _ in range(100):
                file.write(b"x" * 1048576)
    except OSError:
        return True
    finally:
        os.path.exists(os.path.join(place, "big")) and os.unlink(os.path.join(place, "big"))
    return False

def names():
    place, made = writable(), 0
    if place is None:
        return True
    try:
        for made in range(6000):
            open(os.path.join(place, str(made)), "x").close()
    except OSError:
        return True
    finally:
        for name in os.listdir(place):
            os.unlink(os.path.join(place, name))
    return False

def quota():
    """The kernel's own bound on this container's time; None where the kernel does not show it."""
    for path, none in (("cpu.max", "max"), ("cpu/cpu.cfs_quota_us", "-1"), ("cpu,cpuacct/cpu.cfs_quota_us", "-1")):
        path = os.path.join("/sys/fs/cgroup", path)
        if os.path.exists(path):
            return open(path).read().split()[0] != none
    return None

def processor():
    if (bounded := quota()) is not None:
        return bounded
    begun = time.monotonic()
    for _ in range(2):
        if os.fork() == 0:
            while time.monotonic() < begun + 0.5:
                pass
            os._exit(0)
    os.wait(), os.wait()
    used = os.times()
    return used.children_user + used.children_system <= 1.5 * (time.monotonic() - begun)

def status(name):
    for line in open("/proc/self/status"):
        if line.startswith(name + ":"):
            return line.split(":", 1)[1].strip()
    return ""

def made(path):
    try:
        open(path, "w").close()
        os.unlink(path)
    except OSError:
        return False
    return True

def no_socket(family, kind):
    try:
        socket.socket(family, kind).close()
    except OSError as fault:
        return fault.errno in (errno.EPERM, errno.EACCES)
    return False

def traces():
    """Whether a child of one's own cannot be traced."""
    libc.prctl(4, 1, 0, 0, 0)  # else that alone would forbid it
    pid = os.fork()
    if pid == 0:
        time.sleep(20)
        os._exit(0)
    held = refused(number["ptrace"], 0x4206, pid, 0, 0)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return held

def executes():
    try:
        os.execv("/usr/bin/python3.13", ["python", "-I", "-S", "-c", "raise SystemExit(3)"])
    except OSError:
        return True

number = {
    "x86_64": {"ptrace": 101, "unshare": 272, "mount": 165, "memfd": 319, "io_uring": 425, "keyctl": 250, "shmget": 29},
    "aarch64": {"ptrace": 117, "unshare": 97, "mount": 40, "memfd": 279, "io_uring": 425, "keyctl": 219, "shmget": 194},
}[os.uname().machine]

DEVICES = {"null", "zero", "full", "random", "urandom", "stdin", "stdout", "stderr"}

def opened(name):
    path = os.path.join("/dev", name)
    try:
        if stat.S_ISDIR(os.stat(path).st_mode):
            return False
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True

PROBES = {
    "memory": lambda: in_child(memory),
    "processes": lambda: in_child(processes),
    "threads": lambda: in_child(threads),
    "open files": lambda: in_child(open_files),
    "disk": disk,
    "file names": names,
    "CPU": processor,
    "user": lambda: os.getuid() != 0 and os.geteuid() != 0,
    "capabilities": lambda: int(status("CapEff") or "1", 16) == 0,
    "no new privileges": lambda: libc.prctl(39, 0, 0, 0, 0) == 1,
    "root file system": lambda: not any(map(made, ("/probe", "/usr/probe", "/etc/probe"))),
    "system call filter": lambda: status("Seccomp") == "2",
    "network": lambda: set(os.listdir("/sys/class/net")) <= {"lo"},
    "internet sockets": lambda: no_socket(socket.AF_INET, socket.SOCK_STREAM),
    "kernel crypto sockets": lambda: no_socket(38, socket.SOCK_SEQPACKET),
    "user namespaces": lambda: in_child(lambda: refused(number["unshare"], 0x10000000)),
    "mounting": lambda: in_child(lambda: refused(number["mount"], b"none", b"/proc", b"tmpfs", 0, None)),
    "tracing": lambda: in_child(traces),
    "other programs": lambda: in_child(executes),
    "memory as a file": lambda: refused(number["memfd"], b"x", 0),
    "io_uring": lambda: refused(number["io_uring"], 4, (ctypes.c_char * 120)()),
    "kernel keyrings": lambda: refused(number["keyctl"], 0, -3, 0),
    "shared memory": lambda: not made("/dev/shm/probe") and refused(number["shmget"], 0, 4096, 0o600 | 0o1000),
    "core dumps": lambda: resource.getrlimit(resource.RLIMIT_CORE) == (0, 0),
    "device files": lambda: not [name for name in os.listdir("/dev") if name not in DEVICES and opened(name)],
    "environment": lambda: len(os.environ) <= 8 and "HOSTNAME" not in os.environ,
}

def f(name):
    return PROBES[name]()
'''
