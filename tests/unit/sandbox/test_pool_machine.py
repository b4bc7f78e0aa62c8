"""The pool's rules, in every order that hypothesis finds: calls, ends, starts, failures, deaths, one step at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.unit.sandbox.fake_launcher import FakeLauncher, FakeSandbox, refusal
from toolwright.domain.call import Isolation
from toolwright.errors import Overloaded, SandboxUnavailable
from toolwright.sandbox.base import SandboxInfo, SandboxKey
from toolwright.sandbox.budget import Budget, MemoryRules
from toolwright.sandbox.fair_queue import Waiter
from toolwright.sandbox.plan import plan
from toolwright.sandbox.pool_size import PoolSize
from toolwright.sandbox.pool_state import PoolState
from toolwright.sandbox.stock import PooledSandbox

pytestmark = pytest.mark.unit

KEYS = sorted({SandboxKey.of(level, tenant, tool) for level in Isolation for tenant in "ab" for tool in "xy"}, key=str)


@dataclass
class Memory:
    """What a machine has."""

    available: int = 1_000

    def now(self) -> int:
        """Return what is available."""
        return self.available


@dataclass(eq=False)
class Call:
    """A call that holds a sandbox."""

    key: SandboxKey
    sandbox: PooledSandbox


@dataclass
class Model:
    """What has to be true, kept apart from the pool."""

    running: list[Call] = field(default_factory=list)
    waiting: list[Waiter] = field(default_factory=list)
    served: dict[PooledSandbox, list[SandboxKey]] = field(default_factory=dict)
    removed: list[PooledSandbox] = field(default_factory=list)
    asked: int = 0
    refused: int = 0
    left: int = 0
    ended: int = 0


class PoolMachine(RuleBasedStateMachine):
    """Drives a `PoolState` as pool and refiller do, without threads."""

    @initialize(ready=st.integers(0, 3), most=st.integers(1, 5), queue=st.integers(0, 6), fit=st.integers(1, 6))
    def open(self, ready: int, most: int, queue: int, fit: int) -> None:
        """Open a pool; `fit` containers fit into the memory."""
        size = PoolSize(ready, most, 2, 2, queue, rest_s=1e-9, idle_s=1e-9, patience_s=1e-9)
        self.memory = Memory()
        self.budget = Budget(100, fit * 100, MemoryRules(1.0, 500), self.memory.now)
        self.limit = min(most, fit)
        self.state = PoolState(size, self.limit)
        self.launcher = FakeLauncher()
        self.model = Model()
        self.began = 0

    @rule(key=st.sampled_from(KEYS))
    def ask(self, key: SandboxKey) -> None:
        """A call comes."""
        self.model.asked += 1
        if (found := self.state.take(key)) is not None:
            self._lend(key, found.sandbox)
            return
        try:
            self.model.waiting.append(self.state.join(key))
        except (Overloaded, SandboxUnavailable):
            self.model.refused += 1
        self._collect()

    @precondition(lambda self: self.model.running)
    @rule(data=st.data(), dead=st.booleans())
    def end(self, data: st.DataObject, *, dead: bool) -> None:
        """A call ends, its container perhaps with it."""
        call = data.draw(st.sampled_from(self.model.running))
        self.model.running.remove(call)
        self.model.ended += 1
        if dead:
            call.sandbox.kill()
        self.state.give_back(call.key, call.sandbox)
        self._collect()

    @precondition(lambda self: self.model.waiting)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        """A call's deadline comes while it waits."""
        waiter = data.draw(st.sampled_from(self.model.waiting))
        assert self.state.queue.remove(waiter)
        self.model.waiting.remove(waiter)
        self.model.left += 1

    @rule()
    def look(self) -> None:
        """The refiller plans."""
        starts, pause_s = plan(self.state, self.budget)
        self.state.stock.starting += starts
        self.began += starts
        assert pause_s > 0
        self._collect()

    @precondition(lambda self: self.state.stock.starting)
    @rule(fails=st.booleans())
    def start(self, *, fails: bool) -> None:
        """A start ends."""
        self.state.stock.starting -= 1
        if fails:
            self.state.failed(refusal())
        else:
            self.state.started(FakeSandbox(self.launcher, SandboxInfo("", "", "")), 0.0)
        self._collect()

    @precondition(lambda self: self.state.stock.doomed)
    @rule()
    def remove(self) -> None:
        """A removal ends."""
        self.model.removed.append(self.state.stock.doomed.popleft())
        self.state.stock.ending -= 1
        self.state.due = True

    @precondition(lambda self: self.state.stock.since)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        """A container dies that nobody uses."""
        data.draw(st.sampled_from(list(self.state.stock.since))).kill()

    @rule(available=st.sampled_from([0, 1_000]))
    def change_memory(self, available: int) -> None:
        """The machine has more memory, or less."""
        self.memory.available = available

    @rule()
    def recover(self) -> None:
        """The pause after a failed start is over."""
        self.state.backoff.not_before = 0.0
        self.state.due = True

    def _lend(self, key: SandboxKey, sandbox: PooledSandbox) -> None:
        assert sandbox.usable, "a dead one was lent"
        assert all(call.sandbox is not sandbox for call in self.model.running), "two calls in one"
        assert sandbox not in self.model.removed
        self.model.served.setdefault(sandbox, []).append(key)
        self.model.running.append(Call(key, sandbox))

    def _collect(self) -> None:
        """Look who was woken."""
        for waiter in [one for one in self.model.waiting if one.woken.is_set()]:
            self.model.waiting.remove(waiter)
            assert (waiter.found is None) != (waiter.fault is None)
            if waiter.found is not None:
                self._lend(waiter.key, waiter.found.sandbox)
            else:
                self.model.refused += 1

    @invariant()
    def never_more_than_there_may_be(self) -> None:
        """Neither of containers nor of waiting calls."""
        assert self.state.stock.total <= self.limit
        assert self.state.stock.starting <= 2
        assert len(self.state.queue) <= self.state.size.queue

    @invariant()
    def keys_never_meet(self) -> None:
        """One key for life; by call, one call."""
        for keys in self.model.served.values():
            assert len(set(keys)) == 1
            assert len(keys) == 1 or keys[0].isolation is not Isolation.CALL

    @invariant()
    def nobody_is_lost(self) -> None:
        """Every call was served, refused, or is there."""
        model = self.model
        assert model.asked == len(model.running) + len(model.waiting) + model.refused + model.left + model.ended
        assert len(self.state.queue) == len(model.waiting)
        assert not any(one.woken.is_set() for one in model.waiting)

    @invariant()
    def counts_add_up(self) -> None:
        """Each container is in one state, and each place is somebody's."""
        stock, stats = self.state.stock, self.state.stats()
        assert set(stock.leased) == {call.sandbox for call in self.model.running}
        held = [*stock.leased, *(one for group in stock.bound.values() for one in group)]
        assert len(held) == stock.shares.total == stats.idle + stats.leased
        assert set(stock.bound_at) == set(held)
        assert set(stock.since) == {*stock.blank, *(one for group in stock.bound.values() for one in group)}
        assert stock.ending == len(stock.doomed)
        assert sum(stock.shares.of_key(key) for key in KEYS) == stock.shares.total
        assert sum(stock.shares.of_tenant(tenant) for tenant in "ab") == stock.shares.total

    @invariant()
    def nobody_waits_beside_what_it_could_have(self) -> None:
        """No idle container of its key, no blank one, and the refiller knows."""
        lacking = self.state.lacking()
        for waiter in self.model.waiting:
            assert not any(one.usable for one in self.state.stock.bound.get(waiter.key, []))
        assert not (lacking and any(one.usable for one in self.state.stock.blank))

    def teardown(self) -> None:
        """With everything working again, everyone who waits is served."""
        self.memory.available = 1_000
        for _ in range(200):
            if not self.model.waiting and not self.model.running:
                break
            self.recover()
            self.look()
            while self.state.stock.doomed:
                self.remove()
            while self.state.stock.starting:
                self.start(fails=False)
            for call in list(self.model.running):
                self.model.running.remove(call)
                self.model.ended += 1
                self.state.give_back(call.key, call.sandbox)
                self._collect()
        assert not self.model.waiting, "a call was forgotten"
        self.nobody_is_lost()


TestPoolMachine = PoolMachine.TestCase
TestPoolMachine.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
