"""The lint gate finds a seeded breach of each of its rules, and none in the code as it is."""

from __future__ import annotations

import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
GATE = ROOT / "scripts" / "lint_gate.py"

BREACHES = {
    "pickle": "import pickle\n",
    "pickle by another name": "import pickle as p\n",
    "a name of pickle": "from pickle import loads\n",
    "marshal": "import marshal\n",
    "shelve": "import shelve\n",
    "dill": "import dill\n",
    "a dbm of the standard library": "import dbm.dumb\n",
    "yaml.load": "import yaml\nyaml.load('x')\n",
    "yaml.load by its own name": "from yaml import load\nload('x')\n",
    "multiprocessing": "import multiprocessing\n",
    "a part of multiprocessing": "from multiprocessing import shared_memory\n",
    "subprocess": "import subprocess\n",
    "os.system": "import os\nos.system('true')\n",
    "os.system by another name": "from os import system as run\nrun('true')\n",
    "os.fork": "import os\nos.fork()\n",
    "asyncio's processes": "import asyncio\nasyncio.create_subprocess_shell('true')\n",
    "eval": "eval('1')\n",
    "eval kept for later": "later = eval\n",
    "exec": "exec('x = 1')\n",
    "exec through builtins": "import builtins\nbuiltins.exec('x = 1')\n",
    "compile": "compile('1', 'f', 'eval')\n",
    "ast": "import ast\n",
    "ast.parse": "from ast import parse\n",
    "tokenize": "import tokenize\n",
    "runpy": "import runpy\n",
    "importlib.import_module": "import importlib\nimportlib.import_module('x')\n",
    "import_module by its own name": "from importlib import import_module\n",
    "importlib.util": "from importlib import util\n",
    "__import__": "__import__('x')\n",
    "exec_run": "def f(container):\n    container.exec_run('id')\n",
    "exec_create": "def f(api):\n    api.exec_create('c', 'id')\n",
    "put_archive": "def f(container):\n    container.put_archive('/', b'')\n",
    "get_archive": "def f(container):\n    return container.get_archive\n",
    "commit of a container": "import docker\ndef f(container):\n    container.commit()\n",
    "export of a container": "from docker.models.containers import Container\ndef f(c: Container):\n    c.export()\n",
    "privileged": "def f(run):\n    run(privileged=True)\n",
    "privileged by a variable": "def f(run, flag):\n    run(privileged=flag)\n",
    "volumes": "def f(run):\n    run(volumes={'/': {'bind': '/host'}})\n",
    "volumes in a dictionary": "OPTIONS = {'volumes': ['/:/host']}\n",
    "binds in the engine's words": "OPTIONS = {'HostConfig': {'Binds': ['/:/host']}}\n",
    "mounts": "def f(run, m):\n    run(mounts=[m])\n",
    "devices": "def f(run):\n    run(devices=['/dev/kvm'])\n",
}

ALLOWED = {
    "re.compile": "import re\nre.compile('x')\n",
    "a method named compile": "def f(query):\n    query.compile()\n",
    "a commit of a database session": "def f(session):\n    session.commit()\n",
    "our own function named load": "from json import loads as load\nload('1')\n",
    "privileged, said to be off": "def f(run):\n    run(privileged=False, volumes=None, binds=[], mounts={})\n",
    "a text about eval": "x = 'eval(1)'  # exec(1)\n",
}


@pytest.fixture(scope="module")
def breaches() -> Callable[[Path], list[Any]]:
    """Return the gate's own function."""
    found: Callable[[Path], list[Any]] = runpy.run_path(str(GATE))["breaches"]
    return found


@pytest.mark.unit
@pytest.mark.case("IM-14", "IM-15", "PR-34")
@pytest.mark.parametrize("source", BREACHES.values(), ids=BREACHES.keys())
def test_a_seeded_breach_is_found(breaches: Callable[[Path], list[Any]], tmp_path: Path, source: str) -> None:
    """IM-14, IM-15, PR-34: each rule fails on code that breaks it, and names file and line."""
    module = tmp_path / "making" / "seeded.py"
    module.parent.mkdir()
    module.write_text(source, encoding="utf-8")

    found = breaches(tmp_path)

    assert found
    assert str(found[0]).startswith(f"{module}:")


@pytest.mark.unit
@pytest.mark.parametrize("source", ALLOWED.values(), ids=ALLOWED.keys())
def test_what_only_looks_like_a_breach_is_let_through(
    breaches: Callable[[Path], list[Any]], tmp_path: Path, source: str
) -> None:
    """Words that are harmless where they stand are no breach."""
    (tmp_path / "harmless.py").write_text(source, encoding="utf-8")

    assert breaches(tmp_path) == []


@pytest.mark.unit
def test_an_exception_holds_in_its_own_place_only(breaches: Callable[[Path], list[Any]], tmp_path: Path) -> None:
    """What one module may do, its neighbour may not."""
    for name in ("bootstrap.py", "neighbour.py"):
        (tmp_path / "images").mkdir(exist_ok=True)
        (tmp_path / "images" / name).write_text("import subprocess\n", encoding="utf-8")

    assert [breach.path.name for breach in breaches(tmp_path)] == ["neighbour.py"]


@pytest.mark.unit
@pytest.mark.parametrize(("source", "status"), [("import pickle\n", 1), ("import json\n", 0)])
def test_the_program_fails_on_a_breach_alone(tmp_path: Path, source: str, status: int) -> None:
    """`make lint` goes by the exit status."""
    (tmp_path / "seeded.py").write_text(source, encoding="utf-8")

    result = subprocess.run([sys.executable, GATE, tmp_path], capture_output=True, check=False, timeout=60)

    assert result.returncode == status


@pytest.mark.unit
@pytest.mark.case("IM-14", "IM-15", "PR-34")
def test_the_code_as_it_is_has_no_breach(breaches: Callable[[Path], list[Any]]) -> None:
    """IM-14, IM-15, PR-34: the server's code passes, so the gate can stand in `make lint`."""
    assert breaches(ROOT / "runtime" / "toolwright") == []
