"""Holds the lines that no linter knows: the server never reads tool source as code, and never reaches into a container.

    lint_gate.py [DIRECTORY]       default: runtime/toolwright; exit status 1 and a line for each breach

Tool code is untrusted. Anything that would import, execute, compile or even parse it in the server, unpickle what comes
back from it, start a process on the host, or open a container that a tool has used, is refused here. The rules are
data; `tests/unit/lint_gate/` seeds a breach of each one and checks that it is found.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CODE = "the server must not read or run code: tool source goes to the sandbox as text"
PICKLE = "what comes from a container is hostile: strict JSON only"
PROCESS = "no process on the host: tools run in containers only"
REACH = "no way into a used container but its attached stream"
HOST = "nothing of the host gets into a container"

IMPORTS = {
    "ast": CODE,
    "code": CODE,
    "codeop": CODE,
    "imp": CODE,
    "importlib.util": CODE,
    "parser": CODE,
    "py_compile": CODE,
    "runpy": CODE,
    "symtable": CODE,
    "tokenize": CODE,
    "cloudpickle": PICKLE,
    "dbm": PICKLE,
    "dill": PICKLE,
    "joblib": PICKLE,
    "marshal": PICKLE,
    "pickle": PICKLE,
    "shelve": PICKLE,
    "multiprocessing": PROCESS,
    "pty": PROCESS,
    "subprocess": PROCESS,
}
CALLS = {
    "__import__": CODE,
    "compile": CODE,
    "eval": CODE,
    "exec": CODE,
    "importlib.import_module": CODE,
    "builtins.compile": CODE,
    "builtins.eval": CODE,
    "builtins.exec": CODE,
    "yaml.full_load": PICKLE,
    "yaml.load": PICKLE,
    "yaml.unsafe_load": PICKLE,
    "asyncio.create_subprocess_exec": PROCESS,
    "asyncio.create_subprocess_shell": PROCESS,
    "os.execv": PROCESS,
    "os.execve": PROCESS,
    "os.execvp": PROCESS,
    "os.fork": PROCESS,
    "os.forkpty": PROCESS,
    "os.popen": PROCESS,
    "os.posix_spawn": PROCESS,
    "os.spawnv": PROCESS,
    "os.system": PROCESS,
}
METHODS = {
    "exec_create": REACH,
    "exec_run": REACH,
    "exec_start": REACH,
    "get_archive": REACH,
    "put_archive": REACH,
}
OPTIONS = {
    "binds": HOST,
    "devices": HOST,
    "mounts": HOST,
    "privileged": HOST,
    "volumes": HOST,
    "volumes_from": HOST,
}
"""Container options that may only be given as None, False or empty, which says outright that they are unset. Names are
compared without regard to case: `Binds` is what the engine's own API calls them."""
DOCKER_METHODS = {"commit": REACH, "export": REACH}
"""As METHODS, in modules that import docker: a database session commits too."""

EXCEPTIONS = {
    (
        "__init__.py",
        "importlib.import_module",
    ): "loads our own rooms, by names fixed there, when they are first asked for",
    ("bench/floor_program.py", "os.fork"): "the floor that `bench` measures; its program is fixed",
    ("bench/floor_program.py", "exec"): "loads a constant of its own: the floor does the same work as a call",
    ("bench/floor_program.py", "compile"): "as exec",
    ("bench/floors.py", "exec_run"): "the floor that `bench` measures, in a container that no tool ever enters",
    ("bench/floors.py", "subprocess"): "runs floor_program.py, and an interpreter with a constant",
    ("bench/server_process.py", "subprocess"): "runs `toolwright serve`",
    ("bench/demonstration.py", "subprocess"): "runs `toolwright demo`",
    ("bench/peers.py", "subprocess"): "runs peer_program.py",
    ("bench/peer_program.py", "importlib.import_module"): "loads the peer that is measured, by names fixed there",
    ("images/export.py", "subprocess"): "asks dpkg for the architecture",
    ("images/bootstrap.py", "subprocess"): "runs mmdebstrap on Debian's packages; no tool is near",
    ("images/wheels.py", "subprocess"): "runs pip to download wheels that are fixed by hash; no tool is near",
}
"""Places where a rule does not hold, with the reason."""


@dataclass(frozen=True)
class Breach:
    """One place that breaks a rule."""

    path: Path
    line: int
    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}: {self.why}"


def breaches(root: Path) -> list[Breach]:
    """Return all breaches in the Python files under `root`."""
    found = []
    for path in sorted(root.rglob("*.py")):
        place = path.relative_to(root).as_posix()
        if not place.startswith("v1/"):
            tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
            found += [breach for breach in _in_module(tree, path) if (place, breach.what) not in EXCEPTIONS]
    return found


def _in_module(tree: ast.Module, path: Path) -> Iterator[Breach]:
    names = _imported_names(tree)
    uses_docker = any(origin.split(".")[0] == "docker" for origin in names.values())
    for node in ast.walk(tree):
        for what, why in _in_node(node, names, uses_docker=uses_docker):
            yield Breach(path, getattr(node, "lineno", 0), what, why)


def _imported_names(tree: ast.Module) -> dict[str, str]:
    """Return what each name that an import binds stands for, such as `run` for `subprocess.run`."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {(alias.asname or alias.name.split(".")[0]): alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {(alias.asname or alias.name): f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _in_node(node: ast.AST, names: dict[str, str], *, uses_docker: bool) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        before = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
        for alias in node.names:
            yield from _import(before + alias.name)
    elif isinstance(node, ast.Call):
        yield from _call(node, names)
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            yield from _option(getattr(key, "value", None), value)
    elif isinstance(node, ast.Attribute):
        methods = METHODS | DOCKER_METHODS if uses_docker else METHODS
        if node.attr in methods:
            yield node.attr, methods[node.attr]
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in CALLS and node.id not in names:
        yield node.id, CALLS[node.id]


def _import(name: str) -> Iterator[tuple[str, str]]:
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        if (module := ".".join(parts[:count])) in IMPORTS:
            yield module, IMPORTS[module]
    if name in CALLS:
        yield name, CALLS[name]


def _call(node: ast.Call, names: dict[str, str]) -> Iterator[tuple[str, str]]:
    name = _full_name(node.func, names)
    if "." in name and name in CALLS:
        yield name, CALLS[name]
    for keyword in node.keywords:
        yield from _option(keyword.arg, keyword.value)


def _option(name: object, value: ast.expr) -> Iterator[tuple[str, str]]:
    if isinstance(name, str) and name.lower() in OPTIONS and not _is_unset(value):
        yield name, OPTIONS[name.lower()]


def _full_name(node: ast.expr, names: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{_full_name(node.value, names)}.{node.attr}"
    return "?"


def _is_unset(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return not node.value
    return isinstance(node, ast.Dict | ast.List | ast.Tuple) and not ast.unparse(node).strip("{}[](),")


def main() -> int:
    """Check the tree and say what is wrong with it."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1] / "runtime" / "toolwright"
    found = breaches(root)
    for breach in found:
        sys.stderr.write(f"{breach}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
