"""ES: a tool looks at its rights, and takes others: users, groups, capabilities, the process' own settings."""

from __future__ import annotations

from typing import Any, Final

from toolwright.attacks.case import Catalog
from toolwright.attacks.lab import Lab
from toolwright.attacks.observer import Seen
from toolwright.attacks.probes import PRELUDE, numbered
from toolwright.attacks.proof import among, same, shown, sure
from toolwright.attacks.sabotage import POWERS, Layer
from toolwright.attacks.shot import returned

CASES: Final = Catalog("ES", "Rights")

_OWN_STATE: Final = """
import os, time
def f(pause):
    time.sleep(pause)
    with open("/proc/self/status") as file:
        return [file.read(), os.getgroups(), os.stat("/proc/self/status").st_uid != os.getuid()]
"""
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


@CASES.case(
    "ES-32",
    "Reads its own rights: no capability, no group, no new privileges, two filters, not dumpable; so says the host",
    threats=("T-ESC-02",),
    differs={"runsc": "gVisor's kernel says it, which names neither no-new-privileges nor the number of filters"},
)
def own_rights(lab: Lab) -> None:
    seen: list[Seen] = []

    def look(container: str) -> None:
        if not lab.gvisor:
            agent, (call,) = lab.agent_and_rest(container)
            same(call.fields["Seccomp_filters"], "2", "not yet before its set-up is over: filters")
            seen[:] = [agent[0], call]

    pause = lab.golden('{"pause": 0.3}', gvisor='{"pause": 0}')
    status, groups, owned_by_root = lab.fire(_OWN_STATE, arguments_json=pause, during=look).value

    own = _fields(status)
    named = [name for name in _GOLDEN if not lab.gvisor or name in own]
    shown({"CapEff", "CapPrm", "Seccomp"} <= set(named), f"it sees only {sorted(own)}")
    same({name: own[name] for name in named}, {name: _GOLDEN[name] for name in named}, "as it sees itself")
    same(groups, [], "groups")
    if not lab.gvisor:
        sure(owned_by_root, "it owns its files in /proc, so it is dumpable")
        agent, call = seen
        same({name: call.fields[name] for name in _GOLDEN}, _GOLDEN, "as the host's kernel sees it")
        same([len(set(call.fields[name].split())) for name in ("Uid", "Gid")], [1, 1], "different ids of the call")
        sure(call.uid != agent.uid, "it has the agent's user")


@CASES.control("ES-32")
def the_same_look_sees_powers(lab: Lab) -> None:
    with lab.weakened(POWERS) as open_door:
        status, _, _ = returned(open_door.run(_OWN_STATE, arguments_json='{"pause": 0}'))
    powerful = _fields(status)
    sure(int(powerful["CapEff"], 16), "no capability is seen")
    if not lab.gvisor:
        same(powerful["Seccomp_filters"], "1", "number of filters")


def _fields(status: str) -> dict[str, str]:
    return {name: value.strip() for name, _, value in (line.partition(":") for line in status.splitlines())}


_IDS: Final = (
    PRELUDE
    + """
def f(numbers, others):
    answers = {}
    def note(name, *arguments):
        answers[f"{name} {arguments}"] = in_child(lambda: system_call(numbers[name], *arguments))
    for other in others:
        for name in ("setuid", "setgid"):
            note(name, other)
        for name in ("setreuid", "setregid"):
            note(name, -1, other)
            note(name, other, -1)
        for name in ("setresuid", "setresgid"):
            for at in range(3):
                note(name, *(other if at == place else -1 for place in range(3)))
    groups = (ctypes.c_uint * 1)(0)
    answers["setgroups"] = in_child(lambda: system_call(numbers["setgroups"], 1, groups))
    return [os.getuid(), answers]
"""
)
_NEAR_NOBODY, _NOBODY = 65_533, 65_534


@CASES.case(
    "ES-42",
    "Becomes root, the agent's shield, an earlier call, nobody: real, effective or saved, user or group: EPERM each",
    threats=("T-ESC-02",),
)
def other_users(lab: Lab) -> None:
    container = lab.benign().provenance.container_id
    # The shield and the first calls of this container, which has one range of ids to itself.
    base = int(lab.inspect(container)["Config"]["Cmd"][0])
    # A process costs 40 ms under gVisor.
    others = lab.golden([0, base, base + 1, _NEAR_NOBODY, _NOBODY], gvisor=[0, base])

    own, answers = lab.fire(_IDS, arguments_json=numbered(others=others)).value

    sure(own > base + 1, f"its own user is {own}")
    same({name: answer for name, answer in answers.items() if answer != "EPERM"}, {}, "what was not denied")
    same(len(answers), 12 * len(others) + 1, "number of attempts")


