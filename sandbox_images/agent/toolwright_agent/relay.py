"""PID 1: moves bytes between the controller and one call at a time, and sees to its end.

It holds no secret. Once the zygote is forked it never forks again, so what it reads stays out of every
later call's memory. It has the capabilities SETUID, SETGID and KILL and no other.
"""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from toolwright_agent import PROTOCOL_VERSION, child, janitor, processes, zygote
from toolwright_agent.call import Call, Spare, Stream
from toolwright_agent.frames import CHUNK, FrameReader, FrameType, pack

CALL_HEADER = struct.Struct(">I")
"""Length of the JSON header that precedes the payload in a CALL frame."""
CLEAN_UP_S = 1.0
"""Longest clean-up; after it the container is reported as not clean and thrown away."""
OVERDUE_S = 0.1
"""A call ends this long after its time limit even if nobody says so: the controller may be stopped or stalled."""
YIELD_S = 0.1
"""A call that is older gets the lowest priority, so that it cannot starve the agent that has to end it.

Not before: the kernel weighs a container by what runs in it, so a short call would come off badly beside others.
"""
LOWEST_PRIORITY = 19
_WORDS_BYTES = 500
_FLUSH_BYTES = 32 * 1024
_FLUSH_S = 0.02
_KILL_AGAIN_S = 0.005
_WATCH_S = 0.02


@dataclass(frozen=True)
class Settings:
    """What the controller chose for this container."""

    uid_base: int
    """The shield's uid; calls get the ones above it, each once."""
    group: int
    """Group that may make directories in the scratch space."""
    scratch: str


class ControllerGone(Exception):
    """The channel to the controller is closed. Nothing is left to do but end."""


