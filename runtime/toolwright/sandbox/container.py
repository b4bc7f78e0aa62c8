"""One sandbox in a Docker container: created, spoken to over one attached stream, destroyed.

The stream is opened before the container starts and is the only channel there is. Nothing is ever
run in, copied into or out of a container that has seen a payload.
"""

from __future__ import annotations

import json
import math
import secrets
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

import requests
from docker.errors import APIError, ImageNotFound, NotFound

from toolwright.domain.call import ToolCall
from toolwright.domain.json_rules import JsonRefused, JsonRules
from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Outcome
from toolwright.errors import CallCancelled, ImageMissing, SandboxUnavailable
from toolwright.sandbox.base import Cancellation, SandboxInfo
from toolwright.sandbox.channel import Channel, ContainerLost, Interrupted
from toolwright.sandbox.engine import ENGINE_FAULTS, Engine
from toolwright.sandbox.frames import PROTOCOL_VERSION, Frame, FrameType, FramingBroken, pack
from toolwright.sandbox.init_process import InitProcess
from toolwright.sandbox.payload import call_payload
from toolwright.sandbox.policy import SandboxPolicy
from toolwright.sandbox.transcript import Transcript, result_room
from toolwright.sandbox.verdict import Stop, broken, judge, lost
from toolwright.sandbox.watch import Watch

START_S = 30.0
"""Longest wait for a new container's hello, in seconds."""
KILL_GRACE_S = 0.2
"""After a kill, longest wait for the agent's proof that the call is gone; then the container is killed whole.

The agent needs a few milliseconds. One that does not answer may be stopped, or starved by the very call.
"""
_HELLO_RULES = JsonRules(max_bytes=4_096, max_depth=2, max_items=32, max_number_chars=32)
_CALL_HEADER = struct.Struct(">I")
_DATA_FACTOR = 2
"""Address space for data over the memory limit: threads' stacks count although they are hardly touched."""


def _ignore(*_: object) -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """Who looks after a container: its name, and who is told how it ends."""

    name: str = ""
    """Empty for one that the engine draws."""
    gone: Callable[[], None] = _ignore
    """Called once, when the container was removed."""
    left: Callable[[bool], None] = _ignore
    """Called instead when it may be there and could not be removed; with True if it may even appear later."""


