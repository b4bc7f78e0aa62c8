"""The gRPC server: all services on one address, health, reflection, and an end that lets running calls finish."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from toolwright.errors import InvalidInput
from toolwright.execution.base import Executor
from toolwright.lifecycle.porter import Porter
from toolwright.lifecycle.reverify import StartUpVerification
from toolwright.lifecycle.solves import Solving
from toolwright.lifecycle.steward import Steward
from toolwright.registry.base import Store
from toolwright.services.audit import AuditService
from toolwright.services.base import Accounting, Reporting, Reverifying, ToolMaking
from toolwright.services.batch import BatchBounds
from toolwright.services.batch_stream import SHUTTING_DOWN
from toolwright.services.execution import ExecutionService
from toolwright.services.faults import Faults
from toolwright.services.guard import FaultInterceptor, InFlight
from toolwright.services.ledger import LedgerService
from toolwright.services.log import service_log
from toolwright.services.options import server_options
from toolwright.services.solve import SolveService
from toolwright.services.tools import ToolService
from toolwright.settings import DispatchSettings, GrpcSettings
from toolwright.solving.misses import MissDesk
from toolwright.v1 import (
    audit_pb2,
    audit_pb2_grpc,
    execution_pb2,
    execution_pb2_grpc,
    ledger_pb2,
    ledger_pb2_grpc,
    solve_pb2,
    solve_pb2_grpc,
    tools_pb2,
    tools_pb2_grpc,
)

SERVICES: Final = tuple(
    module.DESCRIPTOR.services_by_name[name].full_name
    for module, name in (
        (execution_pb2, "ExecutionService"),
        (tools_pb2, "ToolService"),
        (solve_pb2, "SolveService"),
        (ledger_pb2, "LedgerService"),
        (audit_pb2, "AuditService"),
    )
)
_log: Final = service_log("toolwright.services")
_POLL_S: Final = 0.02
_QUIET_POLLS: Final = 3
_LAST_WORDS_S: Final = 1.0
_READ_S: Final = 0.1
"""For clients to read how their batches ended."""
_WATCH_S: Final = 0.25
"""How often health is looked at anew."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the services stand on."""

    executor: Executor
    store: Store
    maker: ToolMaking
    solver: Solving
    steward: Steward
    porter: Porter
    costs: Accounting
    source_allowed: bool = True
    """Whether bare source may be run."""
    desk: MissDesk | None = None
    """Takes questions that no tool fits; None: one with the settings' defaults."""
    reporting: Reporting | None = None
    """Takes reports on answers; None where none are taken."""
    reverifying: Reverifying | None = None
    """Verifies kept versions again; None where that is not done."""
    verification: StartUpVerification | None = None
    """What has to be verified again before it is run; whoever serves starts it."""


