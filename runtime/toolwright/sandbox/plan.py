"""What is to be done in a pool now: which sandboxes go, and how many are started."""

from __future__ import annotations

import time
from typing import Final

import structlog

from toolwright.sandbox.budget import Budget
from toolwright.sandbox.demand import MEMORY_S
from toolwright.sandbox.pool_state import PoolState
from toolwright.sandbox.shares import Claims

log = structlog.get_logger(__name__)

LOOK_S: Final = 30.0
"""How often to look for sandboxes that died or grew too old, with nothing else to do."""
_SHORT_LOOK_S: Final = 1.0
"""How often to look whether there is memory again."""


def plan(state: PoolState, budget: Budget | None) -> tuple[int, float]:
    """Discard what died, what nobody uses, and what others have a right to.

    Returns:
        How many to start now, and after how many seconds to plan again at the latest.
    """
    state.due = False
    if state.closed:
        return 0, LOOK_S
    if (delay_s := state.backoff.delay_s) > 0:
        return 0, delay_s
    stock, size = state.stock, state.size
    stock.discard_unusable()
    state.times.keep(stock.shares)
    if state.shortage:
        # What was removed since may have been enough: then nothing more has to go.
        _short(state, budget)
    pause_s = min(_expire(state), _make_room(state))
    missing = state.wanted + sum(state.lacking().values()) - len(stock.blank) - stock.starting
    starts = max(0, min(missing, size.starting - stock.starting, state.limit - stock.total))
    if starts and not state.shortage and _short(state, budget):
        pause_s = min(pause_s, _make_room(state))
    return (0, min(pause_s, _SHORT_LOOK_S)) if state.shortage else (starts, pause_s)


def _expire(state: PoolState) -> float:
    """Discard what nobody has used for long; return when the next one's time comes, in seconds."""
    stock, now, idle_s = state.stock, time.monotonic(), state.size.idle_s
    # More are wanted than always are: so many only as long as the demand lasts.
    look_s = LOOK_S if state.wanted <= state.ready else MEMORY_S
    next_s = look_s
    while len(stock.blank) > state.wanted:
        next_s = min(next_s, stock.since[stock.blank[0]] + idle_s - now)
        if next_s > 0:
            break
        stock.discard(stock.blank.popleft())
        state.tally.expired += 1
        next_s = look_s
    for key in list(stock.bound):
        while key in stock.bound:
            left_s = stock.since[stock.bound[key][0]] + idle_s - now
            if left_s > 0:
                next_s = min(next_s, left_s)
                break
            stock.evict(key)
            state.tally.expired += 1
    return next_s


def _make_room(state: PoolState) -> float:
    """Evict while too few places are left for keys that have none; return when to look again, in seconds."""
    while True:
        lacking = state.lacking()
        claims = state.claims(lacking)
        ahead = 0 if state.in_trouble else sum(lacking.values()) + min(state.ready, state.limit - 1)
        if claims is None and state.coming >= ahead:
            return LOOK_S
        if (wait_s := _evict_one(state, claims)) > 0:
            return wait_s


def _evict_one(state: PoolState, claims: Claims | None) -> float:
    """Evict the one used least recently of those that may go; return 0 then, else seconds until there may be one."""
    stock, now = state.stock, time.monotonic()
    wait_s = state.size.rest_s
    for idle in stock.least_recent():
        left_s = idle.since + state.size.rest_s - now
        if claims is not None and claims.outrank(idle.key, stock.shares):
            left_s = min(left_s, idle.bound_at + state.demand.start_s - now)
        if left_s <= 0:
            stock.evict(idle.key)
            state.tally.evicted += 1
            return 0.0
        wait_s = min(wait_s, left_s)
    return wait_s


def _short(state: PoolState, budget: Budget | None) -> bool:
    """Whether there is too little memory for a start now; said once."""
    shortage = budget.shortage if budget else ""
    if shortage and not state.shortage:
        log.warning("starts_put_off", reason=shortage)
    elif state.shortage and not shortage:
        log.info("starts_resumed")
    state.shortage = shortage
    return bool(shortage)
