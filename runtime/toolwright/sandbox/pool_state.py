"""What a warm pool has, who waits for it, and who gets what. The pool's one lock protects all of it.

Nothing here locks, waits or starts anything: `pool.WarmPool` and `refiller.Refiller` do.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Final

from toolwright.domain.call import Isolation
from toolwright.errors import Overloaded, SandboxUnavailable, ToolwrightError
from toolwright.sandbox.backoff import Backoff, retold
from toolwright.sandbox.base import SandboxKey
from toolwright.sandbox.demand import Demand, Rate
from toolwright.sandbox.fair_queue import FairQueue, Waiter
from toolwright.sandbox.lease_times import LeaseTimes
from toolwright.sandbox.pool_size import PoolSize
from toolwright.sandbox.pool_stats import PoolStats, Tally
from toolwright.sandbox.shares import Claims
from toolwright.sandbox.stock import Found, PooledSandbox, Stock

STALLED_S: Final = 1.0
"""If nobody had a sandbox for so long, it is not the load that a call waited for in vain: the engine starts none."""
SOONEST_RETRY_S, LATEST_RETRY_S = 0.05, 10.0
_USUAL_RETRY_S: Final = 1.0
"""Where no call has left the queue yet that would show how fast it moves."""


@dataclass(slots=True)
class PoolState:
    """Sandboxes and waiters. A blank one never lies there while a call needs it, see `lease_times.py`."""

    size: PoolSize
    limit: int
    """Containers that there may be: `size.most`, or fewer where memory allows no more."""
    stock: Stock = field(default_factory=Stock)
    queue: FairQueue = field(init=False)
    demand: Demand = field(default_factory=Demand)
    times: LeaseTimes = field(init=False)
    departures: Rate = field(default_factory=Rate)
    """Calls that left the queue served."""
    tally: Tally = field(default_factory=Tally)
    backoff: Backoff = field(default_factory=Backoff)
    shortage: str = ""
    """Why none is started for want of memory; empty if one may be."""
    lent_at: float = field(default_factory=time.monotonic)
    """When a lease last began or ended; at first, when the pool was opened."""
    closed: bool = False
    due: bool = True
    """Whether there may be something to start, evict or remove."""

    def __post_init__(self) -> None:
        """Begin with an empty queue."""
        self.queue = FairQueue(self.size.queue)
        self.times = LeaseTimes(self.size.patience_s, self.size.cores)

    # --- what is to be had ----------------------------------------------------------------------

    @property
    def wanted(self) -> int:
        """Blank sandboxes to have, starting ones included, beside those for calls that wait."""
        return min(self.limit, max(self.ready, self.demand.blanks))

    @property
    def ready(self) -> int:
        """Blank sandboxes to have, whatever the demand: one at least where no call can wait for a start."""
        return self.size.ready if self.size.queue else max(1, self.size.ready)

    def lacking(self) -> dict[SandboxKey, int]:
        """Return, by key, how many calls wait that need a place beyond those of their key."""
        lines = ((key, self._lack(key, count, since)) for key, count, since in self.queue.lines())
        return {key: lack for key, lack in lines if lack}

    @property
    def in_trouble(self) -> bool:
        """Whether starts fail, or are put off."""
        return self.backoff.failure is not None or bool(self.shortage)

    @property
    def coming(self) -> int:
        """Places that belong to no key: blank, starting, just being cleared, or free and with memory for a start."""
        stock = self.stock
        if self.shortage:
            return len(stock.blank) + stock.starting + stock.ending
        return self.limit - stock.shares.total

    def claims(self, lacking: Mapping[SandboxKey, int]) -> Claims | None:
        """Return who lacks a place in vain, even with those that are coming; None if nobody does."""
        coming, needed = self.coming, sum(lacking.values())
        # While starts fail one place is enough, to find out whether they work again.
        if coming >= (min(needed, 1) if self.in_trouble else needed):
            return None
        return self.queue.claims(coming, self.stock.shares, lacking)

    def _lack(self, key: SandboxKey, count: int, since: float) -> int:
        return self.times.lack(key, self.stock.shares.of_key(key), count, since)

    # --- lending --------------------------------------------------------------------------------

    def take(self, key: SandboxKey) -> Found | None:
        """Lend one at once: an idle one of `key`, else a blank one that nobody waits for; None if there is none."""
        if self.closed:
            return None
        stock = self.stock
        if found := stock.take_idle(key):
            self.tally.idle_hits += 1
        elif self._may_take_blank(key) and (found := stock.take_blank(key)):
            self.tally.blank_hits += 1
            self.demand.arrivals.add()
            self.due = True
        else:
            return None
        self.lent_at = time.monotonic()
        return found

    def _may_take_blank(self, key: SandboxKey) -> bool:
        if not self.stock.blank:
            return False
        if self._full:
            # It cannot wait for one of its key's, however soon that comes free.
            return not self.lacking()
        return not self.queue and self._lack(key, 1, time.monotonic()) > 0

    @property
    def _full(self) -> bool:
        return len(self.queue) >= self.size.queue

    def join(self, key: SandboxKey) -> Waiter:
        """Let a call of `key` wait.

        Raises:
            Overloaded: the queue is full.
            ToolwrightError: there is nothing to wait for.
        """
        if (fault := self._hopeless()) is not None:
            raise retold(fault) from fault
        if self._full:
            full = self.overloaded(f"All sandboxes are busy and {self.size.queue} calls wait already")
            if (out := self.queue.pop_for(key)) is None:
                raise full
            out.refuse(full)
        waiter = Waiter(key)
        self.queue.add(waiter)
        self.look_again()
        return waiter

    def look_again(self) -> None:
        """See who needs a place now: more calls wait, or one has waited for long."""
        self.serve_blanks()
        self.due = self.due or bool(self.queue and self.lacking())

    def give_back(self, key: SandboxKey, sandbox: PooledSandbox) -> None:
        """End a lease: hand the sandbox on, keep it, or discard it."""
        stock, now = self.stock, time.monotonic()
        since = stock.leased.pop(sandbox)
        self.lent_at = now
        spent = self.closed or key.isolation is Isolation.CALL or not sandbox.usable
        if not spent:
            self.times.ended(key, now - since, len(stock.leased) + 1)
        if spent or (self.queue and self._yields(key, sandbox, now)):
            stock.discard(sandbox, key)
            self.due = True
        elif self.queue and (waiter := self.queue.pop(key)):
            stock.leased[sandbox] = now
            self._serve(waiter, Found(sandbox, now))
        else:
            stock.add_idle(key, sandbox)
            self.due = self.due or bool(self.queue)
        self.refuse_if_hopeless()

    def _yields(self, key: SandboxKey, sandbox: PooledSandbox, now: float) -> bool:
        """Whether the place of `sandbox` is another's by right, and it has served `key` for as long as a start takes.

        Were it sooner, sandboxes would spend more time starting than serving where more keys than places are called.
        """
        if now - self.stock.bound_at[sandbox] < self.demand.start_s:
            return False
        claims = self.claims(self.lacking())
        return claims is not None and claims.outrank(key, self.stock.shares)

    def _serve(self, waiter: Waiter, found: Found) -> None:
        self.tally.waited += 1
        self.departures.add()
        waiter.serve(found)

    # --- starts ---------------------------------------------------------------------------------

    def started(self, sandbox: PooledSandbox, began: float) -> None:
        """Keep a new one, whose start began at `began`, or lend it to whoever is next."""
        self.due = True
        self.backoff.succeeded()
        self.demand.started(time.monotonic() - began)
        if self.closed:
            self.stock.discard(sandbox)
            return
        self.stock.add_blank(sandbox, began)
        self.serve_blanks()

    def serve_blanks(self) -> None:
        """Lend blank ones to those who wait, in fair order."""
        stock, queue = self.stock, self.queue
        while stock.blank and queue:
            key = next(queue.order(stock.shares, self.lacking()), None)
            if key is None:
                return
            if (found := stock.take_blank(key)) and (waiter := queue.pop(key)):
                self.demand.arrivals.add()
                self._serve(waiter, found)

    def failed(self, failure: ToolwrightError) -> None:
        """Put the next start off, after one that failed."""
        self.due = True
        self.backoff.failed(failure)
        self.refuse_if_hopeless()

    # --- refusing -------------------------------------------------------------------------------

    def overloaded(self, what: str) -> Overloaded:
        """Count a refusal; return it, with what it is that binds and when to come again."""
        self.tally.refused += 1
        why = ""
        if self.shortage:
            why = " No sandbox is started just now, as the machine is short of memory."
        elif self.limit < self.size.most:
            why = f" Memory, and not sandbox.pool.max_containers, allows no more than {self.limit} sandboxes here."
        return Overloaded(f"{what}; the tool did not run.{why}", self.retry_after_s)

    @property
    def retry_after_s(self) -> float:
        """Seconds until as many calls as wait now will have left the queue, at its present pace."""
        pace = self.departures.per_s
        if not self.departures.known:
            return _USUAL_RETRY_S
        return min(LATEST_RETRY_S, max(SOONEST_RETRY_S, max(1, len(self.queue)) / pace))

    def in_vain(self) -> ToolwrightError:
        """Return why a call waited as long as it could for nothing."""
        if self.stock.leased or time.monotonic() - self.lent_at <= STALLED_S:
            return self.overloaded("No sandbox came free in time")
        if self.backoff.failure is not None:
            return retold(self.backoff.failure)
        return SandboxUnavailable(self.shortage or "No sandbox was started in time; the tool did not run.")

    def refuse_if_hopeless(self) -> None:
        """Send away all who wait if nothing will come: the last start failed, and the next is not due."""
        if self.queue and (fault := self._hopeless()) is not None:
            for waiter in self.queue.pop_all():
                waiter.refuse(fault)

    def _hopeless(self) -> ToolwrightError | None:
        if self.closed:
            return SandboxUnavailable("The server is shutting down; the tool did not run.")
        put_off = not self.stock.starting and self.backoff.delay_s > 0
        return self.backoff.failure if put_off and not self.stock.leased else None

    # --- telling --------------------------------------------------------------------------------

    def stats(self) -> PoolStats:
        """Return all figures."""
        stock = self.stock
        return PoolStats(
            blank=len(stock.blank),
            idle=stock.idle,
            leased=len(stock.leased),
            starting=stock.starting,
            ending=stock.ending,
            waiting=len(self.queue),
            wanted=self.wanted,
            arrivals_per_s=self.demand.arrivals.per_s,
            departures_per_s=self.departures.per_s,
            start_s=self.demand.start_s,
            places=self.limit,
            bound_by="memory" if self.limit < self.size.most else "max_containers",
            shortage=self.shortage,
            **asdict(self.tally),
        )
