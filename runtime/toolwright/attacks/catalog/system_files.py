"""ES: a tool looks for files of the image that raise rights, and changes what every call reads."""

from __future__ import annotations

from typing import Final

from toolwright.attacks.case import Catalog
from toolwright.attacks.lab import Lab
from toolwright.attacks.probes import PRELUDE
from toolwright.attacks.proof import same, shown, sure
from toolwright.attacks.sabotage import Layer
from toolwright.attacks.shot import returned

CASES: Final = Catalog("ES", "Files of the system")

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
            try:
                marks += ["capability"] if "security.capability" in os.listxattr(path, follow_symlinks=False) else []
            except OSError:
                marks += []
            marks += ["socket"] if stat.S_ISSOCK(mode) else []
            if marks:
                found[path] = marks + (["device"] if stat.S_ISCHR(mode) else [])
    return [found, count]
"""
_QUEUES: Final = "/dev/mqueue"
"""Mounted by the engine, whatever the policy says; no queue can be made in it, and the agent shuts it."""
_DEVICES: Final = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"}
_TERMINALS: Final = {"/dev/pts/ptmx", "/dev/ptmx", "/dev/net/tun", "/dev/fuse"}
_MANY: Final = 500


@CASES.case(
    "ES-23",
    "Walks through all files: none raises rights (setuid, setgid, capabilities), none can be written by all but the "
    "devices that everyone has",
    threats=("T-ESC-03", "T-LAT-02"),
    differs={"runsc": "gVisor brings a /dev/net/tun and a link /tmp of its own"},
)
def modes(lab: Lab) -> None:
    found, count = lab.fire(_MODES, arguments_json='{"own": false}').value

    shown(count > _MANY, f"the walk saw only {count} files")
    unknown = {path: marks for path, marks in found.items() if path not in _DEVICES | _TERMINALS}
    same(unknown, {}, "what was found")
    same({tuple(marks) for marks in found.values()}, {("world-writable", "device")}, "what devices are")


@CASES.control("ES-23")
def its_own_files_are_found(lab: Lab) -> None:
    found, _ = lab.fire(_MODES, arguments_json='{"own": true}').value
    own = {path.rpartition("/")[2]: marks for path, marks in found.items() if path.startswith("/call/")}
    expected = {"open": ["world-writable"], "setuid": ["setuid"], "setgid": ["setgid"], "writable": ["world-writable"]}
    same(own, expected, "its own files")


_WRITES: Final = (
    PRELUDE
    + """
DENIED = {"EROFS", "EACCES", "EPERM"}
def f(tops):
    tally, odd, count = {}, [], 0
    def note(path, what, answer):
        tally[answer] = tally.get(answer, 0) + 1
        if answer not in DENIED:
            odd.append(f"{what} {path} {answer}")
    for where, directories, files in (one for top in tops for one in os.walk(top)):
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
    *(f"utime {path} ok" for path in _DEVICES | _TERMINALS),
}
_KNOWN_IN_GVISOR: Final = {"open /dev/tty EIO", "open /dev/net/tun ok"}
_CORNERS: Final = '{"tops": ["/etc", "/dev", "/usr/lib/toolwright", "/usr/lib/python3.13/json", "/usr/bin"]}'
"""Under gVisor a sweep of everything takes a minute."""


@CASES.case(
    "ES-46",
    "Changes every file and directory outside the scratch space by every call there is for it: not one; in /dev it may "
    "open devices and set their times to now",
    threats=("T-LAT-02", "T-ESC-03"),
    differs={
        "runsc": "only corners are tried there, as all takes a minute; gVisor brings a tun device that is nobody's"
    },
)
def read_only_tree(lab: Lab) -> None:
    tops = lab.golden('{"tops": ["/"]}', gvisor=_CORNERS)

    tally, odd, count = lab.fire(_WRITES, arguments_json=tops, wall_time_s=10).value

    shown(count > lab.golden(_MANY, gvisor=20), f"the sweep saw only {count} files")
    known = _KNOWN | lab.golden(set(), gvisor=_KNOWN_IN_GVISOR)
    same(set(odd) - known, set(), "what was not denied")
    sure(tally["EROFS"] > lab.golden(3, gvisor=1) * count, f"answers: {tally}")


@CASES.control("ES-46")
def root_changes_a_writable_tree(lab: Lab) -> None:
    with lab.weakened(Layer.READ_ONLY | Layer.USER) as writable:
        corner = '{"tops": ["/usr/lib/python3.13/json"]}'
        allowed, changed, _ = returned(writable.run(_WRITES, arguments_json=corner))
    same(allowed["ok"], len(changed), "number of changes")
    every = {"create", "mkdir", "symlink", "chmod", "utime", "open", "truncate", "link", "rename"}
    same({line.split()[0] for line in changed}, every, "ways of change")
