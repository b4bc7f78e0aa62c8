"""The end of a call that does not end by itself: everything of it is dead in time, whatever it does about it."""

from __future__ import annotations

import json
import random
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import pytest

from tests.security.kit.deathwatch import Death, Deathwatch, watching
from tests.security.kit.server_process import ServerProcess, serving, wait_until
from toolwright.attacks.lab import Lab
from toolwright.attacks.observer import Observer
from toolwright.attacks.proof import NotProven
from toolwright.attacks.sabotage import agent_with
from toolwright.domain.call import ToolCall
from toolwright.domain.limits import Limits, LimitsRequest
from toolwright.domain.outcome import Outcome, Status
from toolwright.domain.source import ToolSource
from toolwright.errors import CallCancelled
from toolwright.sandbox.base import Cancellation
from toolwright.sandbox.container import DockerSandbox, started
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.owner import owner_label
from toolwright.sandbox.policy import SandboxPolicy
from toolwright.sandbox.selfcheck.facts import GVISOR
from toolwright.sandbox.uids import UidRanges

pytestmark = [pytest.mark.security, pytest.mark.threat("T-DOS-03", "T-LAT-01")]

KILL_S: Final = 0.3
"""From the limit, or the cancel, to the death of the last process."""
LIMIT_S: Final = 0.3
_SPIN_S: Final = 0.03

_DEAF: Final = """
import os, signal
def f():
    for number in signal.valid_signals():
        try:
            signal.signal(number, signal.SIG_IGN)
        except OSError:
            pass
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    while True:
        pass
"""
_ORPHANS: Final = """
import os, time
def f():
    for _ in range(5):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.setpgid(0, 0)
                time.sleep(3600)
            os._exit(0)
    time.sleep(3600)
"""
_STOPPED: Final = """
import os, signal, time
def f():
    children = []
    for _ in range(5):
        children.append(os.fork())
        if children[-1] == 0:
            time.sleep(3600)
    for child in children:
        os.kill(child, signal.SIGSTOP)
    os.kill(os.getpid(), signal.SIGSTOP)
"""
_CHAIN: Final = """
import os
def f():
    chains = 0
    while chains < 12:
        try:
            if os.fork():
                chains += 1
                continue
        except OSError:
            continue
        os.setsid()
        while True:
            try:
                if os.fork():
                    os._exit(0)
            except OSError:
                pass
    while True:
        pass
"""
"""Twelve processes, each of which is another one a moment later."""
_BOMB: Final = """
import os
def f():
    while True:
        try:
            os.fork()
        except OSError:
            pass
"""
_SPINNERS: Final = """
import os
def f():
    for _ in range(31):
        if os.fork() == 0:
            os.setsid()
            break
    while True:
        pass
"""
_THREADS: Final = """
import threading
def f():
    def spin():
        while True:
            pass
    try:
        for _ in range(27):
            threading.Thread(target=spin, daemon=True).start()
    except RuntimeError:  # under gVisor the limit on memory allows fewer
        pass
    spin()
"""
_UNINTERRUPTIBLE: Final = """
import ctypes, platform, time
def f():
    CLONE_VFORK, SIGCHLD = 0x4000, 17
    clone = {"x86_64": 56, "aarch64": 220}[platform.machine()]
    if ctypes.CDLL(None).syscall(clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0) == 0:
        time.sleep(3600)
"""
"""Waits within the kernel, as `vfork` does, for a child that never ends."""
_MEMORY: Final = """
import mmap
def f():
    piece = b"x" * 1024 * 1024
    while True:
        with mmap.mmap(-1, 200 * len(piece)) as memory:
            for _ in range(200):
                memory.write(piece)
"""
_SLEEP: Final = "import time\ndef f():\n    time.sleep(3600)"
_ATTACKS: Final = {
    "sleeps": (_SLEEP, 1),
    "deaf to every signal": (_DEAF, 1),
    "orphans in sessions of their own": (_ORPHANS, 6),
    "stops itself and its children": (_STOPPED, 6),
    "forks and ends, again and again": (_CHAIN, 8),
    "fork bomb": (_BOMB, 8),
    "31 spinners": (_SPINNERS, 8),
    "28 threads": (_THREADS, 1),
    "waits in the kernel": (_UNINTERRUPTIBLE, 2),
    "200 MiB mapped and unmapped": (_MEMORY, 1),
}
"""Name → source, and how many processes of it have to be seen at least, else it showed nothing."""
_CASES: Final = [
    pytest.param(
        name,
        marks=pytest.mark.case(
            *{"deaf to every signal": ["RX-22"], "orphans in sessions of their own": ["RX-26"]}.get(name, ["XL-09"])
        ),
    )
    for name in _ATTACKS
]


