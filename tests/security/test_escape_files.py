"""ES: files, descriptors and addresses that lead out of the sandbox."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from tests.security.conftest import Sabotage
from toolwright.attacks.lab import Lab
from toolwright.attacks.probes import PRELUDE
from toolwright.attacks.sabotage import FILTERS, POWERS, Layer

pytestmark = pytest.mark.security


def _answers(result_json: str | None) -> Any:
    assert result_json is not None, "NOT PROVEN: the probe did not run"
    return json.loads(result_json)


_OTHERS: Final = (
    PRELUDE
    + """
CONTENT = ("mem", "environ", "maps", "smaps", "auxv", "syscall", "stack", "pagemap", "personality", "io", "timers")
LINKS = ("root", "cwd", "exe", "ns/mnt", "ns/pid", "ns/user")
DIRECTORIES = ("fd", "fdinfo", "map_files", "root/", "cwd/")
def f():
    answers, bytes_read = {}, 0
    for name in os.listdir("/proc"):
        if not name.isdecimal() or int(name) == os.getpid():
            continue
        for thread in [name, *(f"{name}/task/{one}" for one in os.listdir(f"/proc/{name}/task"))]:
            for kind in CONTENT:
                try:
                    with open(f"/proc/{thread}/{kind}", "rb") as file:
                        bytes_read += len(file.read(4096))
                    answer = "ok"
                except OSError as fault:
                    answer = errno.errorcode[fault.errno]
                answers[f"{thread} {kind}"] = answer
            for kind in LINKS:
                answers[f"{thread} {kind}"] = attempt(os.readlink, f"/proc/{thread}/{kind}")
            for kind in DIRECTORIES:
                answers[f"{thread} {kind}"] = attempt(os.listdir, f"/proc/{thread}/{kind}")
    return [answers, bytes_read]
"""
)


def test_es_06_other_processes(lab: Lab, sabotage: Sabotage) -> None:
    """ES-06: nothing of the agent's memory, environment, descriptors or tree can be opened.

    That there are an agent's processes, their numbers and threads, is seen (Docker has no `hidepid`), so `task` can be
    listed; what it holds is denied as well. `timers` is a table of what a process armed: the agent arms nothing.
    """
    shot = lab.fire(_OTHERS)
    with sabotage(POWERS) as open_door:
        allowed, seen = _answers(open_door.run(_OTHERS).result_json)

    answers, bytes_read = shot.value
    harmless = {name for name, answer in answers.items() if answer == "ok"}
    refused = {answer for name, answer in answers.items() if name not in harmless}
    assert {name.split()[1] for name in harmless} <= {"timers"}, harmless
    assert refused <= {"EACCES", "EPERM", "ENOENT"}, answers  # ENOENT: threads have no timers or map_files
    assert {name.split()[1] for name, answer in answers.items() if answer == "ENOENT"} <= {"timers", "map_files"}
    assert {answers["1 mem"], answers["1 environ"], answers["1 fd"], answers["1 root"]} == {"EACCES"}
    assert bytes_read == 0
    assert {allowed["1 environ"], allowed["1 maps"], allowed["1 fd"], allowed["1 root"], allowed["1 exe"]} == {"ok"}
    assert seen > 0


_MODES: Final = """
import itertools, os, stat
def f(own):
    if own:
        os.mkdir("open")
        os.chmod("open", 0o777)
        for name, mode in (("setuid", 0o4755), ("setgid", 0o2755), ("writable", 0o666)):
            open(name, "x").close()
            os.chmod(name, mode)
    found, count = {}, 0
    # /call cannot be listed, so one's own directory in it has to be named.
    for where, directories, files in itertools.chain(os.walk("/"), os.walk(os.getcwd())):
        if where == "/":
            directories[:] = [name for name in directories if name not in ("proc", "sys")]
        for name in directories + files:
            path = os.path.join(where, name)
            mode = os.lstat(path).st_mode
            count += 1
            if stat.S_ISLNK(mode):
                continue
            bits = {"setuid": 0o4000, "setgid": 0o2000, "world-writable": 0o2}
            marks = [mark for mark, bit in bits.items() if mode & bit]
            marks += ["capability"] if "security.capability" in os.listxattr(path, follow_symlinks=False) else []
            marks += ["socket"] if stat.S_ISSOCK(mode) else []
            if marks:
                found[path] = marks + (["device"] if stat.S_ISCHR(mode) else [])
    return [found, count]
