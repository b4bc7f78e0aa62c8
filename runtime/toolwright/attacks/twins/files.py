"""Twins that work with files in the scratch space."""

from __future__ import annotations

from typing import Final

from toolwright.attacks.twins.twin import Twin

TWINS: Final = (
    Twin(
        "files and directories by path",
        """
import os, pathlib
def f():
    base = pathlib.Path("tree/branch")
    base.mkdir(parents=True)
    leaf = base / "leaf.txt"
    leaf.write_text("one\\ntwo\\n")
    with leaf.open("r+") as file:
        file.seek(4)
        file.write("TWO")
        file.truncate(7)
    leaf.rename(base / "renamed.txt")
    (base / "hard").hardlink_to(base / "renamed.txt")
    (base / "soft").symlink_to("renamed.txt")
    found = sorted(str(one) for one in pathlib.Path("tree").rglob("*"))
    answers = [found, (base / "soft").read_text(), os.readlink(base / "soft"), (base / "hard").stat().st_nlink]
    for one in base.iterdir():
        one.unlink()
    base.rmdir()
    return answers + [os.listdir("tree"), os.path.exists("nothing"), os.access("tree", os.W_OK),
                      os.getcwd() == os.environ["HOME"]]
""",
        [
            ["tree/branch", "tree/branch/hard", "tree/branch/renamed.txt", "tree/branch/soft"],
            "one\nTWO",
            "renamed.txt",
            2,
            [],
            False,
            True,
            True,
        ],
        needs=(
            "openat",
            "newfstatat",
            "read",
            "write",
            "close",
            "lseek",
            "ftruncate",
            "mkdir",
            "rmdir",
            "unlink",
            "rename",
            "link",
            "symlink",
            "readlink",
            "getdents64",
            "access",
            "getcwd",
            "ioctl",
        ),
    ),
    Twin(
        "files by directory descriptor",
        """
import os
def f():
    os.mkdir("base")
    fd = os.open("base", os.O_RDONLY | os.O_DIRECTORY)
    os.mkdir("in", dir_fd=fd)
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=fd))
    os.link("file", "hard", src_dir_fd=fd, dst_dir_fd=fd)
    os.symlink("file", "soft", dir_fd=fd)
    os.rename("hard", "moved", src_dir_fd=fd, dst_dir_fd=fd)
    os.chmod("file", 0o640, dir_fd=fd)
    os.utime("file", (1, 2), dir_fd=fd)
    seen = os.stat("file", dir_fd=fd)
    answers = [os.readlink("soft", dir_fd=fd), oct(seen.st_mode), [seen.st_atime, seen.st_mtime],
               sorted(os.listdir(fd)),
               os.access("file", os.R_OK, dir_fd=fd), os.access("file", os.W_OK, dir_fd=fd, effective_ids=True)]
    for name in ("file", "soft", "moved"):
        os.unlink(name, dir_fd=fd)
    os.rmdir("in", dir_fd=fd)
    return answers + [os.listdir(fd)]
""",
        [
            "file",
            "0o100640",
            [1.0, 2.0],
            ["file", "in", "moved", "soft"],
            True,
            True,
            [],
        ],
        needs=(
            "mkdirat",
            "linkat",
            "symlinkat",
            "renameat",
            "readlinkat",
            "unlinkat",
            "fchmodat",
            "utimensat",
            "faccessat2",
        ),
    ),
    Twin(
        "working directory and file modes",
        """
import os, shutil
def f():
    home = os.getcwd()
    os.mkdir("sub")
    os.chdir("sub")
    fd = os.open(home, os.O_RDONLY)
    inside = os.path.relpath(os.getcwd(), home)
    os.fchdir(fd)
    old = os.umask(0o022)
    with open("file", "w") as file:
        file.write("x")
        first = oct(os.fstat(file.fileno()).st_mode)
        os.fchmod(file.fileno(), 0o400)
    os.umask(old)
    second = oct(os.lstat("file").st_mode)
    os.chmod("file", 0o600)
    os.utime("file", ns=(10**9, 2 * 10**9))
    seen = os.stat("file")
    usage, room = shutil.disk_usage("."), os.fstatvfs(fd)
    return [inside, os.getcwd() == home, oct(old), first, second, oct(seen.st_mode), seen.st_mtime_ns,
            usage.total > usage.free > 0, room.f_blocks > room.f_bavail > 0, seen.st_uid == os.getuid()]
""",
        ["sub", True, "0o77", "0o100644", "0o100400", "0o100600", 2 * 10**9, True, True, True],
        needs=("chdir", "fchdir", "umask", "fchmod", "chmod", "statfs", "fstatfs"),
    ),
    Twin(
        "temporary files",
        """
import os, tempfile
def f():
    with tempfile.TemporaryDirectory() as directory:
        with tempfile.NamedTemporaryFile("w+", dir=directory, suffix=".txt") as file:
            file.write("kept")
            file.seek(0)
            text, here = file.read(), os.path.dirname(file.name) == directory
        fd, path = tempfile.mkstemp(dir=directory)
        os.close(fd)
        mode = oct(os.stat(path).st_mode)
    with tempfile.TemporaryFile() as nameless, tempfile.SpooledTemporaryFile(max_size=10) as spooled:
        nameless.write(b"n" * 10_000)
        spooled.write(b"s" * 100)
        sizes = [nameless.tell(), spooled.tell()]
    return [text, here, mode, os.path.exists(directory), sizes, tempfile.gettempdir() == os.environ["HOME"]]
""",
        ["kept", True, "0o100600", False, [10_000, 100], True],
    ),
    Twin(
        "copies, trees and globs",
        """
import filecmp, fnmatch, glob, os, shutil
def f():
    os.makedirs("a/b/c")
    for path in ("a/one.txt", "a/b/two.txt", "a/b/c/three.log"):
        with open(path, "w") as file:
            file.write(path)
    shutil.copytree("a", "copy")
    shutil.copy2("a/one.txt", "copy/again.txt")
    shutil.move("copy/b/two.txt", "copy/moved.txt")
    answers = [sorted(glob.glob("copy/**/*.txt", recursive=True)),
               filecmp.cmp("a/one.txt", "copy/again.txt", shallow=False),
               sorted(fnmatch.filter(os.listdir("copy"), "*o*")), sum(len(files) for _, _, files in os.walk("copy"))]
    shutil.rmtree("copy")
    shutil.rmtree("a")
    return answers + [os.listdir(".")]
""",
        [["copy/again.txt", "copy/moved.txt", "copy/one.txt"], True, ["moved.txt", "one.txt"], 4, []],
    ),
    Twin(
        "zip and tar archives",
        """
import io, os, tarfile, zipfile
def f():
    os.mkdir("in")
    for n in range(20):
        with open(f"in/{n:02}.txt", "w") as file:
            file.write("line\\n" * n)
    with zipfile.ZipFile("a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(os.listdir("in")):
            archive.write(f"in/{name}")
    with tarfile.open("a.tar.xz", "w:xz") as archive:
        archive.add("in")
    with zipfile.ZipFile("a.zip") as archive:
        first = [archive.testzip(), len(archive.namelist()), archive.read("in/03.txt").decode()]
        archive.extractall("unzipped")
    with tarfile.open("a.tar.xz") as archive:
        archive.extractall("untarred", filter="data")
    return [first, len(os.listdir("unzipped/in")), os.path.getsize("untarred/in/19.txt")]
""",
        [[None, 20, "line\nline\nline\n"], 20, 95],
    ),
    Twin(
        "a database in a file",
        """
import sqlite3, os, dbm.sqlite3, shelve
def f():
    db = sqlite3.connect("shop.db")
    with db:
        db.execute("create table item (id integer primary key, name text unique)")
        db.executemany("insert into item (name) values (?)", [(f"item {n}",) for n in range(1_000)])
    other = sqlite3.connect("shop.db")
    count = other.execute("select count(*), max(id) from item").fetchone()
    try:
        with db:
            db.execute("insert into item (name) values ('new')")
            db.execute("insert into item (name) values ('item 7')")
    except sqlite3.IntegrityError as fault:
        refused = str(fault)
    size = other.execute("select count(*) from item").fetchone()[0]
    journal = db.execute("pragma journal_mode = wal").fetchone()[0] if other.close() is None else ""
    db.close()
    with shelve.open("shelf", "n") as shelf:
        shelf["key"] = [1, 2]
        kept = shelf["key"]
    return [count, refused, size, os.path.exists("shop.db"), kept]
""",
        [[1_000, 1_000], "UNIQUE constraint failed: item.name", 1_000, True, [1, 2]],
        needs=("pread64", "pwrite64", "fdatasync"),
    ),
    Twin(
        "compressed files",
        """
import bz2, gzip, lzma, os
def f():
    answers = []
    for module, name in ((gzip, "a.gz"), (bz2, "a.bz2"), (lzma, "a.xz")):
        with module.open(name, "wt", encoding="utf-8") as file:
            for n in range(5_000):
                file.write(f"row {n}\\n")
        with module.open(name, "rt", encoding="utf-8") as file:
            answers.append([sum(1 for _ in file), os.path.getsize(name) < 30_000])
    return answers
""",
        [[5_000, True]] * 3,
    ),
)
