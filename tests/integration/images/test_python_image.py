"""The image `python`, built from Debian packages and started: what is in it, and what is not."""

from __future__ import annotations

import json
from typing import Any

import docker
import pytest

from toolwright.images.build import build_image
from toolwright.images.catalog import ImageInfo, find_image, list_images
from toolwright.sandbox.engine import Engine

pytestmark = pytest.mark.integration

# Names of programs that an image without them cannot be said to hold by another path either.
UNWANTED = {
    "shell": ["sh", "bash", "dash", "ash", "zsh", "busybox", "perl"],
    "package manager": ["apt", "apt-get", "dpkg", "pip", "pip3", "rpm", "apk"],
    "compiler": ["gcc", "cc", "c++", "clang", "ld", "as", "make", "tcc"],
    "network client": ["curl", "wget", "nc", "ssh"],
}

SURVEY = """
import json, os, stat
programs, odd, names, total = [], [], [], 0
for folder, _, files in os.walk("/", followlinks=False):
    if folder.startswith(("/proc", "/sys", "/dev")):
        continue
    for path in (os.path.join(folder, name) for name in ["", *files]):
        mode = os.lstat(path).st_mode
        names.append(os.path.basename(path))
        if not stat.S_ISLNK(mode) and mode & 0o7022:
            odd.append(path)
        if stat.S_ISREG(mode) and mode & 0o111:
            programs.append(path)
        if stat.S_ISREG(mode) and os.listxattr(path):
            odd.append(path)
print(json.dumps({"programs": programs, "odd": odd, "names": names}))
"""

# What the recipe drops with a reason, and what no Linux has.
# fmt: off
NOT_THERE = [
    "antigravity", "curses", "_curses", "_curses_panel", "readline", "_dbm", "_gdbm", "ensurepip", "venv", "idlelib",
    "tkinter", "_tkinter", "turtle", "turtledemo", "pydoc_data", "this", "msvcrt", "winreg", "winsound", "nt",
    "_winapi", "_overlapped", "_wmi", "_scproxy", "_msi", "_ios_support", "_android_support", "_testbuffer",
    "_testcapi", "_testconsole", "_testimportmultiple", "_testinternalcapi", "_testmultiphase", "_testclinic",
    "_testclinic_limited", "_testlimitedcapi", "_testsinglephase", "_testexternalinspection", "_ctypes_test",
    "_xxtestfuzz", "_xxinterpchannels",
]
# fmt: on

IMPORTS = f"""
import importlib, json, sys
failed = {{}}
for name in sorted(sys.stdlib_module_names - set({NOT_THERE!r})):
    try:
        importlib.import_module(name)
    except BaseException as error:
        failed[name] = repr(error)
print(json.dumps(failed))
"""

HONEST = """
import ctypes, datetime, decimal, fractions, hashlib, json, math, re
import sqlite3, ssl, statistics, sys, unicodedata, zoneinfo
noon = datetime.datetime(2026, 7, 1, 12, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))
print(json.dumps({
    "zone": noon.utcoffset().total_seconds(),
    "zones": len(zoneinfo.available_timezones()) > 400,
    "decimal": str(decimal.Decimal("0.1") + decimal.Decimal("0.2")),
    "big": str(math.comb(400, 200))[:6],
    "sqlite": sqlite3.connect(":memory:").execute("select 6 * 7").fetchone()[0],
    "sha256": hashlib.sha256(b"abc").hexdigest()[:8],
    "text": "naïve – 漢字",
    "encoding": sys.stdout.encoding,
    "c": ctypes.CDLL(None).abs(-3),
    "pattern": re.findall(r"\\w+", "ä b"),
}, ensure_ascii=False))
"""


@pytest.fixture(scope="module")
def image(engine: Engine) -> ImageInfo:
    """The image of this checkout."""
    return build_image(engine.client, "python", progress=lambda _: None)