class Endpoint:
    """One gRPC server. NOT_SERVING until `ready`; after `drain` it is over."""

    def __init__(  # noqa: PLR0913 - each is somebody else's to decide
        self,
        parts: Parts,
        *,
        grpc_settings: GrpcSettings,
        batch_bounds: BatchBounds | None = None,
        reflect: bool,
        refusal: str = "",
        candid: bool = False,
    ) -> None:
        """Put the services together; nothing listens yet.

        Args:
            parts: what the services stand on.
            grpc_settings: bounds.
            batch_bounds: of batches.
            reflect: show the protocol to any caller.
            refusal: why no code may be run; empty if it may. Given, calls that would run code are answered with
                it, and health checks with NOT_SERVING for ever.
            candid: tell callers all about faults of ours, paths and addresses too; for a server of the caller's own.
        """
        self._refusal = refusal
        self._in_flight = InFlight()
        self._making = parts.maker
        faults = Faults(plain=frozenset({refusal, SHUTTING_DOWN}), candid=candid)
        self._health = health.HealthServicer()
        self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        self._workers = ThreadPoolExecutor(grpc_settings.workers, thread_name_prefix="grpc")
        self._guard = FaultInterceptor(
            self._in_flight,
            faults,
            # As far as gRPC goes itself: what it may let through is not refused by us.
            max_metadata_bytes=2 * grpc_settings.max_metadata_bytes,
            refusal=refusal,
        )
        self._server = grpc.server(
            self._workers,
            interceptors=[self._guard],
            options=server_options(grpc_settings),
            # As many calls as threads: a call beyond them is refused at once, not queued unseen.
            maximum_concurrent_rpcs=grpc_settings.workers,
        )
        self._hurry, self._ended = threading.Event(), threading.Event()
        self._execution = ExecutionService(
            parts.executor,
            faults,
            source_allowed=parts.source_allowed,
            batch_bounds=batch_bounds or BatchBounds(),
        )
        self._add_services(parts, reflect=reflect)

    def listen(self, address: str) -> str:
        """Take calls on `address`, and return it with the port that was really taken.

        Raises:
            InvalidInput: the address cannot be listened on.
        """
        try:
            if address.startswith("unix:"):
                _refuse_taken(Path(address.removeprefix("unix:")))
            with _private_socket():
                port = self._server.add_insecure_port(address)
        except (RuntimeError, OSError) as fault:
            problem = f"{address} cannot be listened on; another process may have it ({fault})"
            raise InvalidInput("listen", problem, "an address that is free") from None
        self._server.start()
        return address if address.startswith("unix:") else f"{address.rpartition(':')[0]}:{port}"

    def ready(self, trouble: Callable[[], str] = str) -> None:
        """Answer health checks with SERVING from now on, unless code is refused.

        Args:
            trouble: says why no call can be served now, empty if one can; health follows it.
        """
        if self._refusal:
            return
        self._set_health(health_pb2.HealthCheckResponse.SERVING)
        threading.Thread(target=self._watch, args=(trouble,), name="health", daemon=True).start()

    def drain(self, grace_s: float) -> None:
        """Refuse new calls with UNAVAILABLE, give what is running `grace_s` seconds, then cancel it."""
        self._health.enter_graceful_shutdown()
        self._ended.set()
        end = time.monotonic() + grace_s
        self._end_batches(end)
        stopped = self._server.stop(max(0.0, end - time.monotonic()))
        quiet = 0
        while quiet < _QUIET_POLLS and time.monotonic() < end and not self._hurry.is_set() and not stopped.is_set():
            # More than one look: a call may have arrived that no thread has begun with.
            quiet = 0 if self._in_flight.count or self._making.running else quiet + 1
            time.sleep(_POLL_S)
        self._server.stop(0).wait()
        # Handlers have been cancelled, and have this long to write their records. One that waits for a model's
        # endpoint ends when that is closed.
        end = time.monotonic() + _LAST_WORDS_S
        while self._in_flight.count and time.monotonic() < end:
            time.sleep(_POLL_S)
        self._workers.shutdown(wait=False)

    def hurry(self) -> None:
        """Cut short a `drain` that is waiting."""
        self._hurry.set()

    def _end_batches(self, end: float) -> None:
        """Let batches answer what they have taken, until `end`; then kill that, and let them tell of it.

        gRPC is stopped after them: it closes a connection with its last call, and a client that is just sending would
        lose the answers and the status that are on their way.
        """
        batches = self._execution.batches
        batches.stop()
        if not batches.running:
            return
        self._guard.refuse_all(SHUTTING_DOWN)
        while batches.running and time.monotonic() < end and not self._hurry.is_set():
            time.sleep(_POLL_S)
        batches.kill()
        end = time.monotonic() + _LAST_WORDS_S
        while batches.running and time.monotonic() < end:
            time.sleep(_POLL_S)
        time.sleep(_READ_S)

    def _add_services(self, parts: Parts, *, reflect: bool) -> None:
        desk = parts.desk or MissDesk(parts.store.misses, DispatchSettings())
        tools = ToolService(
            parts.store,
            parts.maker,
            steward=parts.steward,
            porter=parts.porter,
            reporting=parts.reporting,
            reverifying=parts.reverifying,
        )
        execution_pb2_grpc.add_ExecutionServiceServicer_to_server(self._execution, self._server)
        tools_pb2_grpc.add_ToolServiceServicer_to_server(tools, self._server)
        solve_pb2_grpc.add_SolveServiceServicer_to_server(SolveService(parts.solver, desk), self._server)
        ledger_pb2_grpc.add_LedgerServiceServicer_to_server(LedgerService(parts.costs), self._server)
        audit_pb2_grpc.add_AuditServiceServicer_to_server(AuditService(), self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if reflect:
            names = (*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, self._server)

    def _watch(self, trouble: Callable[[], str]) -> None:
        before = ""
        while not self._ended.wait(_WATCH_S):
            now = trouble()
            if bool(now) != bool(before):
                answer = health_pb2.HealthCheckResponse
                self._set_health(answer.NOT_SERVING if now else answer.SERVING)
                _log.warning("health", status="NOT_SERVING" if now else "SERVING", reason=now)
            before = now

    def _set_health(self, status: int) -> None:
        for name in (health.OVERALL_HEALTH, *SERVICES):
            self._health.set(name, status)


@contextmanager
def _private_socket() -> Iterator[None]:
    """Make what is created within usable by this user alone: whoever can open the socket can run tools."""
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)


def _refuse_taken(path: Path) -> None:
    """Raise OSError if a server answers at `path`: gRPC would push it aside. A stale socket may be replaced."""
    if not path.exists():
        return
    if not path.is_socket():
        raise OSError(f"{path} is there and is no socket")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return
    raise OSError("a server answers there")