"""
_QUEUES: Final = "/dev/mqueue"
"""Mounted by the engine, whatever the policy says; no queue can be made in it."""
_DEVICES: Final = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/pts/ptmx"}


def test_es_23_setuid_and_writable_files(lab: Lab) -> None:
    """ES-23: no file raises rights and none can be written by all, but for the devices that everyone has.

    The control is the tool's own files: the same walk finds those.
    """
    found, count = lab.fire(_MODES, arguments_json='{"own": false}').value
    control, _ = lab.fire(_MODES, arguments_json='{"own": true}').value

    assert count > 500, "NOT PROVEN: the walk saw hardly any file"
    assert found.pop(_QUEUES, ["world-writable"]) == ["world-writable"]
    assert set(found) <= _DEVICES
    assert all(marks == ["world-writable", "device"] for marks in found.values()), found
    own = {path.rpartition("/")[2]: marks for path, marks in control.items() if path.startswith("/call/")}
    assert own == {
        "open": ["world-writable"],
        "setuid": ["setuid"],
        "setgid": ["setgid"],
        "writable": ["world-writable"],
    }


_ENGINES: Final = (
    "/var/run/docker.sock", "/run/docker.sock", "/docker.sock", "/run/containerd/containerd.sock",
    "/run/podman/podman.sock", "/run/crio/crio.sock", "/var/run/cri-dockerd.sock", "/run/user/0/docker.sock",
)  # fmt: skip
_CONNECT: Final = (
    PRELUDE
    + """
import socket, time
def f(paths, addresses, names):
    answers = {path: attempt(os.stat, path) for path in paths}
    for path in paths:
        answers[f"connect {path}"] = attempt(lambda: socket.socket(socket.AF_UNIX).connect(path))
    for host, port in addresses:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            def connect():
                with socket.socket(family, kind) as one:
                    one.settimeout(2)
                    one.connect((host, port))
                    one.send(b"canary")
            answers[f"{host} {port} {kind.name}"] = attempt(connect)
    begun = time.monotonic()
    for name in names:
        try:
            socket.getaddrinfo(name, 80)
            answers[name] = "ok"
        except socket.gaierror:
            answers[name] = "unknown"
    return [answers, time.monotonic() - begun]
"""
)
_ADDRESSES: Final = [
    ("169.254.169.254", 80), ("169.254.170.2", 80), ("100.100.100.200", 80), ("fd00:ec2::254", 80),
    ("172.17.0.1", 2375), ("172.17.0.1", 2376), ("10.96.0.1", 443), ("8.8.8.8", 53), ("fe80::1", 80),
]  # fmt: skip
_NAMES: Final = ["metadata.google.internal", "host.docker.internal", "kubernetes.default.svc"]


def test_es_26_engine_sockets(lab: Lab, sabotage: Sabotage) -> None:
    """ES-26: no engine's socket is there, none could be connected to, and its TCP ports are out of reach."""
    arguments = json.dumps({"paths": _ENGINES, "addresses": [["172.17.0.1", 2375], ["127.0.0.1", 2376]], "names": []})

    answers, _ = lab.fire(_CONNECT, arguments_json=arguments).value
    with sabotage(FILTERS) as unfiltered:
        control = json.dumps({"paths": ["/dev/null", _ENGINES[0]], "addresses": [], "names": []})
        reached, _ = _answers(unfiltered.run(_CONNECT, arguments_json=control).result_json)

    assert {answers[path] for path in _ENGINES} == {"ENOENT"}
    assert {answer for name, answer in answers.items() if name not in _ENGINES} == {"EPERM"}
    assert reached["/dev/null"] == "ok"
    assert reached["connect /dev/null"] == "ECONNREFUSED"  # a socket was made, and connected as far as that goes


@contextmanager
def _listening() -> Iterator[tuple[int, list[str]]]:
    """Listen on the host's loopback; give the port and what came in."""
    heard: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as streams, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        port = streams.getsockname()[1]
        datagrams.bind(("127.0.0.1", port))
        streams.settimeout(0.1)
        datagrams.settimeout(0.1)
        over = threading.Event()

        def listen() -> None:
            while not over.is_set():
                try:
                    streams.accept()[0].close()
                    heard.append("stream")
                except TimeoutError:
                    pass
                try:
                    datagrams.recv(100)
                    heard.append("datagram")
                except TimeoutError:
                    pass

        listener = threading.Thread(target=listen)
        listener.start()
        try:
            yield port, heard
        finally:
            over.set()
            listener.join()


def test_es_27_network(lab: Lab, sabotage: Sabotage) -> None:
    """ES-27: no address is reached: no socket can be made, and if it could there would be no route."""
    with _listening() as (port, heard):
        addresses = [*_ADDRESSES, ("127.0.0.1", port), ("::1", port), ("172.17.0.1", port)]
        arguments = json.dumps({"paths": [], "addresses": addresses, "names": _NAMES})
        answers, seconds = lab.fire(_CONNECT, arguments_json=arguments).value
        with sabotage(FILTERS) as unfiltered:
            unrouted, _ = _answers(unfiltered.run(_CONNECT, arguments_json=arguments).result_json)
        nothing = list(heard)
        with sabotage(FILTERS | Layer.NETWORK) as connected:
            own = json.dumps({"paths": [], "addresses": [("127.0.0.1", port)], "names": []})
            reached, _ = _answers(connected.run(_CONNECT, arguments_json=own).result_json)

    assert {answer for name, answer in answers.items() if name not in _NAMES} == {"EPERM"}
    assert {answers[name] for name in _NAMES} == {"unknown"}
    assert seconds < 1
    routed = {name: answer for name, answer in unrouted.items() if name not in _NAMES and "127.0.0.1" not in name}
    assert set(routed.values()) <= {"ENETUNREACH", "EADDRNOTAVAIL", "EINVAL", "ECONNREFUSED"}, routed
    assert not {name for name, answer in routed.items() if answer == "ECONNREFUSED" and "::1 " not in name}
    assert nothing == []
    assert set(reached.values()) == {"ok"}
    assert set(heard) == {"stream", "datagram"}