class DockerSandbox:
    """One container. Made by `DockerSandbox.start`; not safe for two calls at once."""

    def __init__(self, engine: Engine, container_id: str, stream: socket.socket, policy: SandboxPolicy) -> None:
        """Take over a container whose stream is attached. Use `start`."""
        self._engine = engine
        self._policy = policy
        self._channel = Channel(stream)
        self._init: InitProcess | None = None
        self._destroyed = False
        self._kill_lock = threading.Lock()
        self._killed = False
        self._keeping = Keeping()
        self.info = SandboxInfo(container_id, policy.image_id, policy.runtime)
        self.created = time.monotonic()
        self.calls = 0
        self.doubt = ""
        """Why this container may not be used again; empty while it may."""

    @classmethod
    def start(
        cls,
        engine: Engine,
        policy: SandboxPolicy,
        *,
        uid_base: int,
        owner: str,
        keeping: Keeping | None = None,
    ) -> DockerSandbox:
        """Create, attach and start a container, and wait for its agent's hello.

        Args:
            engine: where.
            policy: all of its options.
            uid_base: first of its own user ids.
            owner: label of this server process.
            keeping: who looks after it.

        Raises:
            ImageMissing: the image is not in the engine.
            SandboxUnavailable: the engine or the agent failed. Nothing is left behind but what `keeping` was told.
        """
        keeping = keeping or Keeping()
        options = policy.container_options(uid_base, owner) | ({"name": keeping.name} if keeping.name else {})
        try:
            container_id = str(engine.client.containers.create(**options).id)
        except ImageNotFound:
            raise ImageMissing(
                f"The sandbox image {policy.image_id} is not in the engine. Build it with `toolwright images build`."
            ) from None
        except ENGINE_FAULTS as fault:
            keeping.left(not isinstance(fault, APIError))  # who refuses in so many words makes nothing later
            raise SandboxUnavailable(f"The engine made no container: {_short(fault)}") from fault
        try:
            sandbox = cls(engine, container_id, _attach(engine, container_id), policy)
        except BaseException as fault:
            try:
                _remove(engine, container_id)
            except SandboxUnavailable:
                keeping.left(False)  # noqa: FBT003 - that is what it takes
            if isinstance(fault, ENGINE_FAULTS):
                raise SandboxUnavailable(f"The engine attached no stream: {_short(fault)}") from fault
            raise
        sandbox._keeping = replace(keeping, gone=_ignore)
        try:
            engine.client.api.start(container_id)
            sandbox._init = InitProcess.find(engine, container_id)
            sandbox._await_hello()
        except BaseException as fault:
            text = sandbox._channel.stderr.decode("utf-8", "replace")[-500:]
            with suppress(SandboxUnavailable):  # it is left, and told so; why it did not start is what matters here
                sandbox.destroy()
            if isinstance(fault, (*ENGINE_FAULTS, ContainerLost, FramingBroken)):
                said = f"; its last words: {text}" if text else ""
                raise SandboxUnavailable(f"The container did not start: {_short(fault)}{said}") from fault
            raise
        sandbox._keeping = keeping
        return sandbox

    # --- one call ---------------------------------------------------------------------------

    def run(self, call: ToolCall, cancellation: Cancellation) -> Outcome:
        """Run `call` to its end; see `base.Sandbox.run`."""
        if cancellation.cancelled:
            raise CallCancelled("The call was cancelled before it was sent; the tool did not run.")
        if not self._channel.silent:  # a stream whose other end is gone still takes what we send
            self.doubt = self.doubt or "spoke or ended between two calls"
            raise SandboxUnavailable("The sandbox is gone, the tool did not run: it ended between two calls.")
        limits = call.limits
        self.calls += 1
        transcript = Transcript(secrets.randbits(63) + 1, limits)
        # Every kill is sent by this thread, for the call that it follows: none can reach the next one.
        cancellation.on_cancel(self._channel.wake)
        self._send_call(transcript.call_id, call, cancellation)
        try:
            stop = self._follow(transcript, limits, cancellation)
            self._settle(transcript)
            outcome = judge(transcript, limits, stop)
        except FramingBroken as fault:
            self.doubt = f"broke the framing: {fault}"
            outcome = broken(transcript, fault)
        except ContainerLost as fault:
            self.doubt = "went away in a call"
            outcome = lost(transcript, _short(fault))
        if self.doubt:
            self.kill()  # before anybody hears of it: nothing proves that the call is over
        if cancellation.cancelled:
            # Whatever the container did then: the caller is not there to hear it.
            raise CallCancelled("The call was cancelled; its processes are dead.")
        return outcome

    def _send_call(self, call_id: int, call: ToolCall, cancellation: Cancellation) -> None:
        try:
            self._channel.send(_call_frame(call_id, call, self._policy), lambda: cancellation.cancelled)
        except Interrupted:
            self.doubt = "has a part of a call that was cancelled"
            raise CallCancelled("The call was cancelled while it was sent; the tool did not run.") from None
        except OSError as fault:
            self.doubt = "the stream is closed"
            raise SandboxUnavailable(f"The sandbox is gone, the tool did not run: {_short(fault)}") from fault

    def _follow(self, transcript: Transcript, limits: Limits, cancellation: Cancellation) -> Stop | None:
        """Take frames until the call has ended; end it when it has to. Return why we did, if we did."""
        watch = Watch(limits, time.monotonic())
        stop: Stop | None = None
        killed_at = 0.0
        while transcript.exit is None:
            deadline = watch.deadline(transcript) if stop is None else killed_at + KILL_GRACE_S
            try:
                for frame in self._channel.receive(deadline):
                    transcript.add(frame)
            except ContainerLost as fault:
                if stop is None:
                    raise
                self.doubt = _short(fault)  # it had to end, and has
                break
            now = time.monotonic()
            if transcript.exit is not None:
                break
            if stop is None:
                stop = watch.why_end(transcript, now, cancelled=cancellation.cancelled)
                if stop is not None:
                    killed_at = now
                    self._channel.send_now(pack(FrameType.KILL, transcript.call_id))
            elif now > deadline:
                self.doubt = "gave no proof that the call ended"
                break
        return stop

    def _settle(self, transcript: Transcript) -> None:
        """Decide whether the container may be used again."""
        if transcript.exit is not None and not transcript.exit.clean:
            self.doubt = "no proof that nothing of the call is left"
        if transcript.exit is not None and not self._channel.between_frames:
            raise FramingBroken("bytes after the end of a call")

    def _await_hello(self) -> None:
        deadline = time.monotonic() + START_S
        frames: list[Frame] = []
        while not frames:
            if time.monotonic() > deadline:
                raise ContainerLost(f"no hello within {START_S:g} s")
            frames = self._channel.receive(deadline)
        if len(frames) > 1 or frames[0].kind is not FrameType.HELLO:
            raise FramingBroken("the first frame is no hello")
        try:
            hello = _HELLO_RULES.parse(frames[0].body)
        except JsonRefused as refused:
            raise FramingBroken(f"the hello {refused}") from None
        if not isinstance(hello, dict) or hello.get("protocol") != PROTOCOL_VERSION:
            raise FramingBroken(f"the agent does not speak protocol {PROTOCOL_VERSION}; rebuild the image")

    # --- its end ------------------------------------------------------------------------------

    @property
    def usable(self) -> bool:
        """Whether it may take another call: no doubt, not too old, still there, nothing said unasked."""
        if self.doubt or self._destroyed or self.calls >= self._policy.max_calls:
            return False
        if time.monotonic() - self.created > self._policy.max_age_s:
            return False
        return self._channel.silent

    def kill(self) -> None:
        """End every process in the container now."""
        self.doubt = self.doubt or "was killed"
        with self._kill_lock:  # so that nobody returns before all is dead
            if self._killed:
                return
            self._killed = True
            if self._init is not None and self._init.kill():
                return
            with suppress(*ENGINE_FAULTS):
                self._engine.client.api.kill(self.info.container_id)

    def destroy(self) -> None:
        """Remove the container and let go of its stream. Safe to call twice."""
        if self._destroyed:
            return
        try:
            _remove(self._engine, self.info.container_id)
        except SandboxUnavailable:
            self._keeping.left(False)  # noqa: FBT003 - that is what it takes
            raise
        finally:
            self._destroyed = True
            self._channel.close()
            if self._init is not None:
                self._init.close()
        self._keeping.gone()


