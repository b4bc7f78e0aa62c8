"""Places that several takers share."""

from __future__ import annotations

import threading
import time

import pytest

from toolwright.services.fair_share import FairShare

pytestmark = pytest.mark.unit


def never() -> bool:
    """Never give up."""
    return False


def test_one_alone_gets_all_places() -> None:
    """What nobody else wants is not held back."""
    share = FairShare(3)
    assert all(share.take("a", never) for _ in range(3))


def test_a_place_that_comes_free_goes_to_who_has_the_fewest() -> None:
    """A taker that holds all of them waits behind one that has none, although it asked first."""
    share = FairShare(2)
    share.take("greedy", never)
    share.take("greedy", never)
    got: list[str] = []

    def want(name: str) -> None:
        share.take(name, never)
        got.append(name)

    threads = []
    for name in ("greedy", "late"):
        threads.append(threading.Thread(target=want, args=(name,)))
        threads[-1].start()
        time.sleep(0.1)
    share.give_back("greedy")
    threads[1].join(5)
    assert got == ["late"]
    share.give_back("greedy")
    threads[0].join(5)
    assert got == ["late", "greedy"]


def test_a_taker_that_gives_up_gets_none() -> None:
    """It is let go when it is woken, and leaves its turn to the others."""
    share = FairShare(1)
    share.take("a", never)
    given_up = threading.Event()
    ends: list[bool] = []
    waiting = threading.Thread(target=lambda: ends.append(share.take("b", given_up.is_set)))
    waiting.start()
    time.sleep(0.1)
    given_up.set()
    share.wake()
    waiting.join(5)
    assert ends == [False]
    share.give_back("a")
    assert share.take("c", never)


def test_no_more_than_the_places_are_taken_at_a_time() -> None:
    """Under many takers, one waiting thread each."""
    share, lock = FairShare(3), threading.Lock()
    now, most = 0, 0

    def work(name: int) -> None:
        nonlocal now, most
        for _ in range(100):
            assert share.take(name, never)
            with lock:
                now += 1
                most = max(most, now)
            time.sleep(0)
            with lock:
                now -= 1
            share.give_back(name)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (now, most) == (0, 3)
