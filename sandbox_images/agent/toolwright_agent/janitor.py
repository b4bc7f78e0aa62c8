"""Empties a call's scratch directory after its end, as its own user: it reaches no more than the call could."""

from __future__ import annotations

import os
import stat
from typing import NoReturn

from toolwright_agent import kernel

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
CLEAN, NOT_CLEAN = 0, 1


def run(uid: int, shield: int, scratch: str) -> NoReturn:
    """Become `uid`, empty its directory and end with CLEAN or NOT_CLEAN.

    Args:
        uid: the call's user.
        shield: real and saved user of this process, so that nothing left of the call can signal it.
        scratch: where the call's directory is.
    """
    status = NOT_CLEAN
    try:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(shield, uid, shield)
        kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
        home = f"{scratch}/{uid}"
        os.chmod(home, 0o700)  # no link: the call could not replace what stands in a directory of the agent's
        top = os.open(home, _DIRECTORY)
        empty(top)
        status = CLEAN
    finally:
        os._exit(status)


def empty(top: int) -> None:
    """Remove all that is in the directory `top`, following no link, holding few descriptors at any depth.

    A directory within a directory is moved up to `top` before it is emptied, so a deep tree takes no
    recursion and no descriptor per level. The file system's inode limit bounds the work.
    """
    counter = 0
    while names := os.listdir(top):
        for name in names:
            if not _is_directory(top, name):
                os.unlink(name, dir_fd=top)
                continue
            counter = _lift(top, name, counter)
            os.rmdir(name, dir_fd=top)


def _lift(top: int, name: str, counter: int) -> int:
    # A directory without permissions opens only after they are restored; it is ours, and no link.
    os.chmod(name, 0o700, dir_fd=top)
    inner = os.open(name, _DIRECTORY, dir_fd=top)
    try:
        for child in os.listdir(inner):
            if not _is_directory(inner, child):
                os.unlink(child, dir_fd=inner)
                continue
            os.chmod(child, 0o700, dir_fd=inner)  # moving a directory rewrites its `..`
            while True:
                counter += 1
                target = f".lifted-{counter}"
                if not _exists(top, target):
                    break
            os.rename(child, target, src_dir_fd=inner, dst_dir_fd=top)
    finally:
        os.close(inner)
    return counter


def _is_directory(where: int, name: str) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=where, follow_symlinks=False).st_mode)


def _exists(where: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=where, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
