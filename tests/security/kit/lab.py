"""Fires attacks at real containers, and checks after each one what no attack may break."""

from __future__ import annotations

import json
import os
import secrets
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from tests.security.kit.observer import Observer, Seen
from toolwright.domain.call import ExecutionRequest
from toolwright.domain.limits import LimitsRequest
from toolwright.domain.outcome import Execution, Outcome, Status
from toolwright.domain.source import ToolSource
from toolwright.execution.executor import SandboxExecutor
from toolwright.registry.base import Store

TENANT: Final = "attacker"
NEIGHBOUR: Final = "neighbour"
SERVER_VARIABLE: Final = "TOOLWRIGHT_TEST_CANARY"
"""Environment variable of this process, which is the server's here."""

KILL_S: Final = 0.5
"""A verdict comes this long after its limit, at most."""
CLEAN_S: Final = 1.0
"""And this much later the container is clean or gone."""
REMOVED_S: Final = 10.0
"""What was replaced is removed in the background; the engine takes its time."""
_BENIGN: Final = "def f(secret):\n    return len(secret)\n"
_CALLS_FOR_MEDIAN = 15
_SETTLE_S = 3.0
_NOISE_S = 0.01
"""Below this a difference in latency says more about the machine than about us."""
_SPARE_FDS, _SPARE_THREADS, _SPARE_BYTES = 16, 8, 96 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Canaries:
    """Secrets planted where a tool must not find them."""

    server_variable: str
    earlier_argument: str
    neighbours_source: str
    host_file: Path
    """Both its name and its content are secret."""

    @classmethod
    def plant(cls, directory: Path) -> Canaries:
        """Make new ones, and put those of the server and the host in place."""
        one, two, three, four = (f"canary-{secrets.token_hex(12)}" for _ in range(4))
        os.environ[SERVER_VARIABLE] = one
        host_file = directory / four
        host_file.write_text(four, encoding="ascii")
        return cls(one, two, three, host_file)

    def found_in(self, *texts: str | bytes) -> list[str]:
        """Return which of them occur in `texts`."""
        raw = b"\n".join(text.encode() if isinstance(text, str) else text for text in texts)
        values = {
            "server's environment": self.server_variable,
            "an earlier call's argument": self.earlier_argument,
            "a neighbour's source": self.neighbours_source,
            "a file of the host": self.host_file.name,
        }
        return [name for name, value in values.items() if value.encode() in raw]


@dataclass(frozen=True, slots=True)
class Shot:
    """An attack and what came of it."""

    execution: Execution
    seconds: float
    ended_at: float
    """When the verdict came, by the monotonic clock."""
    survived: bool
    """Whether the next call was given the same container; else it was thrown away."""

    @property
    def outcome(self) -> Outcome:
        """The verdict, and what goes with it."""
        return self.execution.outcome

    @property
    def status(self) -> Status:
        """The verdict."""
        return self.execution.outcome.status

    @property
    def failure(self) -> str:
        """Type of the failure; empty if there is none."""
        return self.outcome.failure.type if self.outcome.failure else ""

    @property
    def value(self) -> Any:
        """What the probe returned; fails the test if it returned nothing."""
        assert self.outcome.result_json is not None, f"NOT PROVEN: the probe ended with {self.outcome}"
        return json.loads(self.outcome.result_json)


