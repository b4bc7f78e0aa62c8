"""ES: a tool leaves its directory: by descriptors, by its working directory, by links that others may follow."""

from __future__ import annotations

from typing import Final

from toolwright.attacks.case import Catalog
from toolwright.attacks.lab import Lab
from toolwright.attacks.probes import PRELUDE
from toolwright.attacks.proof import among, same, shown, sure

CASES: Final = Catalog("ES", "Descriptors, directories, links")

_DESCRIPTORS: Final = """
import os, stat, time
def f(directory, pause):
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
    time.sleep(pause)
    return {str(fd): kind for fd, kind in found.items()}
"""
_GRANTED: Final = {"0": "device", "1": "pipe", "2": "pipe", "4": "pipe"}


@CASES.case(
    "ES-34",
    "Scans its descriptors for any beyond those it is given: /dev/null, outputs and result, no directory, no socket",
    threats=("T-ESC-05",),
    differs={"runsc": "it is not seen from outside; the call's own scan is what there is"},
)
def descriptors(lab: Lab) -> None:
    outside: dict[str, str] = {}

    def look(container: str) -> None:
        if lab.gvisor:
            return
        (call,) = lab.agent_and_rest(container)[1]
        fds = lab.observer.fds(call.host_pid)
        same(len(fds), 4, f"not yet before its set-up is over: number of {fds}")
        outside.update({fd: "pipe" if target.startswith("pipe:") else target for fd, target in fds.items()})

    pause = lab.golden(0.3, gvisor=0)
    shot = lab.fire(_DESCRIPTORS, arguments_json=f'{{"directory": false, "pause": {pause}}}', during=look)

    same(shot.value, _GRANTED, "as it sees them")
    if not lab.gvisor:
        same(outside, _GRANTED | {"0": "/dev/null"}, "as the host sees them")


@CASES.control("ES-34")
def a_directory_is_seen(lab: Lab) -> None:
    control = lab.fire(_DESCRIPTORS, arguments_json='{"directory": true, "pause": 0}')
    same(control.value, _GRANTED | {"3": "directory"})


_WANDER: Final = (
    PRELUDE
    + """
def landed(home, move):
    try:
        move()
        here = os.getcwd()
    except OSError as fault:
        return errno.errorcode[fault.errno]
    return {home: "home", os.path.dirname(home): "above home"}.get(here, here)
def f():
    home, answers = os.getcwd(), {}
    for fd in range(64):
        answer = attempt(os.chdir, f"/proc/self/fd/{fd}")
        if answer not in ("ENOENT", "ENOTDIR"):
            answers[f"fd {fd}"] = [answer, os.getcwd()]
    for other in (name for name in os.listdir("/proc") if name.isdecimal() and int(name) != os.getpid()):
        for kind in ("cwd", "root"):
            answers[f"{kind} of another"] = attempt(os.chdir, f"/proc/{other}/{kind}")
    above = os.stat("/" + "../" * 50)
    answers["above the root"] = (above.st_dev, above.st_ino) == (os.stat("/").st_dev, os.stat("/").st_ino)
    os.makedirs("gone/below")
    os.chdir("gone/below")
    held = os.open("..", os.O_RDONLY)
    os.rmdir(home + "/gone/below")
    os.rmdir(home + "/gone")
    answers["a file in nowhere"] = attempt(lambda: open("file", "w").close())
    places = [landed(home, lambda: None), landed(home, lambda: os.chdir(".."))]
    os.fchdir(held)
    places += [landed(home, lambda: os.chdir("..")), landed(home, lambda: os.chdir(f"/proc/self/fd/{held}/../.."))]
    answers["neighbours"] = attempt(os.listdir, os.path.dirname(home))
    return [answers, places]
"""
)
_WHERE: Final = "import os\ndef f():\n    return [os.getcwd() == os.environ['HOME'], os.listdir()]\n"


