"""Fires attacks at real containers, and checks after each one what no attack may break."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from toolwright.attacks.canaries import Canaries
from toolwright.attacks.observer import Observer, Seen
from toolwright.attacks.own import Own
from toolwright.attacks.proof import Broken, not_proven, same, shown, sure
from toolwright.attacks.sabotage import Layer, Sabotaged, sabotaged
from toolwright.attacks.shot import Shot
from toolwright.domain.call import ExecutionRequest, Operation
from toolwright.domain.limits import LimitsRequest
from toolwright.domain.outcome import Execution
from toolwright.domain.source import SourceModule, ToolSource
from toolwright.execution.executor import SandboxExecutor
from toolwright.registry.base import Store
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.policy import SandboxPolicy
from toolwright.sandbox.selfcheck.check import SelfCheck, check_sandbox
from toolwright.sandbox.selfcheck.facts import GVISOR

TENANT: Final = "attacker"
NEIGHBOUR: Final = "neighbour"

KILL_S: Final = 0.5
"""A verdict comes this long after its limit, at most."""
GVISOR_KILL_S: Final = 2.5
"""The same under gVisor's slowest platform, ptrace, where each system call of a dying tree is slow."""
CLEAN_S: Final = 1.0
"""And this much later the container is clean or gone."""
REMOVED_S: Final = 10.0
"""What was replaced is removed in the background; the engine takes its time."""
_BENIGN: Final = "def f(secret):\n    return len(secret)\n"
_CALLS_FOR_MEDIAN = 15
_SETTLE_S = 3.0
_NOISE_S = 0.01
"""Below this a difference in latency says more about the machine than about us."""
_DEADLY: Final = {
    "one process takes twice its memory",
    "as many processes as it gets",
    "computes without end",
    "sleeps, deaf to every signal",
    "fills the scratch space",
    "prints without end",
}
"""Checks at start-up that must have held before something destructive is fired."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Range:
    """What a lab is made of."""

    engine: Engine
    policy: SandboxPolicy
    executor: SandboxExecutor
    store: Store
    observer: Observer
    canaries: Canaries
    containers: Callable[[], int]
    """How many containers of the pool there are."""
    most: int
    """How many there may be."""


class Lab:
    """The range: a pool, an executor with its record, and a view from outside."""

    def __init__(self, of: Range) -> None:
        """Measure what is normal, before anything is attacked."""
        self.policy = of.policy
        self.canaries = of.canaries
        self._of = of
        self._executed: list[str] = []
        self._proof: SelfCheck | None = None
        self.benign(NEIGHBOUR, source=f"# {of.canaries.neighbours_source}\n{_BENIGN}")
        self._median_s = statistics.median(self._timed_benign()[1] for _ in range(_CALLS_FOR_MEDIAN))
        self._own = Own.measure()

    # --- where it is ------------------------------------------------------------------------

    @property
    def runtime(self) -> str:
        """The OCI runtime of its containers."""
        return self.policy.runtime

    @property
    def gvisor(self) -> bool:
        """Whether its containers have gVisor's kernel instead of the host's."""
        return self.policy.runtime == GVISOR

    def golden(self, host: _T, *, gvisor: _T) -> _T:
        """Return what has to be seen here: under the host's kernel, or under gVisor's."""
        return gvisor if self.gvisor else host

    @property
    def observer(self) -> Observer:
        """The view from outside.

        Raises:
            NotProven: gVisor's processes and files are not the host's.
        """
        shown(not self.gvisor, "under gVisor the host sees neither the processes nor the files of a call")
        return self._of.observer

    def weakened(self, without: Layer = Layer.NOTHING, **changes: Any) -> AbstractContextManager[Sabotaged]:
        """Start a sandbox without some layers, or with other bounds (fields of the policy), for a control."""
        return sabotaged(self._of.engine, self.policy, without, **changes)

    # --- calls ------------------------------------------------------------------------------

    def benign(self, tenant: str = TENANT, *, source: str = _BENIGN) -> Execution:
        """Run a harmless call that carries a secret argument.

        Raises:
            Broken: it does not succeed.
        """
        arguments = json.dumps({"secret": self.canaries.earlier_argument})
        execution = self.execute(source, arguments_json=arguments, tenant=tenant)
        expected = str(len(self.canaries.earlier_argument))
        sure(execution.outcome.result_json == expected, f"a harmless call ended with {execution.outcome}")
        return execution

    def execute(
        self,
        code: str,
        *,
        arguments_json: str = "{}",
        tenant: str = TENANT,
        operation: Operation = Operation.CALL,
        modules: tuple[SourceModule, ...] = (),
        **limits: Any,
    ) -> Execution:
        """Run the function `f` of `code`, made from `modules`, or only describe it, and check nothing."""
        asked = LimitsRequest(**limits)
        request = ExecutionRequest(
            ToolSource(code, "f", modules), arguments_json, asked, tenant=tenant, operation=operation
        )
        execution = self._of.executor.execute(request)
        self._executed.append(execution.execution_id)
        return execution

    def fire(
        self,
        code: str,
        *,
        arguments_json: str = "{}",
        operation: Operation = Operation.CALL,
        modules: tuple[SourceModule, ...] = (),
        destructive: bool = False,
        during: Callable[[str], None] | None = None,
        **limits: Any,
    ) -> Shot:
        """Run an attack, then check all that holds after every attack.

        Args:
            code: defines `f`.
            arguments_json: for `f`.
            operation: call `f`, or only describe it.
            modules: tools that it is made from.
            destructive: check first that the limits are in force.
            during: called with the container's id while the attack runs.
            limits: fields of `LimitsRequest`.

        Raises:
            Broken: something does not hold that has to hold after whatever attack.
            NotProven: it was not fired, or not where it was meant to be.
        """
        container = self.benign().provenance.container_id
        agent = self.agent(container)
        if destructive:
            self.require_limits(container)
        begun = time.monotonic()
        with ThreadPoolExecutor(1) as threads:
            call = threads.submit(
                self.execute, code, arguments_json=arguments_json, operation=operation, modules=modules, **limits
            )
            if during is not None:
                _watch(call, lambda: during(container))
            execution = call.result()
            ended = time.monotonic()
        ran_there = execution.provenance.container_id == container
        shown(ran_there, "it ran in another container than was checked")
        self._check_time(execution, ended - begun)
        self._check_record(execution)
        self.check_leaks(execution)
        self.check_container(container, agent)
        survived = self._check_next(container)
        self._check_ourselves()
        return Shot(execution, ended - begun, ended, survived)

    def fire_pair(self, first: str, second: str, *, arguments_json: str = "{}", **limits: Any) -> tuple[Shot, Shot]:
        """Fire `first`, then let `second` look in the same container for what is left.

        Args:
            first: defines `f`.
            second: defines `f`, without parameters.
            arguments_json: for the first.
            limits: of the first.

        Raises:
            NotProven: the container was thrown away after the first.
        """
        left = self.fire(first, arguments_json=arguments_json, **limits)
        shown(left.survived, "the container was thrown away, so nothing can be looked for in it")
        looked = self.fire(second)
        there = looked.execution.provenance.container_id == left.execution.provenance.container_id
        shown(there, "the second call ran in another container")
        return left, looked

    # --- the view from outside --------------------------------------------------------------

    def agent(self, container: str) -> list[Seen]:
        """Return the processes of an idle container; there have to be two, the relay and the zygote.

        Under gVisor, whose processes the host does not see, a call of the attacker's tenant looks.
        """
        if self.gvisor:
            looked = self.execute(_LOOK)
            shown(looked.provenance.container_id == container, "another container was looked into")
            agent = [Seen(0, pid, 0, "S", waits=False, fields={}) for pid in _pids(looked)]
        else:
            agent = self._of.observer.processes(container)
        sure(len(agent) == 2, f"an idle container has {agent}")
        return agent

    def relay_descriptors(self, container: str) -> dict[str, str]:
        """Return the descriptors of an idle container's relay, but its ends of the next call's four pipes.

        Empty under gVisor, whose processes the host does not see.
        """
        if self.gvisor:
            return {}
        deadline = time.monotonic() + CLEAN_S
        while not (waiting := self.observer.waiting(container)) or int(waiting[0].fields["CapEff"], 16):
            sure(time.monotonic() < deadline, "no process waits for the next call")
            time.sleep(0.005)
        same(len(waiting), 1, "processes that wait for the next call")
        pipes = set(self.observer.fds(waiting[0].host_pid).values())
        held = self.observer.fds(self.agent(container)[0].host_pid)
        own = {fd: what for fd, what in held.items() if what not in pipes}
        same(len(held) - len(own), len(_CALL_PIPES), "pipes to the process that waits")
        return own

    def agent_and_rest(self, container: str) -> tuple[list[Seen], list[Seen]]:
        """Return the relay and the zygote, and then the processes of the call that runs."""
        found = self.observer.processes(container)
        sure(len(found) > 2, f"no call runs, only {found}")
        return found[:2], found[2:]

    def is_there(self, container: str) -> bool:
        """Whether the container exists and runs."""
        return self._of.observer.is_there(container)

    def inspect(self, container: str) -> dict[str, Any]:
        """Return what the engine says of the container."""
        return self._of.observer.inspect(container)

    # --- checks -----------------------------------------------------------------------------

    def require_limits(self, container: str) -> None:
        """Fail without firing unless the engine says that the limits are on, and they have shown that they hold.

        Raises:
            NotProven: one is not.
        """
        host = self.inspect(container)["HostConfig"]
        in_force = {
            "memory": host["Memory"] > 0,
            "no swap": host["MemorySwap"] == host["Memory"],
            "processes": 0 < (host["PidsLimit"] or 0) <= 1024,
            "CPU": host["NanoCpus"] > 0,
            "no network": host["NetworkMode"] == "none",
            "read-only": host["ReadonlyRootfs"] is True,
        }
        missing = [name for name, there in in_force.items() if not there]
        missing += [one.check for one in self.self_check().broken if one.check in _DEADLY]
        shown(not missing, f"nothing was fired: {missing} not in force")

    def self_check(self) -> SelfCheck:
        """Return what the start-up check found under this policy; it runs once."""
        if self._proof is None:
            self._proof = check_sandbox(self._of.engine, self.policy)
        return self._proof

    def _check_time(self, execution: Execution, seconds: float) -> None:
        most = execution.limits.wall_time_s + self.golden(KILL_S, gvisor=GVISOR_KILL_S)
        sure(seconds <= most, f"the verdict came after {seconds:.2f} s, {most:.2f} s is the most")

    def _check_record(self, execution: Execution) -> None:
        same(self._of.store.count_executions(), len(self._executed), "number of records")
        same(len(set(self._executed)), len(self._executed), "number of different executions")
        entry = self._of.store.get_execution(execution.execution_id)
        same((entry.status, entry.tenant), (execution.outcome.status, TENANT), "what is on record")
        same(entry.container_id, execution.provenance.container_id, "container on record")

    def check_leaks(self, execution: Execution) -> None:
        """Look for planted secrets in what came back.

        Raises:
            Broken: one is there.
        """
        outcome = execution.outcome
        failure = outcome.failure
        texts = (failure.type, failure.message, failure.traceback) if failure else ()
        found = self.canaries.found_in(outcome.result_json or "", outcome.stdout.kept, outcome.stderr.kept, *texts)
        sure(not found, f"leaked: {found}")

    def check_container(self, container: str, agent: list[Seen]) -> None:
        """Look whether the container is as it was, or gone, in time.

        Raises:
            Broken: it is not.
        """
        deadline = time.monotonic() + CLEAN_S
        while dirt := self._dirt_in_gvisor(container, agent) if self.gvisor else self._dirt(container, agent):
            sure(time.monotonic() < deadline, f"left in container {container[:12]}: {dirt}")
            time.sleep(0.02)

    def _dirt(self, container: str, agent: list[Seen]) -> str:
        view = self._of.observer
        if not view.is_there(container):
            return ""
        try:
            processes, files = view.processes(container), view.scratch(container)
        except (OSError, AssertionError):
            return "" if not view.is_there(container) else "it is about to end"
        known = {(one.host_pid, one.uid) for one in agent}
        foreign = [one for one in processes if (one.host_pid, one.uid) not in known]
        lost = len(known) - (len(processes) - len(foreign))
        return f"{len(foreign)} processes, files {files[:5]}" if foreign or files else "agent died" if lost else ""

    def _dirt_in_gvisor(self, container: str, agent: list[Seen]) -> str:
        looked = self.execute(_LOOK)
        if looked.provenance.container_id != container:
            return ""  # replaced; that it also goes is checked next
        pids = _pids(looked)
        return f"processes {pids}" if pids != [one.pid for one in agent] else ""

    def _check_next(self, container: str) -> bool:
        following, fastest = self._timed_benign()
        deadline = time.monotonic() + _SETTLE_S
        while fastest > max(2 * self._median_s, self._median_s + _NOISE_S):
            # Others use this machine as well; what an attack has slowed down stays slow.
            if time.monotonic() > deadline:
                raise Broken(f"the next call took {fastest * 1000:.1f} ms, normal is {self._median_s * 1000:.1f} ms")
            fastest = min(fastest, self._timed_benign()[1])
        if following == container:
            return True
        self.await_removed(container)
        return False

    def await_removed(self, container: str, timeout_s: float = REMOVED_S) -> None:
        """Wait until the container is gone.

        Raises:
            Broken: it is not, in time.
        """
        deadline = time.monotonic() + timeout_s
        while self.is_there(container):
            sure(time.monotonic() < deadline, f"container {container[:12]} was replaced but is still there")
            time.sleep(0.02)

    def _timed_benign(self) -> tuple[str, float]:
        begun = time.monotonic()
        container = self.benign().provenance.container_id
        return container, time.monotonic() - begun

    def _check_ourselves(self) -> None:
        deadline = time.monotonic() + CLEAN_S
        while growth := self._own.growth():
            sure(time.monotonic() < deadline, f"this process keeps {growth}")
            time.sleep(0.05)
        sure(self._of.containers() <= self._of.most, f"there are {self._of.containers()} containers")


_CALL_PIPES: Final = ("payload", "result", "stdout", "stderr")
_LOOK: Final = """
import os
def f():
    return sorted(int(name) for name in os.listdir("/proc") if name.isdecimal() and int(name) != os.getpid())
"""


def _pids(looked: Execution) -> list[int]:
    if looked.outcome.result_json is None:
        not_proven(f"the look from inside ended with {looked.outcome}")
    return [int(pid) for pid in json.loads(looked.outcome.result_json)]


def _watch(call: Future[Execution], look: Callable[[], None]) -> None:
    """Look on while the attack runs; a look that never sees what it expects fails the case."""
    while True:
        try:
            look()
        except (AssertionError, OSError, ValueError):  # not there yet, or just gone
            if call.done():
                raise
            time.sleep(0.01)
        else:
            return