@dataclass(frozen=True, slots=True)
class Run:
    """One call that had to be ended."""

    outcome: Outcome | None
    """None if it was cancelled."""
    dead_s: float
    """From the limit, or the cancel, until the last process was gone."""
    verdict_s: float
    death: Death
    slowness: float
    """Of the machine, at the time."""
    replaced: bool


@dataclass
class Ward:
    """Runs calls to their end in a sandbox, a new one whenever it was thrown away."""

    engine: Engine
    policy: SandboxPolicy
    watch: Deathwatch
    observer: Observer
    _stack: ExitStack = field(default_factory=ExitStack)
    _sandbox: DockerSandbox | None = None

    def sandbox(self) -> DockerSandbox:
        """Return one that may be used."""
        if self._sandbox is None or not self._sandbox.usable:
            self._stack.close()
            self._sandbox = self._stack.enter_context(_sandbox_of(self.policy, self.engine))
        return self._sandbox

    def close(self) -> None:
        """Remove the last one."""
        self._stack.close()

    def end(self, code: str, *, cancel: bool = False, meanwhile: Callable[[str], None] = lambda _: None) -> Run:
        """Run `code` until its limit, or cancel it then; `meanwhile` is called a little before."""
        sandbox = self.sandbox()
        container = sandbox.info.container_id
        agent = [one.pid for one in self.observer.processes(container)]
        assert len(agent) == 2
        self.watch.begin(self.observer.init_pid(container), agent)
        slowness = _slowness()
        limit_s = LIMIT_S * slowness  # so that the attack gets as far as it would
        switch, limits = Cancellation(), Limits(wall_time_s=20 if cancel else limit_s)
        verdict: list[tuple[Outcome | None, float]] = []

        def call() -> None:
            outcome = None
            with suppress(CallCancelled):
                outcome = sandbox.run(ToolCall(ToolSource(code, "f"), "{}", limits), switch)
            verdict.append((outcome, time.monotonic()))

        due = time.monotonic() + limit_s
        thread = threading.Thread(target=call)
        thread.start()
        time.sleep(0.6 * limit_s)
        meanwhile(container)
        time.sleep(max(0.0, due - time.monotonic()))
        if cancel:
            due = time.monotonic()
            switch.cancel()
        thread.join(20)
        death = self.watch.end()
        (outcome, at) = verdict[0]
        return Run(outcome, death.at - due, at - due, death, max(slowness, _slowness()), not sandbox.usable)


def _slowness() -> float:
    """How many times longer than alone something takes on this machine now: at least 1.

    What is measured are times of the machine's processors, which others use as well.
    """
    begun, used = time.perf_counter(), time.process_time()
    while time.process_time() - used < _SPIN_S:
        pass
    return max(1.0, (time.perf_counter() - begun) / _SPIN_S)


@pytest.fixture(scope="module")
def watch(engine: Engine, policy: SandboxPolicy) -> Iterator[Deathwatch]:
    """Eyes on the host's process table."""
    with watching(engine, policy.image_id) as watching_it:
        yield watching_it


@pytest.fixture(scope="module")
def ward(engine: Engine, policy: SandboxPolicy, watch: Deathwatch, observer: Observer) -> Iterator[Ward]:
    """Where calls are brought to their end."""
    made = Ward(engine, policy, watch, observer)
    yield made
    made.close()


def _judge(runs: list[Run], least: int, record: Callable[[str, object], None]) -> None:
    """Demand that all of them ended in time, and put down how long it took."""
    took = sorted(one.dead_s for one in runs)
    figures = {
        "p50_ms": round(1000 * statistics.median(took)),
        "max_ms": round(1000 * took[-1]),
        "runs": len(runs),
        "replaced": sum(one.replaced for one in runs),
        "slowness": round(max(one.slowness for one in runs), 1),
    }
    record("dead_after", json.dumps(figures))
    print(figures)  # noqa: T201 - shown by `pytest -rP`
    assert max(one.death.most for one in runs) >= least, "NOT PROVEN: there was nothing to end"
    late = [one for one in runs if one.dead_s > KILL_S * one.slowness or one.verdict_s > 0.5 * one.slowness]
    assert not late, late


Record = Callable[[str, object], None]