def _attach(engine: Engine, container_id: str) -> socket.socket:
    params = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1, "logs": 0}
    response = engine.client.api.attach_socket(container_id, params)
    # docker-py hands out the read-only file object of the upgraded connection; the socket is in it.
    channel: socket.socket = getattr(response, "_sock", response)
    duplicate = channel.dup()  # ours alone: the rest of the HTTP connection is let go of here and now
    holder = getattr(response, "_response", response)
    with suppress(ValueError):  # docker-py's wrapper may have closed it from under the response
        holder.close()
    channel.close()
    return duplicate


def _remove(engine: Engine, container_id: str) -> None:
    try:
        engine.client.api.remove_container(container_id, force=True, v=True)
    except NotFound:
        return
    except APIError as fault:
        if fault.status_code != requests.codes.conflict:  # its own auto-removal is under way
            raise SandboxUnavailable(f"The engine did not remove {container_id[:12]}: {_short(fault)}") from fault
    except ENGINE_FAULTS as fault:
        raise SandboxUnavailable(f"The engine did not remove {container_id[:12]}: {_short(fault)}") from fault


def _call_frame(call_id: int, call: ToolCall, policy: SandboxPolicy) -> bytes:
    limits = call.limits
    lowered = limits.memory_bytes < policy.limits.memory_bytes
    header = {
        "processes": limits.processes,
        "memory_bytes": limits.memory_bytes,
        "data_bytes": limits.memory_bytes if lowered else limits.memory_bytes * _DATA_FACTOR,
        "file_bytes": limits.file_bytes,
        # A second line only: the wall clock outside is what ends a call.
        "wall_s": limits.wall_time_s,
        "cpu_s": math.ceil(limits.wall_time_s) * max(1, math.ceil(policy.cpus)) + 1,
        "output_bytes": limits.output_bytes,
        "result_bytes": result_room(limits),
    }
    for_agent = json.dumps(header).encode()
    return pack(FrameType.CALL, call_id, _CALL_HEADER.pack(len(for_agent)), for_agent, *call_payload(call))


@contextmanager
def started(engine: Engine, policy: SandboxPolicy, *, uid_base: int, owner: str) -> Iterator[DockerSandbox]:
    """Start one sandbox outside any pool and destroy it at the end: for checks and measurements."""
    name = f"toolwright-{secrets.token_hex(8)}"
    try:
        sandbox = DockerSandbox.start(engine, policy, uid_base=uid_base, owner=owner, keeping=Keeping(name))
    except BaseException:  # even an interrupt between the request and its answer
        with suppress(SandboxUnavailable):
            _remove(engine, name)
        raise
    try:
        yield sandbox
    finally:
        sandbox.destroy()


def _short(fault: BaseException) -> str:
    return " ".join(str(fault).split())[:300]
