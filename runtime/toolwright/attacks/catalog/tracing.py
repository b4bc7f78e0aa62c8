"""ES: a tool traces, reads, writes or signals other processes: the agent's, or other calls'."""

from __future__ import annotations

import signal
from typing import Final

from toolwright.attacks.case import Catalog
from toolwright.attacks.lab import Lab
from toolwright.attacks.probes import PRELUDE, numbered
from toolwright.attacks.proof import same, sure
from toolwright.attacks.sabotage import FILTERS, POWERS
from toolwright.attacks.shot import returned

CASES: Final = Catalog("ES", "Other processes")

_CHILD: Final = (
    PRELUDE
    + """
import time
def a_child():
    pid = os.fork()
    if pid == 0:
        time.sleep(60)
        os._exit(0)
    return pid
def others(child=0):
    mine = (os.getpid(), child)
    return [int(name) for name in os.listdir("/proc") if name.isdecimal() and int(name) not in mine]
"""
)
PTRACE: Final = (
    _CHILD
    + """
ATTACH, SEIZE = 16, 0x4206
def f(numbers):
    _libc.prctl(4, 1, 0, 0, 0)  # dumpable again, and so is the child: else that alone would forbid it
    child = a_child()
    answers = {f"seize {pid}": system_call(numbers["ptrace"], SEIZE, pid, 0, 0) for pid in others(child)}
    answers |= {f"attach {pid}": system_call(numbers["ptrace"], ATTACH, pid, 0, 0) for pid in others(child)}
    answers["own child"] = system_call(numbers["ptrace"], SEIZE, child, 0, 0)
    return answers
"""
)


@CASES.case(
    "ES-05",
    "Traces the relay, the zygote, its own child: EPERM each; there is no sibling, as a container runs one call",
    threats=("T-ESC-01", "T-ESC-07"),
)
def ptrace(lab: Lab) -> None:
    answers = lab.fire(PTRACE, arguments_json=numbered()).value

    same(set(answers.values()), {"EPERM"}, "answers")
    sure({"seize 1", "attach 1", "own child"} < set(answers), f"only {sorted(answers)} were tried")
    same(len(answers), 2 * 2 + 1, "number of attempts")


@CASES.control("ES-05")
def a_child_is_traced_without_filters(lab: Lab) -> None:
    """And the users still keep a tool off the agent."""
    with lab.weakened(FILTERS) as unfiltered:
        allowed = returned(unfiltered.run(PTRACE, arguments_json=numbered()))
    same(allowed.pop("own child"), "ok", "own child")
    same(set(allowed.values()), {"EPERM"}, "of the agent")


_MEMORY: Final = (
    _CHILD
    + """
class Piece(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
def f(numbers):
    n = numbers
    _libc.prctl(4, 1, 0, 0, 0)
    own = ctypes.create_string_buffer(b"as it was", 16)
    there = ctypes.addressof(own)  # a child has it at the same place
    child = a_child()
    read, write = ctypes.create_string_buffer(16), ctypes.create_string_buffer(b"changed", 16)
    def moved(call, pid, here):
        pieces = Piece(ctypes.addressof(here), 8), Piece(there, 8)
        return system_call(n[call], pid, ctypes.byref(pieces[0]), 1, ctypes.byref(pieces[1]), 1, 0)
    answers = {}
    for name, pid in [("own child", child), *((str(pid), pid) for pid in others(child))]:
        answers[f"{name} read"] = moved("process_vm_readv", pid, read)
        answers[f"{name} written"] = moved("process_vm_writev", pid, write)
        handle = _libc.syscall(ctypes.c_long(n["pidfd_open"]), pid, 0)
        answers[f"{name} descriptor"] = system_call(n["pidfd_getfd"], handle, 1, 0)
        answers[f"{name} compared"] = system_call(n["kcmp"], os.getpid(), pid, 0, 1, 1)
    return answers
"""
)


@CASES.case(
    "ES-07",
    "Reads and writes the memory of relay, zygote and own child by process_vm_readv and _writev, takes their "
    "descriptors: EPERM each",
    threats=("T-ESC-07", "T-LEAK-01"),
    differs={"runsc": "gVisor does not have these calls; the filter denies them before it says so"},
)
def process_memory(lab: Lab) -> None:
    answers = lab.fire(_MEMORY, arguments_json=numbered()).value

    same(set(answers.values()), {"EPERM"}, "answers")
    sure({"1 read", "1 written", "own child read"} < set(answers), f"only {sorted(answers)} were tried")
    same(len(answers), 3 * 4, "number of attempts")


