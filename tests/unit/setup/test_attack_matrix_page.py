"""The published attack matrix names what the catalog has: it was not forgotten when a case was added."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from toolwright.attacks.catalog import all_cases

pytestmark = pytest.mark.unit

_PAGE = (Path(__file__).resolve().parents[3] / "docs" / "attack-matrix.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| ([A-Z]{2}-\d\d) \| .* \| ([A-Z]*) \| ([A-Z]*) \| ([A-Z]*) \|$", re.MULTILINE)
_FIRED = {case: (host, control, gvisor) for case, host, control, gvisor in _ROW.findall(_PAGE) if host and gvisor}


def test_every_case_of_the_catalog_is_published() -> None:
    """`make attack-matrix` has been run since the last case was written."""
    assert {case.id for case in all_cases()} - set(_FIRED) == set()


def test_every_case_passed_under_the_hosts_kernel_with_its_control() -> None:
    """Under runc nothing is left unproven."""
    wrong = {case: verdicts for case, verdicts in _FIRED.items() if verdicts[:2] != ("PASS", "PASS")}

    assert wrong == {}


def test_what_is_not_proven_is_listed() -> None:
    """A case that did not pass somewhere stands under "Not proven" with its reason."""
    listed = _PAGE.partition("## Not proven")[2].partition("\n## ")[0]

    assert [
        case for case, verdicts in _FIRED.items() if verdicts[2] != "PASS" and f"- {case} under runsc" not in listed
    ] == []