_DESCRIPTORS: Final = """
import os, stat, time
def f(directory):
    if directory:
        os.open("/", os.O_RDONLY)
    found = {}
    for fd in range(1024):
        try:
            status = os.fstat(fd)
        except OSError:
            continue
        kinds = {stat.S_IFCHR: "device", stat.S_IFIFO: "pipe", stat.S_IFDIR: "directory", stat.S_IFSOCK: "socket"}
        found[fd] = kinds.get(stat.S_IFMT(status.st_mode), "other")
    time.sleep(0.3)
    return {str(fd): kind for fd, kind in found.items()}
"""


def test_es_34_descriptors(lab: Lab) -> None:
    """ES-34: a call has four descriptors and no more: /dev/null, its two outputs and its result."""
    outside: dict[str, str] = {}

    def look(container: str) -> None:
        (call,) = lab.agent_and_rest(container)[1]
        fds = lab.observer.fds(call.host_pid)
        assert len(fds) == 4, fds
        outside.update({fd: "pipe" if target.startswith("pipe:") else target for fd, target in fds.items()})

    shot = lab.fire(_DESCRIPTORS, arguments_json='{"directory": false}', during=look)
    control = lab.fire(_DESCRIPTORS, arguments_json='{"directory": true}')

    assert shot.value == {"0": "device", "1": "pipe", "2": "pipe", "4": "pipe"}
    assert outside == {"0": "/dev/null", "1": "pipe", "2": "pipe", "4": "pipe"}
    assert control.value == shot.value | {"3": "directory"}


_WRITES: Final = (
    PRELUDE
    + """
DENIED = {"EROFS", "EACCES", "EPERM"}
def f(top):
    tally, odd, count = {}, [], 0
    def note(path, what, answer):
        tally[answer] = tally.get(answer, 0) + 1
        if answer not in DENIED:
            odd.append(f"{what} {path} {answer}")
    for where, directories, files in os.walk(top):
        if where == "/":
            directories[:] = [name for name in directories if name not in ("proc", "sys", "call")]
        new = os.path.join(where, "new")
        note(where, "create", attempt(lambda: os.close(os.open(new, os.O_CREAT | os.O_WRONLY))))
        note(where, "mkdir", attempt(os.mkdir, new + "d"))
        note(where, "symlink", attempt(os.symlink, "x", new + "s"))
        note(where, "chmod", attempt(os.chmod, where, 0o755))
        note(where, "utime", attempt(os.utime, where))
        for name in files:
            count += 1
            path = os.path.join(where, name)
            if os.path.islink(path):
                continue
            note(path, "open", attempt(lambda: os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))))
            note(path, "chmod", attempt(os.chmod, path, 0o600))
            note(path, "utime", attempt(os.utime, path))
            note(path, "link", attempt(os.link, path, path + ".l"))
            note(path, "xattr", attempt(os.setxattr, path, "user.x", b"x"))
            if not path.startswith("/dev/"):
                note(path, "truncate", attempt(os.truncate, path, 0))
            note(path, "rename", attempt(os.rename, path, path + ".r"))
    return [tally, odd, count]
"""
)
_KNOWN: Final = {
    # Devices have no memory; /dev/tty has no terminal behind it.
    *(f"open {path} ok" for path in _DEVICES - {"/dev/tty"}),
    "open /dev/tty ENXIO",
    # The time of a device's last change can be set to now: the next call of the same owner may read it.
    *(f"utime {path} ok" for path in _DEVICES),
    # The directory of queues can be touched as well, but holds none: their number is limited to 0.
    f"create {_QUEUES} ENOSPC",
    f"utime {_QUEUES} ok",
}


def test_es_46_read_only_tree(lab: Lab, sabotage: Sabotage) -> None:
    """ES-46: not one file or directory outside the scratch space can be changed, by any call there is for it.

    In /dev, which is a tmpfs, exactly what is known: devices can be opened, and what all may write can be touched.
    """
    tally, odd, count = lab.fire(_WRITES, arguments_json='{"top": "/"}').value
    with sabotage(Layer.READ_ONLY | Layer.USER) as writable:
        corner = '{"top": "/usr/lib/python3.13/json"}'
        allowed, changed, _ = _answers(writable.run(_WRITES, arguments_json=corner).result_json)

    assert count > 500, "NOT PROVEN: the sweep saw hardly any file"
    assert set(odd) <= _KNOWN, set(odd) - _KNOWN
    assert tally["EROFS"] > 3 * count
    assert allowed["ok"] == len(changed)
    assert {line.split()[0] for line in changed} == {
        *("create", "mkdir", "symlink", "chmod", "utime"),
        *("open", "truncate", "link", "rename"),
    }