@CASES.control("ES-07", runtimes=("runc",))
def a_childs_memory_is_read_without_filters(lab: Lab) -> None:
    with lab.weakened(FILTERS) as unfiltered:
        allowed = returned(unfiltered.run(_MEMORY, arguments_json=numbered()))
    for name in ("read", "written", "descriptor"):
        same(allowed[f"own child {name}"], "ok", f"own child {name}")
        same(allowed[f"1 {name}"], "EPERM", f"the relay {name}")


_REMOTE: Final = (
    _CHILD
    + """
import sys
def f():
    open("script.py", "w").close()
    remote = getattr(sys, "remote_exec", None)
    answers = {"switched off": os.environ.get("PYTHON_DISABLE_REMOTE_DEBUG")}
    for pid in others():
        if remote:
            try:
                answers[f"{pid} remote_exec"] = attempt(remote, pid, os.path.abspath("script.py"))
            except RuntimeError:
                answers[f"{pid} remote_exec"] = "EPERM"  # it does not even try, as it is switched off here
        # How it is done where the interpreter has no such call: its state is found in the maps and written.
        answers[f"{pid} maps"] = attempt(lambda: open(f"/proc/{pid}/maps").close())
        answers[f"{pid} mem"] = attempt(lambda: open(f"/proc/{pid}/mem", "r+b").close())
    return answers
"""
)


@CASES.case(
    "ES-08",
    "Lets relay or zygote run a script by the interpreter's own debugging (sys.remote_exec), or writes there by hand: "
    "denied, and switched off",
    threats=("T-ESC-07",),
    differs={"runsc": "gVisor lets the agent's maps be read by all: a layout, but nothing that is there"},
)
def remote_debugging(lab: Lab) -> None:
    answers = lab.fire(_REMOTE).value

    same(answers.pop("switched off"), "1", "the variable that switches it off")
    same(len({name.split()[0] for name in answers}), 2, "processes that were tried")
    allowed = {name.split()[1] for name, answer in answers.items() if answer not in {"EACCES", "EPERM"}}
    sure(allowed <= lab.golden(set(), gvisor={"maps"}), f"not denied: {answers}")


@CASES.control("ES-08", runtimes=("runc",))
def root_with_capabilities_opens_the_agents_memory(lab: Lab) -> None:
    with lab.weakened(POWERS) as open_door:
        allowed = returned(open_door.run(_REMOTE))
    same((allowed["1 maps"], allowed["1 mem"]), ("ok", "ok"), "the relay's maps and memory")


_SIGNALS: Final = (
    _CHILD
    + """
def f(numbers, signals):
    n = numbers
    child = a_child()
    information = (ctypes.c_char * 128)()
    answers = {}
    for pid in others(child):
        handle = _libc.syscall(ctypes.c_long(n["pidfd_open"]), pid, 0)
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


@CASES.case(
    "ES-43",
    "Sends every signal in every way to the agent: EPERM each; kill(-1) strikes its own processes alone",
    threats=("T-ESC-07",),
    differs={
        "runsc": "what gVisor does not have (signals by a handle of a process) is ENOSYS; pending ones are not seen"
    },
)
def signals(lab: Lab) -> None:
    container = lab.benign().provenance.container_id
    agent = lab.agent(container)

    shot = lab.fire(_SIGNALS, arguments_json=numbered(signals=list(range(1, 65))))

    answers, status_of_child = shot.value
    # Linux answers kill(-1) with success even where it was allowed to strike nobody: its effect is judged.
    same(answers.pop("all"), ["ok"], "kill(-1)")
    denied = {"EPERM"} | lab.golden(set(), gvisor={"ENOSYS"})
    sure({answer for some in answers.values() for answer in some} <= denied, f"not denied: {answers}")
    same({name.split()[0] for name in answers}, {str(one.pid) for one in agent}, "who was struck at")
    same(status_of_child, int(signal.SIGKILL), "what the child ended with")
    sure(shot.survived, "the container was thrown away")
    after = lab.agent(container)
    same([one.host_pid for one in after], [one.host_pid for one in agent], "the agent's processes")
    if not lab.gvisor:
        same({one.fields["SigPnd"] + one.fields["ShdPnd"] for one in after}, {"0" * 32}, "signals that wait")


@CASES.control("ES-43")
def its_own_child_is_struck(lab: Lab) -> None:
    code = _CHILD + "def f():\n    child = a_child()\n    os.kill(child, 10)\n    return os.waitpid(child, 0)[1]"
    same(lab.fire(code).value, int(signal.SIGUSR1), "what a child ended with")