@CASES.control("ES-42")
def root_becomes_anyone(lab: Lab) -> None:
    # Without the profile as well: it leaves only what the agent needs of these calls.
    with lab.weakened(Layer.USER | Layer.PROFILE) as rooted:
        uid, allowed = returned(rooted.run(_IDS, arguments_json=numbered(others=[0, _NOBODY])))
    same(uid, 0, "its own user")
    same(set(allowed.values()), {"ok"}, "answers")


_PROCESS: Final = (
    PRELUDE
    + """
import time
DUMPABLE, KEEP_CAPABILITIES, SECCOMP, MEMORY, SUBREAPER, DEATH_SIGNAL, PRIVILEGES = 4, 8, 22, 35, 36, 1, 38
BOUNDING, SECURE_BITS, NAME, AMBIENT, TRACER = 24, 28, 15, 47, 0x59616d61
def control(*arguments):
    ctypes.set_errno(0)
    wide = [ctypes.c_ulong(one) if isinstance(one, int) else one for one in (*arguments, 0, 0, 0, 0)[1:5]]
    if _libc.prctl(arguments[0], *wide) >= 0:
        return "ok"
    return errno.errorcode[ctypes.get_errno()]
def f(numbers):
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    answers = {
        "dumpable": control(DUMPABLE, 1),
        "new privileges": control(PRIVILEGES, 0),
        "kept capabilities": control(KEEP_CAPABILITIES, 1),
        "bounding set": control(BOUNDING, 7),
        "secure bits": control(SECURE_BITS, 1),
        "ambient": control(AMBIENT, 2, 21),
        "memory": control(MEMORY, 6, 4096),
        "capset": system_call(numbers["capset"], header, (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6)),
        "death signal": control(DEATH_SIGNAL, 0),
        "subreaper": control(SUBREAPER, 1),
        "name": control(NAME, b"agent"),
        "other mode of filters": in_child(lambda: control(SECCOMP, 1)),
    }
    if os.fork() == 0:
        if os.fork() == 0:
            os.setsid()
            time.sleep(3600)
        os._exit(0)
    os.wait()  # the grandchild is this process' own now
    with open("/proc/self/status") as file:
        return [answers, file.read()]
"""
)
_POWERLESS: Final = ("CapInh", "CapPrm", "CapEff", "CapAmb", "CapBnd", "NoNewPrivs", "Groups")


@CASES.case(
    "ES-41",
    "Turns the settings of its process: to be dumped, to keep or take capabilities, to reap its children's children, "
    "to be called like the agent: nothing gives a right, and all of them end with it",
    threats=("T-ESC-02", "T-LAT-01"),
    differs={"runsc": "gVisor does not know some of them"},
)
def process_settings(lab: Lab) -> None:
    shot = lab.fire(_PROCESS, arguments_json=numbered())

    answers, status = shot.value
    denied = ("dumpable", "bounding set", "secure bits", "ambient", "memory", "capset")
    same({answers[name] for name in denied} - {"EPERM"}, lab.golden(set(), gvisor={"EINVAL"}), "not denied")
    same({answers[name] for name in ("new privileges", "other mode of filters")}, {"EINVAL"}, "what cannot be undone")
    own = _fields(status)
    named = [name for name in _POWERLESS if not lab.gvisor or name in own]
    same({name: own[name] for name in named}, {name: _GOLDEN[name] for name in named}, "rights afterwards")
    sure(shot.survived, "the container was thrown away")


@CASES.control("ES-41")
def root_turns_them(lab: Lab) -> None:
    with lab.weakened(POWERS) as powerful:
        answers, status = returned(powerful.run(_PROCESS, arguments_json=numbered()))
    same(answers["dumpable"], "ok", "dumpable")
    among(answers["bounding set"], {"ok", "EPERM", "EINVAL"}, "bounding set")
    rights: Any = _fields(status)
    sure(int(rights["CapEff"], 16), "no capability is seen")
