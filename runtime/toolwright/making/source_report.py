"""What stands in a tool's source, told by a program of ours that reads it in the sandbox and runs nothing of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from toolwright.domain.call import MAX_ARGUMENTS_BYTES
from toolwright.domain.json_rules import JsonRefused, JsonRules
from toolwright.domain.limits import MIB
from toolwright.domain.outcome import Execution
from toolwright.domain.source import ToolSource

MAX_MODULES: Final = 32
_RULES: Final = JsonRules(max_bytes=4 * MIB)

# The server never parses tool source: the parser itself can be crashed by it. In the sandbox that ends one call.
READER: Final = ToolSource(
    '''\
"""Reads source as data."""

import ast
import importlib.util
import sys


def report_of_source(code: str) -> dict:
    """Return imported modules, those of them that are missing, and texts that are no docstrings."""
    tree = ast.parse(code)
    modules, texts, documentation = set(), [], set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules.add(node.module.partition(".")[0])
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                documentation.add(id(first.value))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            text = " ".join(node.value.split())
            if len(text) >= 8:
                texts.append(text)
    missing = [name for name in sorted(modules) if name not in sys.modules and importlib.util.find_spec(name) is None]
    return {"imports": sorted(modules)[:32], "missing": missing[:32], "texts": texts}
''',
    "report_of_source",
)


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What stands in a source. Its texts are untrusted."""

    imports: tuple[str, ...]
    """Top-level modules."""
    missing: tuple[str, ...]
    """Those that the image does not have."""
    texts: tuple[str, ...]
    """Texts of eight characters or more that are no docstrings, runs of white space as one space. Shorter ones are in
    many honest tools and in many answers."""


def reading_of(code: str) -> str:
    """Return the arguments for `READER`; empty if the source is too long for a call."""
    arguments = json.dumps({"code": code}, ensure_ascii=False)
    return arguments if len(arguments.encode()) <= MAX_ARGUMENTS_BYTES else ""


def report_from(execution: Execution) -> SourceReport | None:
    """Return what `READER` found; None if it could not read the source."""
    if execution.outcome.result_json is None:
        return None
    try:
        value: Any = _RULES.parse(execution.outcome.result_json)
        return SourceReport(*(_texts(value[name]) for name in ("imports", "missing", "texts")))
    except (JsonRefused, KeyError, TypeError):
        return None


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError("no list of texts")
    return tuple(value)
