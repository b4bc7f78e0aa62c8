"""Entry point of the container: fork the zygote first, then relay. Arguments: uid base, scratch group, scratch path."""

from __future__ import annotations

import errno
import fcntl
import gc
import os
import signal
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from toolwright_agent import child, kernel, relay, zygote

_SHARED = ("/dev/fuse", "/dev/mqueue", "/dev/net", "/dev/ptmx", "/dev/shm", "/tmp", "/var/tmp")  # noqa: S108 - shut


def main() -> int:
    """Start both long-lived processes; the relay's end is the container's."""
    uid_base, group, scratch = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _close_shared_places()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        ours.close()
        zygote.serve(_kept_apart(theirs), scratch)
    theirs.close()
    if ours.recv(1) != b"R":
        # What it said itself, if it could, stands before this.
        os.write(2, b"what the image imports ahead did not load: its memory limit may be too low for it")
        return 1
    gc.freeze()
    relay.Relay(relay.Settings(uid_base, group, scratch), ours).serve()
    return 0


def _close_shared_places() -> None:
    """Shut places that engine or runtime open to everyone: what a call left there, the next would find.

    Docker mounts /dev/mqueue writable by all, and a /dev/ptmx that makes terminals, which no tool needs; gVisor
    adds /dev/fuse, a device for networks, /dev/shm and a /tmp of its own.
    """
    for path in _SHARED:
        try:
            os.chmod(path, 0o700)
        except FileNotFoundError:
            continue
        except OSError as fault:
            # Read-only like the root around it: nobody can leave anything there.
            if fault.errno != errno.EROFS:
                raise


def _kept_apart(channel: socket.socket) -> socket.socket:
    """Return `channel` above the descriptors of a call, and let go of the one to the controller, the relay's alone."""
    above = socket.socket(fileno=fcntl.fcntl(channel, fcntl.F_DUPFD_CLOEXEC, child.FIRST_FREE_FD))
    channel.close()
    for fd, mode in ((0, os.O_RDONLY), *((fd, os.O_WRONLY) for fd in (1, *range(3, child.FIRST_FREE_FD)))):
        null = os.open("/dev/null", mode)
        if null != fd:
            os.dup2(null, fd, inheritable=False)
            os.close(null)
    for stream in (sys.stdout, sys.stderr):
        # A call that is killed keeps what it printed so far; odd characters never make printing fail.
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    return above


if __name__ == "__main__":
    sys.exit(main())
