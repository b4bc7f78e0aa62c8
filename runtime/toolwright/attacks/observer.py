"""Looks at sandboxes from outside: a container of our own that sees the host's process table.

Not `docker exec`, which would put a process of ours into the container under test, and not this process'
own /proc, which shows nothing where the engine is on another machine or these tests do not run as root.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from docker.errors import APIError, NotFound

from toolwright.attacks.outpost import Outpost, manned
from toolwright.attacks.proof import not_proven, shown
from toolwright.sandbox.engine import Engine

_PROGRAM = r"""
import hashlib, json, os, sys

def processes(init):
    space = os.readlink(f"/proc/{init}/ns/pid")
    found = []
    for name in os.listdir("/proc"):
        if not name.isdecimal():
            continue
        try:
            if os.readlink(f"/proc/{name}/ns/pid") != space:
                continue
            one = status(int(name))
            one["Waits"] = waits(int(name))
            found.append(one)
        except OSError:
            continue
    return found

def status(pid):
    with open(f"/proc/{pid}/status") as file:
        lines = (line.rstrip("\n").split(":", 1) for line in file)
        return {key: value.strip() for key, value in lines} | {"HostPid": pid}

def waits(pid):
    # A call gets its limit on CPU seconds with its payload, and cannot get rid of it.
    with open(f"/proc/{pid}/limits") as file:
        return any(line.split()[:4] == ["Max", "cpu", "time", "unlimited"] for line in file)

def tree(root):
    found = []
    for where, directories, files in os.walk(root):
        found += [os.path.join(where, name)[len(root):] for name in directories + files]
    return sorted(found)

def read(path):
    with open(path, "rb") as file:
        return file.read(1 << 20).decode("utf-8", "backslashreplace")

def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

def links(path):
    return {name: os.readlink(os.path.join(path, name)) for name in os.listdir(path)}

print("ready", flush=True)
for line in sys.stdin:
    name, argument = json.loads(line)
    try:
        answer = {"value": globals()[name](argument)}
    except OSError as fault:
        answer = {"errno": fault.errno, "text": str(fault)}
    print(json.dumps(answer), flush=True)
"""


_AGENT = 2
"""Processes of a container that are no call's: the relay and the zygote."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One process of a sandbox, as the host's kernel shows it."""

    host_pid: int
    pid: int
    """Its number in the sandbox."""
    uid: int
    """As the host counts."""
    state: str
    waits: bool
    """Whether it is the process that waits to be the next call: the zygote's child, without a call's limits yet."""
    fields: dict[str, str]
    """All of /proc/PID/status."""


def _seen(one: dict[str, Any]) -> Seen:
    return Seen(
        host_pid=int(one["HostPid"]),
        pid=int(one["NSpid"].split()[-1]),
        uid=int(one["Uid"].split()[0]),
        state=one["State"][:1],
        waits=bool(one["Waits"]),
        fields=one,
    )


def _may_wait(one: Seen, zygote: str) -> bool:
    """Whether it is the zygote's own child, one thread, and of one user: what empties directories has two."""
    alone = one.fields["PPid"] == zygote and one.fields.get("Threads") == "1"
    return alone and len(set(one.fields["Uid"].split())) == 1


class Observer:
    """Answers questions about containers from the host's point of view."""

    def __init__(self, engine: Engine, outpost: Outpost) -> None:
        """Speak to the program in the observing container."""
        self._engine = engine
        self._outpost = outpost

    def is_there(self, container_id: str) -> bool:
        """Whether the container exists and runs."""
        return self._init_pid(container_id) is not None

    def inspect(self, container_id: str) -> dict[str, Any]:
        """Return what the engine says of the container."""
        return dict(self._engine.client.api.inspect_container(container_id))

    def processes(self, container_id: str) -> list[Seen]:
        """Return every process in the container, zombies included, by its number there.

        But the one that waits to be the next call, which belongs to no call yet: see `waiting`.
        """
        return [one for one in self._all(container_id) if not one.waits]

    def waiting(self, container_id: str) -> list[Seen]:
        """Return the process that waits to be the next call; none while a call runs, or a moment after it."""
        return [one for one in self._all(container_id) if one.waits]

    def scratch(self, container_id: str) -> list[str]:
        """Return the path of everything in the scratch space, without following links.

        But the empty directory of the process that waits to be the next call.
        """
        found = list(self._ask("tree", f"/proc/{self.init_pid(container_id)}/root/call"))
        everyone = self._all(container_id)  # afterwards: its directory may be made meanwhile, but not its user
        homes = {f"/{one.uid - everyone[0].uid}" for one in everyone if one.waits}
        return [path for path in found if path not in homes]

    def _all(self, container_id: str) -> list[Seen]:
        answer = self._ask("processes", self.init_pid(container_id))
        found = sorted((_seen(one) for one in answer), key=lambda one: one.pid)
        if len(found) < _AGENT:
            return [replace(one, waits=False) for one in found]
        zygote = str(found[1].host_pid)  # older than any call
        return [replace(one, waits=one.waits and _may_wait(one, zygote)) for one in found]

    def mounts(self, container_id: str) -> str:
        """Return the mount table that the agent has."""
        return str(self._ask("read", f"/proc/{self.init_pid(container_id)}/mountinfo"))

    def fds(self, host_pid: int) -> dict[str, str]:
        """Return the open descriptors of a process: number and what it is."""
        return dict(self._ask("links", f"/proc/{host_pid}/fd"))

    def namespaces(self, host_pid: int) -> dict[str, str]:
        """Return the namespaces of a process."""
        return dict(self._ask("links", f"/proc/{host_pid}/ns"))

    def host_setting(self, name: str) -> str:
        """Return a value of the host's /proc/sys."""
        return str(self._ask("read", f"/proc/sys/{name}"))

    def host_digest(self, container_id: str, path: str) -> str:
        """Return the SHA-256 of a file of the host, as the engine's process that holds the container sees it.

        Returns:
            Hexadecimal; empty if there is no such file.
        """
        holder = self._ask("status", self.init_pid(container_id))["PPid"]
        try:
            return str(self._ask("digest", f"/proc/{holder}/root{path}"))
        except OSError:
            return ""

    def host_text(self, name: str) -> str:
        """Return a file below the host's /proc, at most 1 MiB of it."""
        return str(self._ask("read", f"/proc/{name}"))

    def init_pid(self, container_id: str) -> int:
        """Return the host's number of the container's PID 1; fails the test if the container is gone."""
        pid = self._init_pid(container_id)
        if pid is None:
            not_proven(f"container {container_id[:12]} is gone, so nothing can be seen of it")
        return pid

    def _init_pid(self, container_id: str) -> int | None:
        with suppress(NotFound, APIError):
            state = self.inspect(container_id)["State"]
            if state["Running"] and state["Pid"]:
                return int(state["Pid"])
        return None

    def _ask(self, name: str, argument: object) -> Any:
        self._outpost.send([name, argument])
        answer = json.loads(self._outpost.line())
        if "value" not in answer:
            raise OSError(answer["errno"], answer["text"])
        return answer["value"]


@contextmanager
def observing(engine: Engine, image: str) -> Iterator[Observer]:
    """Start an observer from the sandbox image; it ends with the `with`, or with this process."""
    with manned(engine, image, _PROGRAM, timeout_s=10) as outpost:
        shown(outpost.line() == b"ready", "the observer did not start")
        yield Observer(engine, outpost)
