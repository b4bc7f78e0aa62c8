"""The zygote: imports what tools use, then forks a call whenever the relay asks. It never sees a payload."""

from __future__ import annotations

import gc
import os
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from toolwright_agent import callfilter, child, footprint, inheritance, janitor, preload

REQUEST = struct.Struct(">cIII")
"""Kind, uid, gid, group of the scratch directory."""
STARTED = struct.Struct(">cI")
"""b"S", pid."""
ENDED = struct.Struct(">ciddQ")
"""b"E", wait status, user seconds, system seconds, peak resident bytes."""
CALL, JANITOR = b"C", b"J"
FDS = 4
"""Passed with a call: payload to read; result, stdout and stderr to write."""


@dataclass(frozen=True)
class Born:
    """What every call is born with, beside what it inherits."""

    reseed: Sequence[preload.Reseed]
    held: footprint.Footprint


def serve(channel: socket.socket, scratch: str) -> NoReturn:
    """Fork on request until the relay is gone."""
    reseed = preload.load()
    inheritance.confine(callfilter.build())
    # Everything alive now is for ever: the collector need not visit it, and so not copy its pages, in a call.
    gc.collect()
    gc.freeze()
    footprint.compact()
    born = Born(reseed, footprint.measure())
    channel.send(b"R")
    while True:
        message, fds, _, _ = socket.recv_fds(channel, REQUEST.size, FDS)
        if not message:
            os._exit(0)
        _serve_one(channel, REQUEST.unpack(message), fds, scratch, born)


def _serve_one(
    channel: socket.socket, request: tuple[bytes, int, int, int], fds: list[int], scratch: str, born: Born
) -> None:
    kind, uid, gid, group = request
    pid = os.fork()
    if pid == 0:
        try:
            channel.close()
            if kind == CALL:
                preload.draw_anew(born.reseed)
                child.run(child.Rights(uid, group, f"{scratch}/{uid}"), child.Channels(*fds), born.held)
            else:
                janitor.run(uid, gid, scratch)
        finally:
            os._exit(child.SETUP_FAILED)
    for fd in fds:
        os.close(fd)
    channel.send(STARTED.pack(b"S", pid))
    _, status, usage = os.wait4(pid, 0)
    channel.send(ENDED.pack(b"E", status, usage.ru_utime, usage.ru_stime, usage.ru_maxrss * 1024))
