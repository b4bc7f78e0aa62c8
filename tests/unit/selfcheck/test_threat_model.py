"""The threat model names what is tested, and tests name what it names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from toolwright.attacks.catalog import all_cases

pytestmark = pytest.mark.unit

_ROOT = Path(__file__).resolve().parents[3]
_MODEL = (_ROOT / "sandbox_images" / "THREAT_MODEL.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| (T-[A-Z]+-\d\d) \| .+ \| .+ \| (S[1-4]) \| (.*) \|$", re.MULTILINE)
_CASE = re.compile(r"\b(?:RX|ES|PR|XL|CO|VR|AP|FT|IM)-\d\d\b")
_ROWS = {found[0]: (found[1], frozenset(_CASE.findall(found[2]))) for found in _ROW.findall(_MODEL)}


@cache
def _marked(marker: str) -> frozenset[str]:
    """Return what all tests give to a marker."""
    return frozenset(
        argument.value
        for path in (_ROOT / "tests").rglob("test_*.py")
        for call in _calls(path, marker)
        for argument in call.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    )


def _calls(path: Path, marker: str) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == marker:
            yield node


def _named_by_tests() -> frozenset[str]:
    return _marked("threat") | {threat for case in all_cases() for threat in case.threats}


def _tested_cases() -> frozenset[str]:
    return _marked("case") | {case.id for case in all_cases()}


def test_every_threat_is_named_by_a_test() -> None:
    """A threat without a test is a wish."""
    assert len(_ROWS) > 20
    assert set(_ROWS) - _named_by_tests() == set()


def test_no_test_names_a_threat_that_is_not_there() -> None:
    """A threat that a test is about has a row."""
    assert _named_by_tests() - set(_ROWS) == set()


def test_every_row_names_cases_that_are_tested() -> None:
    """Each row names at least one case, and each case that it names has a test."""
    assert [threat for threat, (_, cases) in _ROWS.items() if not cases] == []
    assert {case for _, cases in _ROWS.values() for case in cases} - _tested_cases() == set()


def test_rows_and_catalog_agree() -> None:
    """A case of the catalog stands in the row of each threat that it is about."""
    missing = [
        f"{case.id} in {threat}" for case in all_cases() for threat in case.threats if case.id not in _ROWS[threat][1]
    ]

    assert missing == []


def test_every_tested_case_stands_in_the_model() -> None:
    """No case is fired for no reason."""
    assert _tested_cases() - {case for _, cases in _ROWS.values() for case in cases} == set()
