"""ES: system calls that lead out of the sandbox. Each probe succeeds where the layers against it are taken away."""

from __future__ import annotations

import json
import signal
from typing import Any, Final

import pytest

from tests.security.conftest import Sabotage
from toolwright.attacks.lab import Lab
from toolwright.attacks.observer import Seen
from toolwright.attacks.probes import PRELUDE, numbers
from toolwright.attacks.sabotage import FILTERS, POWERS, Layer
from toolwright.domain.outcome import Status

pytestmark = pytest.mark.security

DENIED: Final = {"EPERM"}


def _arguments(**values: Any) -> str:
    return json.dumps({"numbers": numbers()} | values)


def _answers(result_json: str | None) -> Any:
    assert result_json is not None, "NOT PROVEN: the probe did not run"
    return json.loads(result_json)


_MOUNT: Final = (
    PRELUDE
    + """
def f(numbers):
    os.mkdir("target")
    n, at, null = numbers, -100, None
    answers = {
        "tmpfs": system_call(n["mount"], b"none", b"target", b"tmpfs", 0, null),
        "proc": system_call(n["mount"], b"none", b"target", b"proc", 0, null),
        "bind": system_call(n["mount"], b"/usr", b"target", null, 4096, null),
        "overlay": system_call(n["mount"], b"none", b"target", b"overlay", 0, b"lowerdir=/usr:/sys"),
        "fsopen": system_call(n["fsopen"], b"tmpfs", 0),
        "open_tree": system_call(n["open_tree"], at, b"/usr", 1),
    }
    answers["move_mount"] = system_call(n["move_mount"], at, b"/usr", at, b"target", 0)
    answers["mount_setattr"] = system_call(n["mount_setattr"], at, b"target", 0, bytes(32), 32)
    answers["umount2"] = system_call(n["umount2"], b"target", 2)
    return answers
"""
)


def test_es_01_mount(lab: Lab, sabotage: Sabotage) -> None:
    """ES-01: nothing can be mounted, by the old calls or the new ones; root with all capabilities could."""
    container = lab.benign().provenance.container_id
    before = lab.observer.mounts(container)

    shot = lab.fire(_MOUNT, arguments_json=_arguments())
    with sabotage(POWERS) as open_door:
        allowed = _answers(open_door.run(_MOUNT, arguments_json=_arguments()).result_json)

    assert shot.survived
    assert set(shot.value.values()) == DENIED, shot.value
    assert lab.observer.mounts(container) == before
    assert not DENIED & set(allowed.values()), allowed
    assert allowed["tmpfs"] == allowed["bind"] == allowed["fsopen"] == allowed["open_tree"] == "ok"


_NAMESPACES: Final = {
    "user": 0x10000000,
    "user+mount": 0x10020000,
    "user+network": 0x50000000,
    "user+pid": 0x30000000,
    "user+time": 0x10000080,
    "mount": 0x00020000,
    "network": 0x40000000,
}
_UNSHARE: Final = (
    PRELUDE
    + """
def f(numbers, flags):
    return {name: in_child(lambda: system_call(numbers["unshare"], flag)) for name, flag in flags.items()}
"""
)


def test_es_02_namespaces(lab: Lab, sabotage: Sabotage) -> None:
    """ES-02: no namespace can be made, the user's own included, in which a tool would have capabilities."""
    arguments = _arguments(flags=_NAMESPACES)

    shot = lab.fire(_UNSHARE, arguments_json=arguments)
    with sabotage(FILTERS) as unfiltered:
        allowed = _answers(unfiltered.run(_UNSHARE, arguments_json=arguments).result_json)

    assert set(shot.value.values()) == DENIED, shot.value
    assert {name: answer for name, answer in allowed.items() if "user" in name} == {
        name: "ok" for name in _NAMESPACES if "user" in name
    }, "NOT PROVEN: this kernel gives users no namespaces anyway"


_PTRACE: Final = (
    PRELUDE
    + """
import time
ATTACH, SEIZE = 16, 0x4206
def f(numbers):
    _libc.prctl(4, 1, 0, 0, 0)  # dumpable again, and so is the child: else that alone would forbid it
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    others = [int(name) for name in os.listdir("/proc") if name.isdecimal() and int(name) not in (os.getpid(), child)]
    answers = {f"seize {pid}": system_call(numbers["ptrace"], SEIZE, pid, 0, 0) for pid in others}
    answers |= {f"attach {pid}": system_call(numbers["ptrace"], ATTACH, pid, 0, 0) for pid in others}
    answers["own child"] = system_call(numbers["ptrace"], SEIZE, child, 0, 0)
    return answers
"""
)


