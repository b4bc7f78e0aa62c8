"""One server from start to end. Whatever can be missing is found missing before anything listens."""

from __future__ import annotations

import gc
import queue
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Final

from toolwright.errors import InvalidInput
from toolwright.sandbox.host.check import HostCheck
from toolwright.sandbox.host.facts import engine_facts
from toolwright.sandbox.selfcheck.check import SelfCheck
from toolwright.server.feedback import verifying_again
from toolwright.server.parts import open_parts
from toolwright.server.places import private_directory
from toolwright.server.rules import rules_without_effect
from toolwright.server.sandboxes import FactsOf, PolicyOf, Sandboxes, open_sandboxes, prove, sandbox_policy
from toolwright.services.batch import BatchBounds
from toolwright.services.endpoint import Endpoint
from toolwright.services.log import configure_logs, service_log
from toolwright.settings import Profile, Settings, check_listen

_IN_PROCESS_GRACE_S: Final = 0.5
"""Whoever closes a server of its own has read what it wanted."""

_log: Final = service_log("toolwright.server")
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(slots=True)
class Server:
    """A server that takes calls."""

    address: str
    """What it listens on, as clients take it: `host:port` or `unix:/path`."""
    check: SelfCheck | None
    """What the start-up check found; None in a server of the caller's own."""
    host: HostCheck | None
    """What is to be said of the host; None in a server of the caller's own in development."""
    refusal: str
    """Why it is not serving and runs no tool; empty if it does."""
    _endpoint: Endpoint
    # A simple queue, not an event: its `put` may be called by a signal handler whatever that interrupted.
    _stop: queue.SimpleQueue[None] = field(default_factory=queue.SimpleQueue)
    _handlers: dict[int, Any] = field(default_factory=dict)
    _signalled: bool = False

    def wait(self) -> None:
        """Wait until `stop`, or in the main thread for a signal to end; leaving the `with` then ends the server.

        Until it has ended, a further signal ends it without waiting for running calls.
        """
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if signal.getsignal(number) is signal.SIG_IGN:  # as `nohup` wants it
                    continue
                self._handlers.setdefault(number, signal.getsignal(number))
                signal.signal(number, self._on_signal)
        self._stop.get()

    def stop(self) -> None:
        """Let `wait` return. Safe to call from any thread, and more than once."""
        self._stop.put(None)

    def hurry(self) -> None:
        """End without waiting for running calls; they are killed."""
        self._endpoint.hurry()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._signalled:
            self.hurry()
        self._signalled = True
        self.stop()

    def _end(self, grace_s: float) -> None:
        try:
            self._endpoint.drain(grace_s)
        except BaseException:  # an interrupt: as a second signal
            self.hurry()
            self._endpoint.drain(0)
            raise


@contextmanager
def open_server(
    settings: Settings,
    *,
    address: str | None = None,
    policy_of: PolicyOf = sandbox_policy,
    facts_of: FactsOf = engine_facts,
) -> Iterator[Server]:
    """Start all services and listen; at the end running calls get time to finish, then no container is left.

    Before anything is served the host and the sandbox are checked. A listening server attacks each layer; if one is
    not in force it stays up, answers health checks with NOT_SERVING, and refuses every call that would run code. The
    same where the profile is production and the host is not fit for it; in development it logs what is wrong there.

    Args:
        settings: see `settings.load_settings`.
        address: where to listen, mostly `settings.listen`. None: a socket in a private directory, for this
            user alone. Such a server is for the caller itself, so layers are not attacked: the first container is
            looked at and tried before the first call, which fails with SandboxUnavailable if a layer is missing.
        policy_of: what containers get. One that is weaker than ours is found out.
        facts_of: what the engine says of itself and of the host.

    Raises:
        EngineUnavailable, ImageMissing, SandboxUnavailable: no sandbox can be had.
        StoreUnavailable, StoreCorrupt: the registry.
        InvalidInput: the address cannot be listened on, or a setting is off.
    """
    configure_logs()
    handlers: dict[int, Any] = {}
    with ExitStack() as stack:
        stack.callback(_restore, handlers)  # last of all: until the containers are gone, a further signal only hurries
        sandboxes = stack.enter_context(
            open_sandboxes(settings, attack=address is not None, policy_of=policy_of, facts_of=facts_of)
        )
        # Where no code may be run, no making that was left is taken up either.
        adopt = address is not None and not sandboxes.refusal
        parts = stack.enter_context(open_parts(settings, sandboxes.pool, adopt=adopt))
        endpoint = Endpoint(
            parts,
            grpc_settings=settings.grpc,
            batch_bounds=BatchBounds(settings.batch.max_streams, settings.batch_in_flight),
            reflect=settings.profile is not Profile.PRODUCTION,
            refusal=sandboxes.refusal,
            candid=address is None,
        )
        if address is None:
            place, grace_s = f"unix:{stack.enter_context(private_directory())}/server.sock", _IN_PROCESS_GRACE_S
        else:
            place, grace_s = _checked(address), settings.grpc.drain_s
            for setting, reason in rules_without_effect(settings.isolation.policy, parts.store):
                _log.warning("rule without effect", setting=setting, reason=reason)
            _prove(sandboxes, settings)
            # What the server has by now lives as long as it: no later collection has to look at it.
            gc.collect()
            gc.freeze()
        heard = endpoint.listen(place)
        server = Server(heard, sandboxes.check, sandboxes.host, sandboxes.refusal, endpoint, _handlers=handlers)
        try:
            endpoint.ready(sandboxes.trouble)
            if address is not None and settings.feedback.reverify and not sandboxes.refusal:
                # Beside the calls: those of other versions are served meanwhile.
                stack.enter_context(verifying_again(parts.verification))
            yield server
        finally:
            server._end(grace_s)  # noqa: SLF001 - its other half


def _restore(handlers: dict[int, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)


def _prove(sandboxes: Sandboxes, settings: Settings) -> None:
    """Run a first call, or say why none will ever be run.

    Raises:
        SandboxUnavailable, Overloaded: the call failed.
    """
    for finding in sandboxes.host.warnings if sandboxes.host else ():
        _log.warning("host", item=finding.name, found=finding.value, advice=finding.advice)
    if not sandboxes.refusal:
        prove(sandboxes.pool, settings.sandbox.limits.limits)
        return
    layers = list(sandboxes.check.broken_layers) if sandboxes.check else []
    host = [finding.name for finding in sandboxes.host.unfit] if sandboxes.host else []
    _log.error("not serving", layers=layers, host=host, reason=sandboxes.refusal)


def _checked(address: str) -> str:
    try:
        check_listen(address)
    except ValueError as fault:
        raise InvalidInput("listen", str(fault)) from None
    return address
