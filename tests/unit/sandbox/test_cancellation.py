"""One switch, one way: what is registered runs once, from whichever thread comes first."""

from __future__ import annotations

import threading

import pytest

from toolwright.sandbox.base import Cancellation

pytestmark = pytest.mark.unit


def test_callbacks_run_once_in_order() -> None:
    """A second cancel does nothing."""
    switch, heard = Cancellation(), list[int]()
    for number in range(3):
        switch.on_cancel(lambda number=number: heard.append(number))  # type: ignore[misc]  # binds now
    assert not switch.cancelled

    switch.cancel()
    switch.cancel()

    assert (heard, switch.cancelled) == ([0, 1, 2], True)


def test_a_late_callback_runs_at_once() -> None:
    """Nobody waits for a cancel that has already been."""
    switch, heard = Cancellation(), list[int]()
    switch.cancel()
    switch.on_cancel(lambda: heard.append(1))

    assert heard == [1]


def test_what_is_forgotten_does_not_run() -> None:
    """Once for each time that it was registered; what is not registered is no fault, before and after the cancel."""
    switch, heard = Cancellation(), list[int]()
    waiter = threading.Event()
    switch.on_cancel(waiter.set)
    switch.on_cancel(lambda: heard.append(1))
    switch.forget(waiter.set)
    switch.forget(waiter.set)

    switch.cancel()
    switch.forget(waiter.set)

    assert (heard, waiter.is_set()) == ([1], False)


def test_every_callback_runs_exactly_once_whoever_is_first() -> None:
    """Registering and cancelling at the same time loses nothing and doubles nothing."""
    for _ in range(200):
        switch, heard = Cancellation(), list[int]()
        threads = [
            threading.Thread(target=switch.on_cancel, args=(lambda heard=heard: heard.append(1),)) for _ in range(3)
        ]
        threads.append(threading.Thread(target=switch.cancel))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert heard == [1, 1, 1]