def test_es_05_ptrace(lab: Lab, sabotage: Sabotage) -> None:
    """ES-05: no process can be traced: not the relay, not the zygote, not even the tool's own child.

    There is no sibling call: a container runs one call at a time.
    """
    shot = lab.fire(_PTRACE, arguments_json=_arguments())
    with sabotage(FILTERS) as unfiltered:
        allowed = _answers(unfiltered.run(_PTRACE, arguments_json=_arguments()).result_json)

    assert set(shot.value.values()) == DENIED, shot.value
    assert {"seize 1", "attach 1", "own child"} < set(shot.value)
    assert len(shot.value) == 2 * 2 + 1
    assert allowed["own child"] == "ok"
    # Without the filters the ids still keep a tool off the agent.
    assert {answer for name, answer in allowed.items() if name != "own child"} == DENIED


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


def test_es_16_sockets(lab: Lab, sabotage: Sabotage) -> None:
    """ES-16: of every family and type only a pair of unix sockets can be made."""
    types = [_STREAM, _DATAGRAM, _RAW, _RELIABLE, _SEQUENCED, _PACKET]
    arguments = _arguments(families=list(range(51)), types=types)

    shot = lab.fire(_SOCKETS, arguments_json=arguments)
    with sabotage(FILTERS) as unfiltered:
        allowed = _answers(
            unfiltered.run(_SOCKETS, arguments_json=_arguments(families=[1, 2, 10, 16], types=types)).result_json
        )

    # AF_UNIX is 1; the kernel takes SOCK_RAW for a datagram there, and knows no other types.
    kernel = {_RELIABLE: "ESOCKTNOSUPPORT", _PACKET: "ESOCKTNOSUPPORT"}
    expected = {
        f"{family}/{kind}": ["EPERM", kernel.get(kind, "ok") if family == 1 else "EPERM"]
        for family in range(51)
        for kind in types
    }
    assert shot.value == expected
    assert allowed["1/1"] == ["ok", "ok"]
    assert allowed["2/1"][0] == allowed["10/2"][0] == allowed["16/3"][0] == "ok"


_KERNEL_SURFACE: Final = (
    PRELUDE
    + """
def f(numbers):
    n = numbers
    event = (ctypes.c_char * 128).from_buffer_copy((1).to_bytes(4, "little") + (128).to_bytes(4, "little") + bytes(120))
    bpf_map = b"".join(value.to_bytes(4, "little") for value in (2, 4, 4, 1)) + bytes(112)  # an array of one
    return {
        "bpf": system_call(n["bpf"], 0, (ctypes.c_char * 128).from_buffer_copy(bpf_map), 128),
        "perf_event_open": system_call(n["perf_event_open"], event, 0, -1, -1, 0),
        "userfaultfd": system_call(n["userfaultfd"], 1),
        "fanotify_init": system_call(n["fanotify_init"], 0, 0),
        "io_uring_setup": system_call(n["io_uring_setup"], 4, (ctypes.c_char * 120)()),
    }
"""
)


def test_es_19_kernel_attack_surface(lab: Lab, sabotage: Sabotage) -> None:
    """ES-19: the calls that kernel faults were found behind most are not to be had."""
    shot = lab.fire(_KERNEL_SURFACE, arguments_json=_arguments())
    with sabotage(POWERS) as open_door:
        allowed = _answers(open_door.run(_KERNEL_SURFACE, arguments_json=_arguments()).result_json)

    assert set(shot.value.values()) == DENIED, shot.value
    # What this kernel was built without cannot be allowed by anyone, so ENOSYS there is its own answer. With the
    # limit on locked memory at 0, rings get as far as ENOMEM.
    assert allowed["bpf"] == "ok"
    assert allowed["io_uring_setup"] in {"ok", "ENOMEM", "ENOSYS"}
    assert {allowed[name] for name in ("perf_event_open", "userfaultfd", "fanotify_init")} <= {"ok", "ENOSYS"}, allowed


