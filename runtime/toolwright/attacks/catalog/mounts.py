"""ES: a tool changes the tree of files that it sees, or opens files past it."""

from __future__ import annotations

from typing import Final

from toolwright.attacks.case import Catalog
from toolwright.attacks.lab import Lab
from toolwright.attacks.probes import PRELUDE, numbered
from toolwright.attacks.proof import same, sure
from toolwright.attacks.sabotage import POWERS, Layer
from toolwright.attacks.shot import returned

CASES: Final = Catalog("ES", "Mounts")

MOUNT: Final = (
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
_OLD: Final = ("tmpfs", "proc", "bind", "overlay", "umount2")


@CASES.case("ES-01", "Mounts something, by the old calls or the new ones: EPERM each", threats=("T-ESC-01",))
def mount(lab: Lab) -> None:
    container = lab.benign().provenance.container_id
    before = "" if lab.gvisor else lab.observer.mounts(container)

    shot = lab.fire(MOUNT, arguments_json=numbered())

    sure(shot.survived, "the container was thrown away")
    same(set(shot.value.values()), {"EPERM"}, "answers")
    if not lab.gvisor:
        same(lab.observer.mounts(container), before, "table of mounts")


@CASES.control("ES-01")
def root_with_capabilities_mounts(lab: Lab) -> None:
    with lab.weakened(POWERS) as open_door:
        allowed = returned(open_door.run(MOUNT, arguments_json=numbered()))
    sure("EPERM" not in {allowed[name] for name in allowed if name in _OLD or not lab.gvisor}, f"denied: {allowed}")
    for name in lab.golden(("tmpfs", "bind", "fsopen", "open_tree"), gvisor=("tmpfs", "bind")):
        same(allowed[name], "ok", name)


_ROOTS: Final = (
    PRELUDE
    + """
def f(numbers):
    n, at = numbers, -100
    os.mkdir("old")
    with open("file", "w"):
        pass
    handle = (ctypes.c_char * 136).from_buffer_copy((128).to_bytes(4, "little") + bytes(132))
    mount_id = ctypes.c_int()
    answers = {
        "name_to_handle_at": system_call(n["name_to_handle_at"], at, b"file", handle, ctypes.byref(mount_id), 0),
        "pivot_root": system_call(n["pivot_root"], b".", b"old"),
        "umount2": system_call(n["umount2"], b"/proc/sys", 0),
        "umount2, by force": system_call(n["umount2"], b"/etc/hosts", 1),
    }
    here = os.open(".", os.O_RDONLY)
    answers["open_by_handle_at"] = system_call(n["open_by_handle_at"], here, handle, 0)
    answers["chroot"] = system_call(n["chroot"], b".")
    return answers
"""
)


@CASES.case(
    "ES-47",
    "Changes its root, opens files by handles past every path, takes mounts off that hide something: EPERM each",
    threats=("T-ESC-01",),
)
def other_roots(lab: Lab) -> None:
    same(set(lab.fire(_ROOTS, arguments_json=numbered()).value.values()), {"EPERM"}, "answers")


@CASES.control("ES-47")
def root_with_capabilities_changes_its_root(lab: Lab) -> None:
    """What pivots has to be a mount; here it is none, so that even root gets no further than EINVAL."""
    with lab.weakened(POWERS | Layer.MACHINE) as open_door:
        allowed = returned(open_door.run(_ROOTS, arguments_json=numbered()))
    same(allowed["chroot"], "ok", "chroot")
    if not lab.gvisor:
        for name in ("name_to_handle_at", "open_by_handle_at", "umount2"):
            same(allowed[name], "ok", name)
        same(allowed["pivot_root"], "EINVAL", "pivot_root")