class Lab:
    """The range: a pool, an executor with its record, and a view from outside."""

    def __init__(
        self, executor: SandboxExecutor, store: Store, observer: Observer, canaries: Canaries, counts: Counts
    ) -> None:
        """Measure what is normal, before anything is attacked."""
        self.observer = observer
        self.canaries = canaries
        self._executor = executor
        self._store = store
        self._counts = counts
        self._executed: list[str] = []
        self.benign(NEIGHBOUR, source=f"# {canaries.neighbours_source}\n{_BENIGN}")
        self._median_s = statistics.median(self._timed_benign()[1] for _ in range(_CALLS_FOR_MEDIAN))
        self._own = _Own.measure()

    # --- calls ------------------------------------------------------------------------------

    def benign(self, tenant: str = TENANT, *, source: str = _BENIGN) -> Execution:
        """Run a harmless call that carries a secret argument; fails the test if it does not succeed."""
        arguments = json.dumps({"secret": self.canaries.earlier_argument})
        execution = self.execute(source, arguments_json=arguments, tenant=tenant)
        assert execution.outcome.result_json == str(len(self.canaries.earlier_argument)), execution.outcome
        return execution

    def execute(self, code: str, *, arguments_json: str = "{}", tenant: str = TENANT, **limits: Any) -> Execution:
        """Run the function `f` of `code` and check nothing."""
        request = ExecutionRequest(ToolSource(code, "f"), arguments_json, LimitsRequest(**limits), tenant=tenant)
        execution = self._executor.execute(request)
        self._executed.append(execution.execution_id)
        return execution

    def fire(
        self,
        code: str,
        *,
        arguments_json: str = "{}",
        destructive: bool = False,
        during: Callable[[str], None] | None = None,
        **limits: Any,
    ) -> Shot:
        """Run an attack, then check all that holds after every attack.

        Args:
            code: defines `f`.
            arguments_json: for `f`.
            destructive: check first, with the engine, that the limits are in force.
            during: called with the container's id while the attack runs.
            limits: fields of `LimitsRequest`.
        """
        container = self.benign().provenance.container_id
        agent = self.agent(container)
        if destructive:
            self.require_limits(container)
        begun = time.monotonic()
        with ThreadPoolExecutor(1) as threads:
            call = threads.submit(self.execute, code, arguments_json=arguments_json, **limits)
            if during is not None:
                _watch(call, lambda: during(container))
            execution = call.result()
            ended = time.monotonic()
        assert execution.provenance.container_id == container, (
            "NOT PROVEN: it ran in another container than was checked"
        )
        self._check_time(execution, ended - begun)
        self._check_record(execution)
        self.check_leaks(execution)
        self.check_container(container, agent)
        survived = self._check_next(container)
        self._check_ourselves()
        return Shot(execution, ended - begun, ended, survived)

    def agent(self, container: str) -> list[Seen]:
        """Return the processes of an idle container; there have to be two, the relay and the zygote."""
        agent = self.observer.processes(container)
        assert len(agent) == 2, f"an idle container has {agent}"
        return agent

    def agent_and_rest(self, container: str) -> tuple[list[Seen], list[Seen]]:
        """Return the relay and the zygote, and then the processes of the call that runs."""
        found = self.observer.processes(container)
        assert len(found) > 2, f"no call runs, only {found}"
        return found[:2], found[2:]

    # --- checks -----------------------------------------------------------------------------

    def require_limits(self, container: str) -> None:
        """Fail without firing unless the engine says that the limits are in force."""
        host = self.observer.inspect(container)["HostConfig"]
        in_force = {
            "memory": host["Memory"] > 0,
            "no swap": host["MemorySwap"] == host["Memory"],
            "processes": 0 < (host["PidsLimit"] or 0) <= 1024,
            "CPU": host["NanoCpus"] > 0,
            "no network": host["NetworkMode"] == "none",
            "read-only": host["ReadonlyRootfs"] is True,
        }
        missing = [name for name, there in in_force.items() if not there]
        assert not missing, f"NOT PROVEN, nothing was fired: {missing} not in force"

    @staticmethod
    def _check_time(execution: Execution, seconds: float) -> None:
        limit_s = execution.limits.wall_time_s
        assert seconds <= limit_s + KILL_S, f"the verdict came after {seconds:.2f} s, with a limit of {limit_s:g} s"

    def _check_record(self, execution: Execution) -> None:
        assert self._store.count_executions() == len(self._executed)
        assert len(set(self._executed)) == len(self._executed)
        entry = self._store.get_execution(execution.execution_id)
        assert (entry.status, entry.tenant) == (execution.outcome.status, TENANT)
        assert entry.container_id == execution.provenance.container_id

    def check_leaks(self, execution: Execution) -> None:
        """Fail if a planted secret is anywhere in what came back."""
        outcome = execution.outcome
        failure = outcome.failure
        texts = (failure.type, failure.message, failure.traceback) if failure else ()
        found = self.canaries.found_in(outcome.result_json or "", outcome.stdout.kept, outcome.stderr.kept, *texts)
        assert not found, f"leaked: {found}"

    def check_container(self, container: str, agent: list[Seen]) -> None:
        """Fail unless the container is as it was, or gone, in time."""
        deadline = time.monotonic() + CLEAN_S
        while dirt := self._dirt(container, agent):
            if time.monotonic() > deadline:
                raise AssertionError(f"left in container {container[:12]}: {dirt}")
            time.sleep(0.02)

    def _dirt(self, container: str, agent: list[Seen]) -> str:
        if not self.observer.is_there(container):
            return ""
        try:
            processes, files = self.observer.processes(container), self.observer.scratch(container)
        except (OSError, AssertionError):
            return "" if not self.observer.is_there(container) else "it is about to end"
        known = {(one.host_pid, one.uid) for one in agent}
        foreign = [one for one in processes if (one.host_pid, one.uid) not in known]
        lost = len(known) - (len(processes) - len(foreign))
        return f"{len(foreign)} processes, files {files[:5]}" if foreign or files else "agent died" if lost else ""

    def _check_next(self, container: str) -> bool:
        following, fastest = self._timed_benign()
        deadline = time.monotonic() + _SETTLE_S
        while fastest > max(2 * self._median_s, self._median_s + _NOISE_S):
            # Others use this machine as well; what an attack has slowed down stays slow.
            assert time.monotonic() < deadline, (
                f"the next call took {fastest * 1000:.1f} ms, normal is {self._median_s * 1000:.1f} ms"
            )
            fastest = min(fastest, self._timed_benign()[1])
        if following == container:
            return True
        self.await_removed(container)
        return False

    def await_removed(self, container: str, timeout_s: float = REMOVED_S) -> None:
        """Fail unless the container is gone in time."""
        deadline = time.monotonic() + timeout_s
        while self.observer.is_there(container):
            assert time.monotonic() < deadline, f"container {container[:12]} was replaced but is still there"
            time.sleep(0.02)

    def _timed_benign(self) -> tuple[str, float]:
        begun = time.monotonic()
        container = self.benign().provenance.container_id
        return container, time.monotonic() - begun

    def _check_ourselves(self) -> None:
        deadline = time.monotonic() + CLEAN_S
        while growth := self._own.growth():
            if time.monotonic() > deadline:
                raise AssertionError(f"this process keeps {growth}")
            time.sleep(0.05)
        assert self._counts.containers() <= self._counts.most