@pytest.mark.parametrize("kept", [Layer.PROFILE, Layer.CALL_FILTER], ids=["profile", "call filter"])
@pytest.mark.parametrize("probe", [_MOUNT, _UNSHARE, _PTRACE, _KERNEL_SURFACE], ids=["01", "02", "05", "19"])
def test_es_each_filter_is_enough(sabotage: Sabotage, kept: Layer, probe: str) -> None:
    """ES-01, 02, 05 and 19: either filter alone denies the same calls, to root with powerful capabilities too."""
    arguments = _arguments(**({"flags": _NAMESPACES} if probe is _UNSHARE else {}))

    with sabotage(POWERS & ~kept) as half_open:
        answers = _answers(half_open.run(probe, arguments_json=arguments).result_json)

    assert set(answers.values()) == DENIED, answers


_OWN_STATE: Final = "import time\ndef f():\n    time.sleep(0.4)\n    return open('/proc/self/status').read()"
_GOLDEN: Final = {
    "NoNewPrivs": "1",
    "Seccomp": "2",
    "Seccomp_filters": "2",
    "CapInh": "0000000000000000",
    "CapPrm": "0000000000000000",
    "CapEff": "0000000000000000",
    "CapAmb": "0000000000000000",
    # KILL, SETGID, SETUID: what the agent has. No tool can take them up, as nothing can be executed.
    "CapBnd": "00000000000000e0",
    "Groups": "",
}


def test_es_32_own_rights(lab: Lab, sabotage: Sabotage) -> None:
    """ES-32: a call has no capability, no group, no new privileges and two filters: as the host's kernel shows it."""
    seen: list[Seen] = []

    def look(container: str) -> None:
        agent, (call,) = lab.agent_and_rest(container)
        assert call.fields["Seccomp_filters"] == "2"  # not yet before its set-up is over
        seen[:] = [agent[0], call]

    shot = lab.fire(_OWN_STATE, during=look)
    with sabotage(POWERS) as open_door:
        powerful = _fields(_answers(open_door.run(_OWN_STATE).result_json))

    agent, call = seen
    assert {name: call.fields[name] for name in _GOLDEN} == _GOLDEN
    assert _fields(shot.value)["NoNewPrivs"] == "1"
    uids, gids = (set(call.fields[name].split()) for name in ("Uid", "Gid"))
    assert len(uids) == len(gids) == 1
    assert call.uid != agent.uid
    # The same look finds what a sabotaged call has.
    assert int(powerful["CapEff"], 16)
    assert powerful["Seccomp_filters"] == "1"


def _fields(status: str) -> dict[str, str]:
    return {name: value.strip() for name, _, value in (line.partition(":") for line in status.splitlines())}


_IDS: Final = (
    PRELUDE
    + """
def f(numbers, others):
    answers = {}
    for name in ("setuid", "setgid"):
        for other in others:
            answers[f"{name} {other}"] = in_child(lambda: system_call(numbers[name], other))
    for name in ("setreuid", "setregid"):
        for other in others:
            answers[f"{name} {other}"] = in_child(lambda: system_call(numbers[name], -1, other))
            answers[f"{name} {other} real"] = in_child(lambda: system_call(numbers[name], other, -1))
    for name in ("setresuid", "setresgid"):
        for other in others:
            for at in range(3):
                three = [other if at == place else -1 for place in range(3)]
                answers[f"{name} {three}"] = in_child(lambda: system_call(numbers[name], *three))
    groups = (ctypes.c_uint * 1)(0)
    answers["setgroups"] = in_child(lambda: system_call(numbers["setgroups"], 1, groups))
    return [os.getuid(), answers]
"""
)


def test_es_42_other_users(lab: Lab, sabotage: Sabotage) -> None:
    """ES-42: a call can become nobody else: not root, not the agent's shield, not an earlier call, not nobody."""
    container = lab.benign().provenance.container_id
    # The shield and the first calls of this container, which has one range of ids to itself.
    base = int(lab.observer.inspect(container)["Config"]["Cmd"][0])
    arguments = _arguments(others=[0, base, base + 1, 65_533, 65_534])

    shot = lab.fire(_IDS, arguments_json=arguments)
    # Without the profile as well: it leaves only what the agent needs of these calls.
    with sabotage(Layer.USER | Layer.PROFILE) as rooted:
        uid, allowed = _answers(rooted.run(_IDS, arguments_json=arguments).result_json)

    own, answers = shot.value
    assert own > base + 1
    assert set(answers.values()) == DENIED, answers
    assert uid == 0
    assert set(allowed.values()) == {"ok"}