@pytest.mark.parametrize("runs", [2, pytest.param(30, marks=[pytest.mark.slow, pytest.mark.timeout(300)])])
@pytest.mark.parametrize("cancel", [False, True], ids=["limit", "cancel"])
@pytest.mark.parametrize("name", _CASES)
def test_everything_is_dead_in_time(
    ward: Ward,
    record_property: Record,
    name: str,
    cancel: bool,  # noqa: FBT001 - a parameter of the test
    runs: int,
) -> None:
    """RX-22, RX-26, XL-09: 0.3 s after the limit, or the cancel, the host sees no process of the call."""
    code, least = _ATTACKS[name]

    seen = [ward.end(code, cancel=cancel) for _ in range(runs)]

    _judge(seen, least, record_property)
    verdicts = {one.outcome.status if one.outcome else None for one in seen}
    assert verdicts == {None if cancel else Status.TIMEOUT}


@pytest.mark.parametrize("cancel", [False, True], ids=["limit", "cancel"])
@pytest.mark.parametrize("name", ["sleeps", "31 spinners", "fork bomb"])
@pytest.mark.slow
def test_everything_is_dead_in_time_though_the_agent_is_stopped(
    ward: Ward,
    engine: Engine,
    record_property: Record,
    name: str,
    cancel: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """FT: an agent that does not answer costs its container, and no time."""
    code, least = _ATTACKS[name]

    def stop_the_agent(container: str) -> None:
        engine.client.api.kill(container, "SIGSTOP")

    seen = [ward.end(code, cancel=cancel, meanwhile=stop_the_agent) for _ in range(2)]

    _judge(seen, least, record_property)
    assert all(one.replaced for one in seen), "NOT PROVEN: the agent was not stopped"
    assert {one.outcome.status if one.outcome else None for one in seen} == {None if cancel else Status.TIMEOUT}


_DISOBEY: Final = """
from toolwright_agent import relay
relay.Relay._obey = lambda self, call: self._read_frames()
relay.Relay._watch_time = staticmethod(lambda call: None)
"""


def test_the_kill_of_the_container_is_enough_alone(ward: Ward, observer: Observer, record_property: Record) -> None:
    """Control: where the agent ignores every order and the clock, the host still ends all in time."""
    deaf = Ward(ward.engine, _Patched(**_fields(ward.policy), patch=_DISOBEY), ward.watch, observer)
    try:
        seen = [deaf.end(_BOMB) for _ in range(2)]
    finally:
        deaf.close()

    _judge(seen, 8, record_property)
    assert all(one.replaced for one in seen)


def test_the_engine_ends_what_the_server_cannot_reach(ward: Ward, engine: Engine, record_property: Record) -> None:
    """A server that may not signal the container's processes has them killed by the engine, in time as well."""

    def out_of_reach(container: str) -> None:
        engine.client.api.kill(container, "SIGSTOP")
        if ward.sandbox()._init is not None:
            ward.sandbox()._init = None

    seen = [ward.end(_SPINNERS, meanwhile=out_of_reach) for _ in range(2)]

    _judge(seen, 8, record_property)
    assert all(one.replaced for one in seen)


@dataclass(frozen=True, slots=True)
class _Patched(SandboxPolicy):
    """The production policy with another agent."""

    patch: str = ""

    def container_options(self, uid_base: int, owner: str) -> dict[str, Any]:
        return SandboxPolicy.container_options(self, uid_base, owner) | {"entrypoint": agent_with(self.patch)}


def _sandbox_of(policy: SandboxPolicy, engine: Engine) -> AbstractContextManager[DockerSandbox]:
    uid_base = UidRanges(remapped=engine.remaps_users).take()
    return started(engine, policy, uid_base=uid_base, owner=owner_label())


def _fields(policy: SandboxPolicy) -> dict[str, Any]:
    return {name: getattr(policy, name) for name in SandboxPolicy.__dataclass_fields__}


@pytest.mark.case("FT-32")
def test_ft_32_the_agent_keeps_time_itself(ward: Ward, observer: Observer) -> None:
    """FT-32: a controller that stands still at the limit finds the call ended by the agent, and a TIMEOUT."""
    sandbox = ward.sandbox()
    receive = sandbox._channel.receive

    def stand_still(deadline: float) -> list[Any]:
        time.sleep(0.8)
        alive.append(len(observer.processes(sandbox.info.container_id)))
        return receive(deadline)

    alive: list[int] = []
    sandbox._channel.receive = stand_still  # type: ignore[method-assign]  # as if this process had been stopped
    try:
        outcome = sandbox.run(ToolCall(ToolSource(_DEAF, "f"), "{}", Limits(wall_time_s=0.3)), Cancellation())
    finally:
        sandbox._channel.receive = receive  # type: ignore[method-assign]  # as before

    assert alive[0] == 2, "more than the agent's two processes were left when we looked"
    assert (outcome.status, outcome.failure and outcome.failure.type) == (Status.TIMEOUT, "TimeLimit")
    assert sandbox.usable


@pytest.mark.case("FT-32")
@pytest.mark.slow
def test_ft_32_a_server_that_stands_still(
    engine: Engine, policy: SandboxPolicy, observer: Observer, tmp_path: Path
) -> None:
    """FT-32: five seconds as if the machine slept: calls that were overdue are dead, and are closed once."""
    settings = {"SANDBOX__IMAGE": policy.image_id, "ISOLATION__DEFAULT": "tenant"}
    with serving(engine, tmp_path / "state", **settings) as server, server.client() as client:
        client.execute(ToolSource(_SLEEP.replace("3600", "0"), "f"))
        with ThreadPoolExecutor(2) as threads:
            limits = LimitsRequest(wall_time_s=1.5)
            overdue = threads.submit(client.execute, ToolSource(_DEAF, "f"), limits=limits)
            early = threads.submit(client.execute, ToolSource(_SLEEP.replace("3600", "1"), "f"))
            wait_until(lambda: _busy(server, observer) == 2, 10, "both calls run")
            server.process.send_signal(signal.SIGSTOP)
            try:
                time.sleep(5.2)
                assert _busy(server, observer) == 0, "they go on without their server"
            finally:
                server.process.send_signal(signal.SIGCONT)
            statuses = [one.result(20).outcome.status for one in (overdue, early)]
        following = client.execute(ToolSource(_SLEEP.replace("3600", "0"), "f"))
        executions = server.executions()

    assert statuses == [Status.TIMEOUT, Status.SUCCESS]
    assert following.outcome.status is Status.SUCCESS
    assert executions == 4


def _busy(server: ServerProcess, observer: Observer) -> int:
    """Return in how many of its containers a call runs."""
    return sum(_left(observer, container) > 2 for container in server.containers())


@pytest.mark.case("XL-09")
@pytest.mark.parametrize("trials", [50, pytest.param(1000, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
def test_xl_09_what_forks_faster_than_it_is_killed(ward: Ward, observer: Observer, trials: int) -> None:
    """XL-09: nothing of it is left when the verdict is heard, in so many trials; or the container is gone."""
    kept = 0
    for _ in range(trials):
        sandbox = ward.sandbox()
        container = sandbox.info.container_id
        outcome = sandbox.run(ToolCall(ToolSource(_CHAIN, "f"), "{}", Limits(wall_time_s=0.06)), Cancellation())
        assert outcome.status is Status.TIMEOUT
        if sandbox.usable:
            kept += 1
            assert _left(observer, container) == 2
        else:
            assert _left(observer, container) == 0
    assert kept > trials // 2, "the agent hardly ever managed by itself"


@pytest.fixture(scope="module")
def gvisor(engine: Engine, policy: SandboxPolicy) -> Iterator[Callable[[], DockerSandbox]]:
    """Sandboxes under gVisor, a new one whenever the last was thrown away."""
    if GVISOR not in engine.info["Runtimes"]:
        pytest.skip("NOT PROVEN under gVisor: the engine has no runtime named runsc")
    with ExitStack() as stack:
        kept: list[DockerSandbox] = []

        def usable() -> DockerSandbox:
            if not kept or not kept[-1].usable:
                kept.append(stack.enter_context(_sandbox_of(replace(policy, runtime=GVISOR), engine)))
            return kept[-1]

        yield usable


@pytest.mark.slow
@pytest.mark.parametrize("name", _CASES)
def test_gvisor_ends_a_call_as_well(gvisor: Callable[[], DockerSandbox], record_property: Record, name: str) -> None:
    """Golden difference: under gVisor's ptrace platform the verdict on a tree of processes may take a second.

    Each system call of a dying process is slow there. What its agent does not end in time ends with the container,
    which only the engine can kill. Memory may run out before time does: the agent counts shared pages once a process.
    """
    took = []
    for _ in range(3):
        sandbox, slowness = gvisor(), _slowness()
        limits, begun = Limits(wall_time_s=LIMIT_S * slowness), time.monotonic()
        outcome = sandbox.run(ToolCall(ToolSource(_ATTACKS[name][0], "f"), "{}", limits), Cancellation())
        took.append((time.monotonic() - begun - limits.wall_time_s) / max(slowness, _slowness()))
        assert outcome.status in {Status.TIMEOUT, Status.OUT_OF_MEMORY}, outcome
    fine = gvisor().run(ToolCall(ToolSource("def f():\n    return 1", "f"), "{}", Limits()), Cancellation())

    record_property("verdict_after_ms", [round(1000 * one) for one in took])
    print([round(1000 * one) for one in took])  # noqa: T201 - shown by `pytest -rP`
    assert max(took) < 1.0
    assert fine.result_json == "1"


def _left(observer: Observer, container: str) -> int:
    try:
        # A first process that was killed is a zombie until the engine's own has heard of it.
        return sum(one.state != "Z" or one.pid != 1 for one in observer.processes(container))
    except (NotProven, OSError):  # it is gone
        return 0


@pytest.mark.case("RX-35")
@pytest.mark.parametrize("runs", [40, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(300)])])
def test_rx_35_ends_at_the_very_limit(lab: Lab, runs: int) -> None:
    """RX-35: each call has one verdict and one record, and no kill of it ever meets the next call."""
    seed = random.randrange(2**32)
    draw = random.Random(seed)
    code = "import time\ndef f(s):\n    time.sleep(s)\n    return s"
    walls = [lab.execute(code, arguments_json='{"s": 0.05}').outcome.usage.wall_ms for _ in range(15)]
    awake_s = statistics.median(walls) / 1000 - 0.05
    verdicts = []
    for _ in range(runs):
        seconds = round(max(0.0, 0.1 - awake_s + draw.uniform(-0.02, 0.02)), 6)
        execution = lab.execute(code, arguments_json=json.dumps({"s": seconds}), wall_time_s=0.1)
        outcome = execution.outcome
        verdicts.append(outcome.status)
        assert outcome.status in {Status.SUCCESS, Status.TIMEOUT}, (seed, outcome)
        assert (outcome.status is Status.SUCCESS) == (outcome.result_json == json.dumps(seconds)), (seed, outcome)
        assert outcome.usage.wall_ms <= 100 or outcome.status is Status.TIMEOUT
        following = lab.benign()
        assert following.outcome.status is Status.SUCCESS, (seed, following.outcome)
    assert set(verdicts) == {Status.SUCCESS, Status.TIMEOUT}, "NOT PROVEN: never on both sides of the limit"


_STORM: Final = """
import os
def f(count):
    made, refused = 0, 0
    while made < count:
        pid = os.fork()
        if pid == 0:
            failed = 0
            for _ in range(8):
                try:
                    if os.fork() == 0:
                        os._exit(0)
                except OSError:
                    failed += 1
            os._exit(failed)
        failed = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        made, refused = made + 8 - failed, refused + failed
    return [made, refused]
"""
"""Children whose parent does not wait for them, so that PID 1 has to."""
_NEVER_REAP: Final = """
import signal
set_handler = signal.signal
signal.signal = lambda number, handler: None if number == signal.SIGCHLD else set_handler(number, handler)
"""


@pytest.mark.case("FT-29")
@pytest.mark.parametrize("rounds", [1, pytest.param(50, marks=[pytest.mark.slow, pytest.mark.timeout(300)])])
def test_ft_29_storm_of_short_children(ward: Ward, lab: Lab, rounds: int) -> None:
    """FT-29: the agent reaps what is left to it while the call goes on, and takes no end for the call's own."""
    arguments = json.dumps({"count": 200})
    shots = [lab.fire(_STORM, arguments_json=arguments, destructive=True) for _ in range(rounds)]
    with _sandbox_of(_Patched(**_fields(ward.policy), patch=_NEVER_REAP), ward.engine) as sandbox:
        never = sandbox.run(ToolCall(ToolSource(_STORM, "f"), arguments, Limits()), Cancellation())

    for made, refused in (shot.value for shot in shots):
        # Some are refused while the kernel is not yet done with those before.
        assert made >= 200
        assert refused < made / 10
    assert all(shot.survived for shot in shots)
    # Control: where nobody reaps them, even their parent is refused soon, or none of them is started any more.
    assert never.status in {Status.TOOL_ERROR, Status.TIMEOUT}, f"NOT PROVEN: {never.result_json}"
