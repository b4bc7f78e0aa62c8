"""docs/benchmarks.md and its picture say what docs/benchmarks.json holds."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

import pytest

from toolwright.bench.plan import Plan
from toolwright.bench.testing import sample_document, spread

pytestmark = pytest.mark.unit

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "benchmark_page.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script, as a module."""
    spec = importlib.util.spec_from_file_location("benchmark_page", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["benchmark_page"] = module
    spec.loader.exec_module(module)
    return module


def test_page_is_what_the_kept_run_says(script: ModuleType) -> None:
    """Nobody writes a figure by hand; `scripts/benchmark_page.py` writes the page anew."""
    document = json.loads(script.KEPT.read_text(encoding="utf-8"))
    assert script.PAGE.read_text(encoding="utf-8") == script.page(document)
    assert script.PICTURE.read_text(encoding="utf-8") == script.picture(document)


def test_page_of_a_whole_run(script: ModuleType) -> None:
    """Each section has its heading; a peer that is not there is told as such."""
    text = script.page(sample_document())
    for heading in ("figures to hold", "warm call, beside", "Calls a second", "Payloads", "gVisor", "Other sandboxes"):
        assert heading in text, heading
    assert "| epicbox | not installed |" in text
    assert "| `toolwright demo`, images built | 60 s | 20 s | 30 s | must reached |" in text


def test_page_of_a_part_says_what_is_missing(script: ModuleType) -> None:
    """With the reason."""
    text = script.page(sample_document(Plan(("kill",), chosen=True)))
    assert "Payloads" not in text
    assert "- payloads (arguments and results from 1 KiB to the limits): not asked for" in text


def test_later_runs_fill_the_gaps(script: ModuleType) -> None:
    """The first run's own sections stay; borrowed ones say so; their figures count."""
    first, second = sample_document(Plan(("warm", "kill"), chosen=True)), sample_document()
    second["sections"]["kill"]["tools"]["nine_processes"]["tree_gone"]["p50"] = 999.0
    merged = script.merged([first, second])
    assert set(merged["borrowed"]) == second["sections"].keys() - {"warm", "kill"}
    assert merged["sections"]["kill"]["tools"]["nine_processes"]["tree_gone"]["p50"] == 5.0
    assert [one["verdict"] for one in merged["figures"] if one["name"] == "demo"] == ["must"]
    assert "From another run" in script.page(merged)


def test_section_of_a_later_run_has_not_failed(script: ModuleType) -> None:
    """The page does not call it "not measured"; one that no run has keeps its reason."""
    first, second = sample_document(Plan(("warm",), chosen=True)), sample_document(Plan(("kill",), chosen=True))
    first["failed"] = {"kill": "it broke", "queue": "it broke too"}
    merged = script.merged([first, second])
    assert merged["failed"] == {"queue": "it broke too"}
    assert "it broke\n" not in script.page(merged)


def test_p99_of_few_is_left_out(script: ModuleType) -> None:
    """Also of a run that was kept when it still had one."""
    document = sample_document()
    document["sections"]["warm"]["subjects"]["docker_exec"] = {**spread(80.0, 30), "p99": 160.0}
    assert "| `docker exec` | 80 | 96 | – | 72 | 30 |" in script.page(document)


def test_picture_is_a_picture(script: ModuleType) -> None:
    """Well-formed, with a bar for each subject and a point for each number of callers."""
    document = sample_document()
    root = ET.fromstring(script.picture(document))  # noqa: S314 - of our own making
    tags = [element.tag.rpartition("}")[2] for element in root.iter()]
    assert tags.count("circle") == len(document["sections"]["rate"]["senders"]["unary"])
    assert tags.count("rect") == 1 + len(document["sections"]["warm"]["subjects"])