_SIGNALS: Final = (
    PRELUDE
    + """
import time
def f(numbers, signals):
    n, me = numbers, os.getpid()
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    others = [int(name) for name in os.listdir("/proc") if name.isdecimal() and int(name) not in (me, child)]
    information = (ctypes.c_char * 128)()
    answers = {}
    for pid in others:
        handle = ctypes.CDLL(None).syscall(ctypes.c_long(n["pidfd_open"]), pid, 0)
        for number in signals:
            ctypes.memmove(information, number.to_bytes(4, "little") + bytes(4) + b"\\xff" * 4, 12)  # si_code SI_QUEUE
            answers[f"{pid} {number}"] = sorted({
                system_call(n["kill"], pid, number),
                system_call(n["tkill"], pid, number),
                system_call(n["tgkill"], pid, pid, number),
                system_call(n["rt_sigqueueinfo"], pid, number, information),
                system_call(n["rt_tgsigqueueinfo"], pid, pid, number, information),
                system_call(n["pidfd_send_signal"], handle, number, None, 0),
            })
    answers["all"] = [system_call(n["kill"], -1, 9)]
    return [answers, os.waitpid(child, 0)[1]]
"""
)


def test_es_43_signals_to_the_agent(lab: Lab) -> None:
    """ES-43: no signal, sent in any way, reaches the agent; kill(-1) strikes the tool's own processes alone.

    The control is in the probe: the same kill(-1) ends the tool's own child. (Linux answers it with success
    even where it was allowed to strike nobody, so its effect is judged and not its answer.)
    """
    container = lab.benign().provenance.container_id
    agent = lab.agent(container)

    shot = lab.fire(_SIGNALS, arguments_json=_arguments(signals=list(range(1, 65))))

    answers, status_of_child = shot.value
    assert answers.pop("all") == ["ok"]
    assert {answer for some in answers.values() for answer in some} == DENIED, answers
    assert {name.split()[0] for name in answers} == {str(one.pid) for one in agent}
    assert status_of_child == signal.SIGKILL
    assert shot.survived
    after = lab.agent(container)
    assert [one.host_pid for one in after] == [one.host_pid for one in agent]
    assert {one.fields["SigPnd"] + one.fields["ShdPnd"] for one in after} == {"0" * 32}


_SYSCTL: Final = (
    PRELUDE
    + """
def f(umount=None):
    if umount:
        assert system_call(umount, b"/proc/sys", 0) == "ok"
    answers, opened = {}, []
    for where, _, files in os.walk("/proc/sys"):
        for name in files:
            path = os.path.join(where, name)
            try:
                # Opened and closed, never written: where the sandbox fails, the machine is not to be changed.
                os.close(os.open(path, os.O_WRONLY))
            except OSError as fault:
                answer = errno.errorcode[fault.errno]
            else:
                answer = "ok"
                opened.append(path)
            answers[answer] = answers.get(answer, 0) + 1
    return [answers, opened]
"""
)
_POWERFUL_SETTINGS: Final = ("kernel/core_pattern", "kernel/hostname", "kernel/pid_max")


def test_es_10_kernel_settings(lab: Lab, sabotage: Sabotage) -> None:
    """ES-10: no file below /proc/sys can be opened for writing, and those with power over the host are as before."""
    settings = {name: lab.observer.host_setting(name) for name in _POWERFUL_SETTINGS}

    shot = lab.fire(_SYSCTL)
    with sabotage(POWERS) as open_door:
        uncover = json.dumps({"umount": numbers()["umount2"]})
        allowed = _answers(open_door.run(_SYSCTL, arguments_json=uncover).result_json)

    denials, opened = shot.value
    assert opened == []
    assert set(denials) <= {"EROFS", "EACCES", "EPERM"}, denials
    assert sum(denials.values()) > 100, "NOT PROVEN: hardly any settings were found"
    assert {name: lab.observer.host_setting(name) for name in settings} == settings
    assert {f"/proc/sys/{name}" for name in _POWERFUL_SETTINGS} <= set(allowed[1])
    assert shot.status is Status.SUCCESS
