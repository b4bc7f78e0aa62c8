"""The agent is standard library only: the image holds nothing else, and an auditor reads nothing else."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

AGENT = Path(__file__).resolve().parents[3] / "sandbox_images" / "agent" / "toolwright_agent"


def top_level_imports(source: str) -> set[str]:
    """Return the first part of every imported name; a relative import counts as our own package."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("toolwright_agent" if node.level else str(node.module).split(".")[0])
    return names


@pytest.mark.unit
def test_the_agent_imports_the_standard_library_alone() -> None:
    """No module of the agent imports anything but the standard library and the agent."""
    modules = sorted(AGENT.rglob("*.py"))
    found = {path.name: top_level_imports(path.read_text(encoding="utf-8")) for path in modules}

    foreign = {name: names - set(sys.stdlib_module_names) - {"toolwright_agent"} for name, names in found.items()}

    assert modules, "the agent is not where this test looks for it"
    assert {name: names for name, names in foreign.items() if names} == {}


@pytest.mark.unit
def test_a_foreign_import_would_be_seen() -> None:
    """The check above is able to fail."""
    seeded = "import json\nfrom toolwright.errors import NotFound\nimport numpy.linalg as la\n"

    assert top_level_imports(seeded) - set(sys.stdlib_module_names) == {"toolwright", "numpy"}
