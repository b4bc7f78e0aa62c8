"""Between two calls: whatever a call leaves in its scratch space is gone, and the container goes on."""

from __future__ import annotations

import time
from statistics import median

import pytest

from tests.integration.sandbox.conftest import Start
from tests.integration.sandbox.helpers import call
from toolwright.attacks.observer import Observer
from toolwright.domain.outcome import Status
from toolwright.sandbox.base import Cancellation

pytestmark = pytest.mark.integration

LEFTOVERS = {
    "a tree of 1,000 levels": """
import os
def f():
    for _ in range(1000):
        os.mkdir("d")
        os.chdir("d")
""",
    "a wide and deep tree": """
import os
def f():
    for a in range(15):
        for b in range(15):
            os.makedirs(f"{a}/{b}/c/d")
            open(f"{a}/{b}/c/d/file", "w").write("x" * 5000)
""",
    "directories without permissions": """
import os
def f():
    for mode in (0o000, 0o111, 0o400, 0o1000, 0o6000):
        os.makedirs(f"{mode:o}/inner/inner")
        for path in (f"{mode:o}/inner/inner/file", f"{mode:o}/file"):
            open(path, "w").close()
            os.chmod(path, mode)
        for path in (f"{mode:o}/inner/inner", f"{mode:o}/inner", f"{mode:o}"):
            os.chmod(path, mode)
""",
    "its own directory without permissions": """
import os
def f():
    os.mkdir("inner")
    open("inner/file", "w").close()
    os.chmod("inner", 0)
    os.chmod(os.getcwd(), 0)
""",
    "odd names": """
import os
def f():
    names = [b"-rf", b"--", b" ", b"\\n", b"\\xff\\xfe", b"*", b"~", b"...", b"a" * 255, b".lifted-1", b"\\x1b[2J"]
    for name in names:
        os.mkdir(name)
        for inner in names:
            os.mkdir(name + b"/" + inner)
            open(name + b"/" + inner + b"/file", "w").close()
""",
    "4,000 files": """
def f():
    for number in range(4000):
        open(str(number), "w").close()
""",
    "as many files as there can be": """
def f():
    number = 0
    try:
        while True:
            number += 1
            open(str(number), "w").close()
    except OSError as fault:
        assert fault.errno == 28, fault
""",
    "all the space there is": """
def f():
    try:
        with open("big", "wb") as file:
            while True:
                file.write(bytes(1 << 20))
    except OSError as fault:
        assert fault.errno in (27, 28), fault
""",
    "links": """
import os
def f():
    os.mkdir("inner")
    for where in (".", "inner"):
        os.symlink("/usr/lib", where + "/library")
        os.symlink("loop", where + "/loop")
        os.symlink("..", where + "/up")
        os.symlink("/proc/1/root", where + "/root")
        open(where + "/one", "w").close()
        os.link(where + "/one", where + "/two")
""",
    "an unlinked file that is still open in a child": """
import os, time
def f():
    file = open("gone", "wb")
    os.unlink("gone")
    file.write(bytes(20 << 20))
    file.flush()
    if os.fork() == 0:
        os.setsid()
        time.sleep(60)
""",
    "a directory that a child stands in": """
import os, time
def f():
    os.makedirs("a/b/c")
    if os.fork() == 0:
        os.setsid()
        os.chdir("a/b/c")
        while True:
            open(str(time.time()), "w").close()
""",
}


@pytest.mark.parametrize("name", LEFTOVERS)
def test_what_a_call_leaves_is_gone_within_a_second(start: Start, observer: Observer, name: str) -> None:
    """Proved from outside; the same container serves the next call, which finds an empty directory."""
    sandbox = start()
    plain = []
    for _ in range(3):
        begun = time.monotonic()
        assert sandbox.run(call(), Cancellation()).status is Status.SUCCESS
        plain.append(time.monotonic() - begun)
    begun = time.monotonic()
    outcome = sandbox.run(call(LEFTOVERS[name]), Cancellation())
    took = time.monotonic() - begun

    assert outcome.status is Status.SUCCESS, outcome.failure
    assert observer.scratch(sandbox.info.container_id) == []
    assert len(observer.processes(sandbox.info.container_id)) == 2
    assert sandbox.usable, sandbox.doubt
    after = sandbox.run(call("import os\ndef f():\n    return os.listdir('.')"), Cancellation())
    assert after.result_json == "[]"
    assert took - outcome.usage.wall_ms / 1000 < 1 + median(plain)
