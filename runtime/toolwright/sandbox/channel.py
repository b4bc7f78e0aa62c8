"""The one stream to a container: what we send to its agent, and the frames that come back."""

from __future__ import annotations

import math
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from toolwright.sandbox.frames import Frame, FrameDecoder, MuxDecoder

SEND_S = 10.0
"""Longest wait for an agent to take in a call, in seconds."""
_RECEIVE_BYTES = 262_144


class ContainerLost(Exception):
    """The stream ended or failed: the container is gone."""


class Interrupted(Exception):
    """Woken before all was sent. The agent has a part of it, so it can be sent nothing else."""


class Channel:
    """An attached stream. One thread sends and receives; any other may wake it."""

    def __init__(self, stream: socket.socket) -> None:
        """Take over `stream`."""
        stream.setblocking(False)  # noqa: FBT003 - the socket's own parameter
        self._socket = stream
        self._mux = MuxDecoder()
        self._decoder = FrameDecoder()
        # Readable once somebody wakes us: ends a wait at once.
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._lock = threading.Lock()
        self._open = True

    @property
    def stderr(self) -> bytes:
        """The last of what the container wrote beside its frames."""
        return self._mux.stderr

    @property
    def between_frames(self) -> bool:
        """Whether no part of a frame is waiting for its rest."""
        return self._decoder.empty

    @property
    def silent(self) -> bool:
        """Whether nothing waits to be read. An idle agent is silent: end of stream or a byte tells that it is not."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def send(self, data: bytes, given_up: Callable[[], bool]) -> None:
        """Send all of `data`.

        Args:
            data: what to send.
            given_up: asked after a `wake` whether to go on.

        Raises:
            OSError: the stream failed, or was not taken in within SEND_S (TimeoutError).
            Interrupted: given up before all was sent.
        """
        view = memoryview(data)
        deadline = time.monotonic() + SEND_S
        while view:
            with suppress(BlockingIOError):
                view = view[self._socket.send(view) :]
                continue
            ready = self._wait(select.POLLOUT, deadline)
            if self._was_woken(ready) and given_up():
                raise Interrupted("given up while sending")
            if not ready:
                raise TimeoutError(f"the agent took nothing in for {SEND_S:g} s")

    def send_now(self, data: bytes) -> None:
        """Send a few bytes without waiting; an agent that takes nothing in does not get them."""
        with suppress(OSError):
            self._socket.send(data)

    def receive(self, deadline: float) -> list[Frame]:
        """Return the frames that come next; none if the deadline passes or `wake` is called.

        Raises:
            ContainerLost: the stream ended.
            FramingBroken: what came is no frame.
        """
        ready = self._wait(select.POLLIN, deadline)
        self._was_woken(ready)
        if self._socket.fileno() not in ready:
            return []
        try:
            data = self._socket.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return []
        except OSError as fault:
            raise ContainerLost(f"the sandbox's stream failed: {fault}") from None
        if not data:
            raise ContainerLost("the sandbox ended in the middle of the call")
        return self._decoder.feed(self._mux.feed(data))

    def wake(self) -> None:
        """End the wait of the thread that sends or receives. From any thread, at any time."""
        with self._lock:  # once closed, the descriptor's number may be another's
            if self._open:
                os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """Let go of the stream. Safe to call twice."""
        with self._lock:
            if not self._open:
                return
            self._open = False
            with suppress(OSError):
                self._socket.close()
            os.close(self._wake)

    def _was_woken(self, ready: set[int]) -> bool:
        """Whether `wake` was called, or a late one of an earlier call is still to be heard; forgets it."""
        if self._wake not in ready:
            return False
        with suppress(BlockingIOError):
            os.eventfd_read(self._wake)
        return True

    def _wait(self, event: int, deadline: float) -> set[int]:
        poll = select.poll()
        poll.register(self._socket, event)
        poll.register(self._wake, select.POLLIN)
        timeout_ms = max(0, math.ceil((deadline - time.monotonic()) * 1000))
        return {fd for fd, _ in poll.poll(timeout_ms)}
