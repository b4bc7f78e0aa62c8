"""The stream to a container never keeps us longer than we want to be kept."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest

from toolwright.sandbox.channel import Channel, ContainerLost, Interrupted
from toolwright.sandbox.frames import FrameType, pack

pytestmark = pytest.mark.unit

LARGE = b"x" * 4_000_000
"""More than a socket holds by itself."""


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    """A channel, and the other end of its stream."""
    ours, theirs = socket.socketpair()
    channel = Channel(ours)
    yield channel, theirs
    channel.close()
    theirs.close()


def later(seconds: float, what: threading.Event, channel: Channel) -> threading.Thread:
    """Set `what` and wake the channel after so many seconds."""

    def wake() -> None:
        time.sleep(seconds)
        what.set()
        channel.wake()

    thread = threading.Thread(target=wake)
    thread.start()
    return thread


def test_a_large_call_is_sent_whole(ends: tuple[Channel, socket.socket]) -> None:
    """In as many pieces as the other end takes; a wake that is not meant for it changes nothing."""
    channel, theirs = ends
    taken = bytearray()

    def take() -> None:
        while len(taken) < len(LARGE):
            taken.extend(theirs.recv(65_536))

    channel.wake()  # a late one, of an earlier call
    reader = threading.Timer(0.1, take)
    reader.start()
    channel.send(LARGE, lambda: False)
    reader.join(10)

    assert bytes(taken) == LARGE


def test_sending_to_one_that_takes_nothing_in_can_be_given_up(ends: tuple[Channel, socket.socket]) -> None:
    """A caller that goes away while an agent is stopped does not wait for the agent."""
    channel, _ = ends
    given_up = threading.Event()
    waker = later(0.1, given_up, channel)
    begun = time.monotonic()
    with pytest.raises(Interrupted):
        channel.send(LARGE, given_up.is_set)
    waker.join()

    assert 0.1 <= time.monotonic() - begun < 2


def test_a_word_to_one_that_takes_nothing_in_is_not_waited_for(ends: tuple[Channel, socket.socket]) -> None:
    """A kill is sent or not sent, at once."""
    channel, _ = ends
    given_up = threading.Event()
    waker = later(0.1, given_up, channel)
    with pytest.raises(Interrupted):
        channel.send(LARGE, given_up.is_set)  # the stream is full now
    waker.join()
    begun = time.monotonic()
    channel.send_now(pack(FrameType.KILL, 1))

    assert time.monotonic() - begun < 0.1


def test_a_wake_ends_the_wait_for_frames(ends: tuple[Channel, socket.socket]) -> None:
    """And is forgotten with it: the next wait is a whole one."""
    channel, _ = ends
    waker = later(0.1, threading.Event(), channel)
    begun = time.monotonic()
    assert channel.receive(begun + 5) == []
    woken = time.monotonic() - begun
    waker.join()
    assert channel.receive(time.monotonic() + 0.1) == []

    assert 0.1 <= woken < 2
    assert time.monotonic() - begun >= woken + 0.1


def test_frames_come_in_pieces(ends: tuple[Channel, socket.socket]) -> None:
    """Each is given once it is whole."""
    channel, theirs = ends
    frame = pack(FrameType.STARTED, 7)
    sent = struct.pack(">BxxxI", 1, len(frame)) + frame
    theirs.send(sent[:20])
    assert channel.receive(time.monotonic() + 1) == []
    assert not channel.between_frames
    theirs.send(sent[20:])

    assert [one.call_id for one in channel.receive(time.monotonic() + 1)] == [7]
    assert channel.between_frames


def test_the_end_of_the_stream_is_told(ends: tuple[Channel, socket.socket]) -> None:
    """Of an idle one it shows as no silence, of one that is waited for as lost."""
    channel, theirs = ends
    assert channel.silent
    theirs.close()

    assert not channel.silent
    with pytest.raises(ContainerLost):
        channel.receive(time.monotonic() + 1)


def test_what_is_closed_can_be_woken_and_closed(ends: tuple[Channel, socket.socket]) -> None:
    """A late cancel wakes nobody else's descriptor."""
    channel, _ = ends
    channel.close()
    channel.wake()
    channel.close()
