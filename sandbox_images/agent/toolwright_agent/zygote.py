"""The zygote: imports what tools use, then forks a call whenever the relay asks. It never sees a payload."""

from __future__ import annotations

import gc
import importlib
import os
import random
import socket
import struct
from typing import NoReturn

from toolwright_agent import callfilter, child, janitor

# What tools import most. Importing `json` in each call costs more than all the rest of the call.
PRELOADED = [
    "array",
    "ast",
    "base64",
    "binascii",
    "bisect",
    "calendar",
    "cmath",
    "collections",
    "collections.abc",
    "contextlib",
    "copy",
    "csv",
    "dataclasses",
    "datetime",
    "decimal",
    "difflib",
    "enum",
    "fractions",
    "functools",
    "hashlib",
    "heapq",
    "inspect",
    "io",
    "ipaddress",
    "itertools",
    "json",
    "keyword",
    "math",
    "numbers",
    "operator",
    "os.path",
    "random",
    "re",
    "secrets",
    "statistics",
    "string",
    "struct",
    "sys",
    "textwrap",
    "time",
    "tokenize",
    "traceback",
    "types",
    "typing",
    "unicodedata",
    "urllib.parse",
    "uuid",
    "warnings",
    "weakref",
    "zlib",
    "zoneinfo",
]

REQUEST = struct.Struct(">cIIIIQQQI")
"""Kind, uid, gid, group of the scratch directory, processes, data, address space, file bytes, CPU seconds."""
STARTED = struct.Struct(">cI")
"""b"S", pid."""
ENDED = struct.Struct(">ciddQ")
"""b"E", wait status, user seconds, system seconds, peak resident bytes."""
CALL, JANITOR = b"C", b"J"
FDS = 4
"""Passed with a call: payload to read; result, stdout and stderr to write."""


def serve(channel: socket.socket, scratch: str) -> NoReturn:
    """Fork on request until the relay is gone."""
    for name in PRELOADED:
        importlib.import_module(name)
    program = callfilter.build()
    # Everything alive now is for ever: the collector need not visit it, and so not copy its pages, in a call.
    gc.collect()
    gc.freeze()
    channel.send(b"R")
    while True:
        message, fds, _, _ = socket.recv_fds(channel, REQUEST.size, FDS)
        if not message:
            os._exit(0)
        _serve_one(channel, REQUEST.unpack(message), fds, scratch, program)


def _serve_one(
    channel: socket.socket,
    request: tuple[bytes, int, int, int, int, int, int, int, int],
    fds: list[int],
    scratch: str,
    program: bytes,
) -> None:
    kind, uid, gid, group, processes, data_bytes, address_bytes, file_bytes, cpu_s = request
    pid = os.fork()
    if pid == 0:
        try:
            channel.close()
            if kind == CALL:
                rights = child.Rights(uid, group, scratch, processes, data_bytes, address_bytes, file_bytes, cpu_s)
                random.seed()  # else every call would draw the same numbers
                child.run(rights, child.Channels(*fds), program)
            else:
                janitor.run(uid, gid, scratch)
        finally:
            os._exit(child.SETUP_FAILED)
    for fd in fds:
        os.close(fd)
    channel.send(STARTED.pack(b"S", pid))
    _, status, usage = os.wait4(pid, 0)
    channel.send(ENDED.pack(b"E", status, usage.ru_utime, usage.ru_stime, usage.ru_maxrss * 1024))