class Relay:
    """The event loop of PID 1."""

    def __init__(self, settings: Settings, channel: socket.socket) -> None:
        """Serve calls through the zygote behind `channel`."""
        self._settings = settings
        self._channel = channel
        self._reader = FrameReader(PROTOCOL_VERSION)
        self._next_uid = settings.uid_base + 1
        self._inbox: list[tuple[FrameType, int, bytes]] = []
        self._oom_fd = _open_oom_counter()
        self._baseline = self._usage()
        os.set_blocking(0, False)
        self._spare: Spare | None = self._prepare()
        self._unheard = len(child.WAITS)
        """Bytes that the spare sends ahead of its result, for us alone."""

    def serve(self) -> None:
        """Say hello, then run calls until the controller closes the channel."""
        hello = {
            "protocol": PROTOCOL_VERSION,
            "python": ".".join(map(str, sys.version_info[:3])),
            "uid_base": self._settings.uid_base,
            "counts_oom": self._oom_fd is not None,
        }
        self._await_first()
        # So that orphans, all of which PID 1 inherits, leave no zombies that would count as processes of the call.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        self._send(FrameType.HELLO, 0, json.dumps(hello).encode())
        try:
            while True:
                kind, call_id, body = self._next_frame()
                if kind is FrameType.CALL:
                    self._run(call_id, body)
                # A KILL for a call that has already ended comes late and means nothing.
        except ControllerGone:
            return

    def _await_first(self) -> None:
        """Wait until a process waits: where none can be confined, there is no hello, and so no container."""
        spare = self._spare
        if spare is None:
            return
        select.select([spare.result_fd], [], [])
        if os.read(spare.result_fd, len(child.WAITS)) != child.WAITS:
            raise SystemExit(_last_words(spare))
        self._unheard = 0

    # --- one call -------------------------------------------------------------------------

    def _run(self, call_id: int, body: bytes) -> None:
        (length,) = CALL_HEADER.unpack_from(body)
        start = CALL_HEADER.size + length
        header: dict[str, Any] = json.loads(body[CALL_HEADER.size : start])
        if self._spare is None:
            raise SystemExit("a call after one that left no proof of its end")
        spare, self._spare = self._spare, None
        call = self._start(call_id, header, body[start:], spare)
        self._queue(call, FrameType.STARTED, b"")
        ooms = self._ooms()
        self._pump(call)
        wall_s = time.monotonic() - call.started
        clean = self._clean_up(call.uid)
        self._drain(call)
        self._report(call, wall_s, self._ooms() - ooms, clean=clean)
        self._reader.wipe()
        if clean:
            self._spare, self._unheard = self._prepare(), len(child.WAITS)

    def _prepare(self) -> Spare:
        """Have the next call's process forked and confined, before there is a call for it."""
        uid, self._next_uid = self._next_uid, self._next_uid + 1
        payload_r, payload_w = os.pipe2(os.O_CLOEXEC)
        result_r, result_w = os.pipe2(os.O_CLOEXEC)
        out_r, out_w = os.pipe2(os.O_CLOEXEC)
        err_r, err_w = os.pipe2(os.O_CLOEXEC)
        theirs = [payload_r, result_w, out_w, err_w]
        socket.send_fds(self._channel, [zygote.REQUEST.pack(zygote.CALL, uid, uid, self._settings.group)], theirs)
        for fd in theirs:
            os.close(fd)
        for fd in (payload_w, result_r, out_r, err_r):
            os.set_blocking(fd, False)
        return Spare(uid, payload_w, result_r, out_r, err_r)

    def _start(self, call_id: int, header: dict[str, Any], payload: bytes, spare: Spare) -> Call:
        limits = child.LIMITS.pack(
            header["processes"],
            header["data_bytes"],
            # Where no memory cgroup is to be seen (gVisor), this is what bounds a process.
            header["data_bytes"] if self._oom_fd is None else 0,
            header["file_bytes"],
            header["cpu_s"],
        )
        streams = {
            spare.result_fd: Stream(spare.result_fd, FrameType.RESULT, header["result_bytes"] + 64, ours=self._unheard),
            spare.stdout_fd: Stream(spare.stdout_fd, FrameType.STDOUT, header["output_bytes"]),
            spare.stderr_fd: Stream(spare.stderr_fd, FrameType.STDERR, header["output_bytes"]),
        }
        started = time.monotonic()
        return Call(
            call_id,
            spare.uid,
            memoryview(limits + payload),
            spare.payload_fd,
            streams,
            started=started,
            due=started + header["wall_s"] + OVERDUE_S,
            memory_bytes=header["memory_bytes"],
        )

    def _pump(self, call: Call) -> None:
        """Move bytes until the process of the call has ended."""
        poll = select.poll()
        poll.register(0, select.POLLIN)
        poll.register(self._channel, select.POLLIN)
        poll.register(call.payload_fd, select.POLLOUT)
        for fd in call.streams:
            poll.register(fd, select.POLLIN)
        self._obey(call)  # a kill that came in one piece with the call is in the inbox
        while call.ended is None:
            for fd, _ in poll.poll(self._patience_ms(call)):
                self._serve_fd(call, poll, fd)
            if call.pending and time.monotonic() - call.pending_since >= _FLUSH_S:
                self._flush(call)
            if self._oom_fd is None:
                self._watch_memory(call)
            self._watch_time(call)
            self._make_it_yield(call)
            if call.doomed:
                self._kill(call.uid)
        if call.payload_fd >= 0:
            os.close(call.payload_fd)

    def _serve_fd(self, call: Call, poll: select.poll, fd: int) -> None:
        if fd == call.payload_fd:
            self._feed(call, poll)
        elif fd in call.streams:
            if not self._forward(call, call.streams[fd]):
                poll.unregister(fd)
        elif fd == 0:
            self._obey(call)
        else:
            self._hear_zygote(call)

    def _patience_ms(self, call: Call) -> float:
        if call.doomed:
            return _KILL_AGAIN_S * 1000
        left_s = max(0.0, (call.due if call.yields else call.started + YIELD_S) - time.monotonic())
        if self._oom_fd is None:
            left_s = min(left_s, _WATCH_S)
        return 1000 * (min(left_s, _FLUSH_S) if call.pending else left_s)

    @staticmethod
    def _watch_time(call: Call) -> None:
        """End the call if its time was up a while ago, and the controller has not said so."""
        if call.ended is None and time.monotonic() >= call.due:
            call.cut_off = call.doomed = True

    def _watch_memory(self, call: Call) -> None:
        """End the call if its processes hold too much together: where no memory cgroup is to be seen (gVisor)."""
        if call.doomed or time.monotonic() - call.looked < _WATCH_S:
            return
        if processes.resident_bytes(call.uid) > call.memory_bytes:
            call.starved = call.doomed = True
        call.looked = time.monotonic()

    def _feed(self, call: Call, poll: select.poll) -> None:
        try:
            call.payload = call.payload[os.write(call.payload_fd, call.payload[:CHUNK]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            call.payload = memoryview(b"")
        if not call.payload:
            poll.unregister(call.payload_fd)
            os.close(call.payload_fd)
            call.payload_fd = -1

    def _forward(self, call: Call, stream: Stream) -> bool:
        """Forward what is there; return whether more may come."""
        try:
            data = os.read(stream.fd, CHUNK)
        except BlockingIOError:
            return True
        if not data:
            return False
        if kept := stream.take(data):
            self._queue(call, stream.kind, kept)
        if stream.flooded and not call.flooded:
            call.flooded = call.doomed = True
        return True

    def _obey(self, call: Call) -> None:
        frames, self._inbox = self._inbox + self._read_frames(), []
        for frame in frames:
            kind, call_id, _ = frame
            if kind is FrameType.KILL and call_id == call.id:
                call.doomed = True
                call.cut_off = call.cut_off or call.ended is None
            elif kind is FrameType.CALL:
                self._inbox.append(frame)

    def _hear_zygote(self, call: Call) -> None:
        message = self._channel.recv(64)
        if not message:
            raise SystemExit("the zygote is gone")
        if message[:1] == b"S":
            return
        _, status, user_s, system_s, peak = zygote.ENDED.unpack(message)
        call.ended = (status, user_s, system_s, peak)

    # --- its end --------------------------------------------------------------------------

    def _make_it_yield(self, call: Call) -> None:
        """Give every process of a call that has lasted a while the lowest priority; its children inherit it."""
        if call.yields or time.monotonic() < call.started + YIELD_S:
            return
        call.yields = True
        if self._oom_fd is not None:  # gVisor knows no priorities of users, and schedules by itself
            with self._as_call(call.uid), suppress(ProcessLookupError):
                os.setpriority(os.PRIO_USER, call.uid, LOWEST_PRIORITY)

    def _kill(self, uid: int) -> None:
        """Send SIGKILL to every process of `uid`.

        As `uid` itself, kill(-1) reaches exactly its own processes, at once, with no list to race with.
        """
        with self._as_call(uid), suppress(ProcessLookupError, PermissionError):
            os.kill(-1, signal.SIGKILL)

    @contextmanager
    def _as_call(self, uid: int) -> Iterator[None]:
        """Be `uid`. Real uid is the shield's meanwhile, so that none of its processes may signal us."""
        os.setresuid(self._settings.uid_base, uid, 0)
        try:
            yield
        finally:
            os.setresuid(0, 0, 0)

    def _clean_up(self, uid: int) -> bool:
        """Remove every process and file of the call; return whether that is proved."""
        deadline = time.monotonic() + CLEAN_UP_S
        pause = 0.0
        while True:
            self._kill(uid)
            processes.reap()
            if not processes.alive(uid):
                break
            if time.monotonic() > deadline:
                return False
            time.sleep(pause)
            pause = min(0.01, pause + 0.0002)
        return self._remove_directory(uid, deadline) and self._scratch_is_empty(deadline)

    def _remove_directory(self, uid: int, deadline: float) -> bool:
        path = f"{self._settings.scratch}/{uid}"
        with suppress(FileNotFoundError):
            try:
                os.rmdir(path)
            except OSError as fault:
                if fault.errno != errno.ENOTEMPTY:
                    return False
                if not self._run_janitor(uid, deadline):
                    return False
                os.rmdir(path)
        return True

    def _run_janitor(self, uid: int, deadline: float) -> bool:
        request = zygote.REQUEST.pack(zygote.JANITOR, uid, self._settings.uid_base, 0)
        self._channel.send(request)
        pid = 0
        while True:
            self._channel.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                message = self._channel.recv(64)
            except TimeoutError:
                if pid:
                    os.kill(pid, signal.SIGKILL)
                return False  # the zygote's answer is still to come: this container takes no further call
            finally:
                self._channel.settimeout(None)
            if message[:1] == b"S":
                pid = zygote.STARTED.unpack(message)[1]
                continue
            return bool(zygote.ENDED.unpack(message)[1] == janitor.CLEAN)

    def _scratch_is_empty(self, deadline: float) -> bool:
        # An unlinked file's space comes back when the last process that held it is really gone.
        while self._usage() != self._baseline:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.001)
        return True

    def _usage(self) -> tuple[int, int]:
        numbers = os.statvfs(self._settings.scratch)
        return numbers.f_bfree, numbers.f_ffree

    def _drain(self, call: Call) -> None:
        """Take what is still in the pipes; every writer is dead."""
        for stream in call.streams.values():
            while self._more(stream) and self._forward(call, stream):
                pass
            os.close(stream.fd)

    @staticmethod
    def _more(stream: Stream) -> bool:
        ready, _, _ = select.select([stream.fd], [], [], 0)
        return bool(ready)

    def _report(self, call: Call, wall_s: float, ooms: int, *, clean: bool) -> None:
        if call.ended is None:
            raise SystemExit("no end to report")
        status, user_s, system_s, peak = call.ended
        totals = {stream.kind: stream.total for stream in call.streams.values()}
        report = {
            "status": status,
            "wall_ms": wall_s * 1000,
            "cpu_ms": (user_s + system_s) * 1000,
            "peak_memory_bytes": peak,
            "ooms": ooms + call.starved,
            "flooded": call.flooded,
            "cut_off": call.cut_off,
            "clean": clean,
            "stdout_bytes": totals[FrameType.STDOUT],
            "stderr_bytes": totals[FrameType.STDERR],
        }
        self._queue(call, FrameType.EXITED, json.dumps(report).encode())
        self._flush(call)

    def _ooms(self) -> int:
        if self._oom_fd is None:
            return 0
        for line in os.pread(self._oom_fd, 1024, 0).splitlines():
            name, _, value = line.partition(b" ")
            if name == b"oom_kill":
                return int(value)
        return 0

    # --- the channel ----------------------------------------------------------------------

    def _queue(self, call: Call, kind: FrameType, body: bytes) -> None:
        """Hold small frames back for a moment: one write for a whole short call instead of five."""
        if not call.pending:
            call.pending_since = time.monotonic()
        call.pending += pack(PROTOCOL_VERSION, kind, call.id, body)
        if len(call.pending) >= _FLUSH_BYTES:
            self._flush(call)

    def _flush(self, call: Call) -> None:
        _write_all(bytes(call.pending))
        call.pending.clear()

    def _send(self, kind: FrameType, call_id: int, body: bytes) -> None:
        _write_all(pack(PROTOCOL_VERSION, kind, call_id, body))

    def _next_frame(self) -> tuple[FrameType, int, bytes]:
        while not self._inbox:
            ready, _, _ = select.select([0, self._channel.fileno()], [], [])
            if self._channel.fileno() in ready:
                self._hear_of_spare()
            if 0 in ready:
                self._inbox += self._read_frames()
        return self._inbox.pop(0)

    def _hear_of_spare(self) -> None:
        if self._channel.recv(64)[:1] != b"S":
            raise SystemExit(_last_words(self._spare) if self._spare else "the zygote has ended")

    def _read_frames(self) -> list[tuple[FrameType, int, bytes]]:
        try:
            data = os.read(0, 4 * CHUNK)
        except BlockingIOError:
            return []
        if not data:
            raise ControllerGone
        return self._reader.feed(data)


def _last_words(spare: Spare) -> str:
    """Say that the process that waits for the next call has ended, or the zygote has, and what it said."""
    said = ""
    with suppress(BlockingIOError):
        said = os.read(spare.stderr_fd, _WORDS_BYTES).decode("utf-8", "replace")
    return f"no process waits for the next call; {said}"


def _write_all(data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(1, view) :]
        except BlockingIOError:
            select.select([], [1], [])


def _open_oom_counter() -> int | None:
    for path in ("/sys/fs/cgroup/memory/memory.oom_control", "/sys/fs/cgroup/memory.events"):
        with suppress(OSError):
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    return None