def run_in(client: docker.DockerClient, image: ImageInfo, program: str, *flags: str) -> Any:
    """Run a program of ours in a fresh, hardened container and return the JSON that it prints."""
    output = client.containers.run(
        image.image_id,
        [*flags, "-c", program],
        entrypoint=["/usr/bin/python3.13", "-I", "-S", "-B", "-X", "utf8"],
        remove=True,
        network_mode="none",
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        pids_limit=32,
        mem_limit="256m",
        labels={"org.toolwright.role": "test"},
    )
    return json.loads(output)


@pytest.mark.case("IM-01", "IM-02")
def test_no_file_is_odd_and_only_the_interpreter_can_be_run(engine: Engine, image: ImageInfo) -> None:
    """IM-01, IM-02: no shell, package manager, compiler, setuid, writable or capable file: a program and its loader."""
    survey = run_in(engine.client, image, SURVEY)

    # The engine itself puts an empty /.dockerenv into every container.
    programs = [path for path in survey["programs"] if path != "/.dockerenv"]
    assert sorted(path.rsplit("/", 1)[-1][:8] for path in programs) == ["ld-linux", "python3."]
    assert survey["odd"] == []
    assert {kind: sorted(set(names) & set(survey["names"])) for kind, names in UNWANTED.items()} == {
        kind: [] for kind in UNWANTED
    }


def test_the_whole_standard_library_can_be_imported(engine: Engine, image: ImageInfo) -> None:
    """Every module of the standard library loads, but for those that the recipe drops with a reason."""
    assert run_in(engine.client, image, IMPORTS) == {}


def test_honest_work_goes_well(engine: Engine, image: ImageInfo) -> None:
    """Time zones, exact numbers, databases, digests and text of any language work."""
    assert run_in(engine.client, image, HONEST) == {
        "zone": 7200.0,
        "zones": True,
        "decimal": "0.3",
        "big": "102952",
        "sqlite": 42,
        "sha256": "ba7816bf",
        "text": "naïve – 漢字",
        "encoding": "utf-8",
        "c": 3,
        "pattern": ["ä", "b"],
    }


def test_bytecode_is_used_as_it_is(engine: Engine, image: ImageInfo) -> None:
    """Library and agent come compiled, unchecked: when a call imports, nothing is parsed and no source looked at."""
    program = """
import importlib.util, json, sys
sys.path.insert(0, "/usr/lib/toolwright")
found = {}
for name in ("json", "decimal", "toolwright_agent"):
    with open(importlib.util.find_spec(name).cached, "rb") as file:
        found[name] = int.from_bytes(file.read(8)[4:], "little")
print(json.dumps(found))
"""

    # Flag 1: named by the source's hash; flag 2, not set: check it.
    assert run_in(engine.client, image, program) == {"json": 1, "decimal": 1, "toolwright_agent": 1}


def test_it_says_what_it_is(engine: Engine, image: ImageInfo) -> None:
    """The engine's own account of the image agrees with ours, and it is small."""
    attributes = engine.client.images.get(image.image_id).attrs

    assert attributes["Config"]["Entrypoint"][0] == "/usr/bin/python3.13"
    assert attributes["Config"]["User"] == "0:0"
    assert attributes["Config"]["Labels"]["org.toolwright.agent.protocol"] == str(image.agent_protocol)
    assert attributes["RootFS"]["Layers"] == [image.content_digest]
    assert {"python3.13", "libc6", "tzdata"} <= {package.name for package in image.packages}
    assert image.size_bytes < 60_000_000
    assert image in list_images(engine.client)


@pytest.mark.case("IM-12")
@pytest.mark.slow
def test_built_anew_it_is_the_same_image(engine: Engine, image: ImageInfo) -> None:
    """IM-12: another build, from the same packages, gives the same files and the same id."""
    again = build_image(engine.client, "python", progress=lambda _: None, force=True)

    assert (again.content_digest, again.image_id) == (image.content_digest, image.image_id)


def test_what_is_there_is_not_built_again(engine: Engine, image: ImageInfo) -> None:
    """With the image in the engine, nothing is fetched and nothing said."""
    lines: list[str] = []

    assert build_image(engine.client, "python", progress=lines.append) == find_image(engine.client)
    assert lines == []