@CASES.case(
    "ES-35",
    "Changes its directory to descriptors, to other processes' places, above the root, out of a deleted one: it gets "
    "nowhere outside, and the next call begins in a directory of its own",
    threats=("T-ESC-05", "T-LAT-03"),
    differs={"runsc": "gVisor lets a file be made in a deleted directory, which goes with it"},
)
def wandering(lab: Lab) -> None:
    wandered, following = lab.fire_pair(_WANDER, _WHERE)

    answers, places = wandered.value
    same({name: answer for name, answer in answers.items() if name.startswith("fd ")}, {}, "descriptors that led away")
    same({answers["cwd of another"], answers["root of another"]}, {"EACCES"}, "places of other processes")
    sure(answers["above the root"], "something is above the root")
    same(answers["neighbours"], "EACCES", "names of directories of calls")
    among(
        answers["a file in nowhere"], lab.golden({"ENOENT"}, gvisor={"ENOENT", "ok"}), "a file in a deleted directory"
    )
    sure(set(places) <= {"ENOENT", "home", "above home"}, f"from a deleted directory it gets to {places}")
    same(following.value, [True, []], "where the next call begins")


@CASES.control("ES-35")
def its_own_directories_can_be_entered(lab: Lab) -> None:
    code = (
        "import os\ndef f():\n    os.mkdir('own')\n    fd = os.open('own', os.O_RDONLY)\n"
        "    os.chdir(f'/proc/self/fd/{fd}')\n    return os.path.basename(os.getcwd())"
    )
    same(lab.fire(code).value, "own", "directory")


_PLANT: Final = (
    PRELUDE
    + """
import time
TARGETS = ("/etc/shadow", "/proc/1/mem", "/usr/lib/toolwright", "..", "/", "/dev/zero", "loop")
NAMES = ("result", "result.json", "stdout", "stderr", "log", "cwd", "core", "tmp", "__pycache__", ".python_history",
         "sitecustomize.py", "json.py", "toolwright_agent", "payload", "loop")
def f(pause):
    home = os.getcwd()
    for at, name in enumerate(NAMES):
        os.symlink(TARGETS[at % len(TARGETS)], name)
    os.makedirs("locked/below")
    os.symlink("/etc", "locked/below/etc")
    attempt(os.link, "result", "hard")
    os.chmod("locked", 0)
    above = os.path.dirname(home)
    answers = {
        "beside": attempt(os.symlink, "/etc", above + "/beside"),
        "next user's": attempt(os.symlink, "/etc", f"{above}/{os.getuid() + 1}"),
        "own moved": attempt(os.rename, home, home + "x"),
        "own removed": attempt(os.rmdir, home),
        "pycache": attempt(os.symlink, "/call", "/usr/lib/python3.13/__pycache__/x"),
    }
    time.sleep(pause)
    return [answers, len(os.listdir())]
"""
)


@CASES.case(
    "ES-36",
    "Plants links to secrets and devices under every name that agent or controller might open: none is followed, none "
    "can be put beside its directory, and all are gone",
    threats=("T-LIE-02", "T-LAT-02", "T-LEAK-02"),
    differs={"runsc": "the planted links are counted by the call alone"},
)
def planted_links(lab: Lab) -> None:
    planted: list[str] = []

    def look(container: str) -> None:
        if not lab.gvisor:
            seen = lab.observer.scratch(container)
            sure(len(seen) > 15, f"not yet planted: {seen}")
            planted[:] = seen

    pause = lab.golden('{"pause": 0.2}', gvisor='{"pause": 0}')
    container = lab.benign().provenance.container_id
    shot = lab.fire(_PLANT, arguments_json=pause, during=look)

    answers, count = shot.value
    sure(set(answers.values()) <= {"EACCES", "EPERM", "EROFS", "ENOTEMPTY"}, f"answers: {answers}")
    shown(count > 15 and (lab.gvisor or planted), f"only {count} links were planted")
    sure(shot.survived, "the container was thrown away")
    if not lab.gvisor:
        same(lab.observer.scratch(container), [], "what is left")
    same(lab.fire(_WHERE).value, [True, []], "what the next call finds")


@CASES.control("ES-36")
def a_link_in_its_own_directory_is_followed(lab: Lab) -> None:
    code = (
        "import os\ndef f():\n    with open('file', 'w') as file:\n        file.write('own')\n"
        "    os.symlink('file', 'link')\n    with open('link') as file:\n        return file.read()"
    )
    same(lab.fire(code).value, "own", "what is read through a link")