@dataclass(frozen=True, slots=True)
class Counts:
    """How many containers of the pool there are and may be."""

    containers: Callable[[], int]
    most: int


@dataclass(frozen=True, slots=True)
class _Own:
    """What this process uses: it stands for the server."""

    fds: int
    threads: int
    resident: int

    @classmethod
    def measure(cls) -> _Own:
        process = psutil.Process()
        return cls(process.num_fds(), threading.active_count(), process.memory_info().rss)

    def growth(self) -> str:
        """Return what is used beyond this and a little; empty if nothing."""
        now = _Own.measure()
        grown = {
            "descriptors": now.fds - self.fds - _SPARE_FDS,
            "threads": now.threads - self.threads - _SPARE_THREADS,
            "bytes": now.resident - self.resident - _SPARE_BYTES,
        }
        return ", ".join(f"{beyond} {name} too many" for name, beyond in grown.items() if beyond > 0)


def _watch(call: Future[Execution], look: Callable[[], None]) -> None:
    """Look on while the attack runs; a look that never sees what it expects fails the test."""
    while True:
        try:
            look()
        except (AssertionError, OSError, ValueError):  # not there yet, or just gone
            if call.done():
                raise
            time.sleep(0.01)
        else:
            return


@contextmanager
def unset_at_end(name: str) -> Iterator[None]:
    """Take an environment variable away at the end."""
    try:
        yield
    finally:
        os.environ.pop(name, None)
