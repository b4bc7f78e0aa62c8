"""Twins that work close to the kernel: descriptors, locks, mapped memory."""

from __future__ import annotations

from typing import Final

from toolwright.attacks.twins.twin import Twin

TWINS: Final = (
    Twin(
        "locks on files",
        """
import fcntl, os
def attempt(lock):
    pid = os.fork()
    if pid == 0:
        with open("locked", "r+") as file:
            try:
                lock(file)
            except BlockingIOError:
                os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
def f():
    whole = lambda file: fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    part = lambda file: fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 10)
    answers = []
    for lock in (whole, part):
        with open("locked", "w") as file:
            file.write("x" * 100)
            file.flush()
            lock(file)
            held = attempt(lock)
        answers.append([held, attempt(lock)])
    return answers
""",
        [[1, 0], [1, 0]],
        needs=("flock", "fcntl"),
    ),
    Twin(
        "scattered and positioned reads and writes",
        """
import os
def f():
    fd = os.open("file", os.O_RDWR | os.O_CREAT)
    answers = [os.writev(fd, [b"one", b"two"]), os.pwrite(fd, b"TWO", 3), os.pwritev(fd, [b"three", b"four"], 6),
               os.pwritev(fd, [b"!"], 15, os.RWF_DSYNC)]
    os.lseek(fd, 0, os.SEEK_SET)
    parts = [bytearray(3), bytearray(3)]
    answers += [os.readv(fd, parts), b"".join(parts).decode(), os.pread(fd, 5, 6).decode()]
    answers += [os.preadv(fd, parts, 11), os.preadv(fd, [parts[0]], 0, os.RWF_HIPRI), parts[0].decode()]
    os.posix_fallocate(fd, 0, 8_192)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)
    os.fsync(fd)
    os.fdatasync(fd)
    answers.append(os.fstat(fd).st_size)
    os.truncate("file", 16)
    answers.append(os.path.getsize("file"))
    return answers
""",
        [6, 3, 9, 1, 6, "oneTWO", "three", 5, 3, "one", 8_192, 16],
        needs=(
            "writev",
            "pwrite64",
            "pwritev2",
            "readv",
            "pread64",
            "preadv2",
            "fallocate",
            "fadvise64",
            "fsync",
            "fdatasync",
            "truncate",
            "lseek",
        ),
    ),
    Twin(
        "a file sent by the kernel",
        """
import os
def f():
    with open("from", "wb") as file:
        file.write(b"x" * 100_000)
    with open("from", "rb") as source, open("to", "w+b") as target:
        sent = os.sendfile(target.fileno(), source.fileno(), 50_000, 60_000)
        return [sent, target.tell(), os.path.getsize("to")]
""",
        [50_000, 50_000, 50_000],
        needs=("sendfile",),
    ),
    Twin(
        "ranges copied by the kernel",
        """
import os
def f():
    with open("from", "wb") as file:
        file.write(bytes(range(256)) * 400)
    with open("from", "rb") as source, open("to", "w+b") as target:
        copied = os.copy_file_range(source.fileno(), target.fileno(), 102_400, 0, 0)
        return [copied, target.read() == bytes(range(256)) * 400]
""",
        [102_400, True],
        needs=("copy_file_range",),
        not_under={"runsc": "gVisor has no copy_file_range"},
    ),
    Twin(
        "descriptors doubled and closed",
        """
import os
def f():
    reader, writer = os.pipe()
    second = os.dup(writer)
    os.dup2(writer, 100)
    os.dup2(writer, 101, inheritable=False)
    os.dup2(writer, 102, inheritable=True)
    written = sum(os.write(fd, b"x") for fd in (writer, second, 100, 101, 102))
    seen = [os.read(reader, 10).decode(), os.get_inheritable(101), os.get_inheritable(102)]
    os.closerange(5, 256)
    return [written, seen, all(int(name) <= 5 for name in os.listdir("/proc/self/fd"))]
""",
        [5, ["xxxxx", False, True], True],
        needs=("dup2", "dup3"),
    ),
    Twin(
        "attributes of files",
        """
import os, shutil
def f():
    with open("file", "w") as file:
        names = [os.listxattr("file"), os.listxattr(file.fileno()), os.listxattr("file", follow_symlinks=False)]
        answers = []
        for target, follow in (("file", True), ("file", False), (file.fileno(), True)):
            try:
                os.getxattr(target, "user.none", follow_symlinks=follow)
            except OSError as fault:
                answers.append(fault.errno in {61, 95})
    shutil.copystat("file", "file")
    return [names, answers]
""",
        [[[], [], []], [True, True, True]],
        needs=("getxattr", "lgetxattr", "fgetxattr", "listxattr", "llistxattr", "flistxattr"),
    ),
    Twin(
        "memory: private, shared, mapped from a file",
        """
import mmap, os
def f():
    with open("data", "wb") as file:
        file.write(b"a" * 16_384)
    with open("data", "r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[:5] = b"hello"
        mapped.flush()
        mapped.madvise(mmap.MADV_SEQUENTIAL)
        at = mapped.find(b"lo")
        mapped.resize(32_768)
        grown = len(mapped)
    with open("data", "rb") as file:
        start = file.read(6).decode()
    with mmap.mmap(-1, 4_096) as shared:
        pid = os.fork()
        if pid == 0:
            shared[:4] = b"mine"
            os._exit(0)
        os.waitpid(pid, 0)
        seen = shared[:4].decode()
    blocks = [bytearray(1 << 20) for _ in range(64)]
    return [at, grown, start, seen, sum(map(len, blocks)) >> 20]
""",
        [3, 32_768, "helloa", "mine", 64],
        needs=("mmap", "msync", "madvise", "mremap"),
    ),
    Twin(
        "memory given back and taken again",
        """
import mmap
def f(rounds):
    total = 0
    for _ in range(rounds):
        with mmap.mmap(-1, 100 << 20, flags=mmap.MAP_PRIVATE) as block:
            block[:5] = b"taken"
            total += len(block) >> 20
    return total
""",
        2_000,
        {"rounds": 20},
        needs=("munmap",),
    ),
)
