"""Pytest plugin: writes down what came of every attack case, for the published matrix (`make attack-matrix`)."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from toolwright.attacks.matrix import versions
from toolwright.attacks.run import Result
from toolwright.errors import EngineUnavailable
from toolwright.images.catalog import find_image
from toolwright.sandbox.engine import find_engine

RESULT: Final = pytest.StashKey[Result]()
"""What a case of the catalog came to; set by the test that fires it."""
_FOUND: Final = pytest.StashKey[list[dict[str, Any]]]()
_BEGUN: Final = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that asks for the file."""
    parser.addoption("--attack-results", type=Path, help="write what came of each attack case into this JSON file")


def pytest_configure(config: pytest.Config) -> None:
    """Begin with nothing found."""
    config.stash[_FOUND] = []
    config.stash[_BEGUN] = datetime.now(UTC).isoformat(timespec="seconds")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Write down a marked test once: its call, or the set-up that kept it from running."""
    report = yield
    marker = item.get_closest_marker("case")
    if marker is None or (report.when != "call" and report.passed) or report.when == "teardown":
        return report
    result = item.stash.get(RESULT, None)
    item.config.stash[_FOUND].append(
        {
            "ids": list(marker.args),
            "test": item.nodeid,
            "title": result.title if result else _first_line(item),
            "runtime": result.runtime if result else "",
            "verdict": result.verdict
            if result
            else {"passed": "PASS", "skipped": "SKIPPED"}.get(report.outcome, "FAIL"),
            "control": result.control if result else "",
            "detail": result.detail if result else "" if report.passed else _why(report),
            "differs": result.differs if result else "",
        }
    )
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the file."""
    path: Path | None = session.config.getoption("--attack-results")
    if path:
        found = {"date": session.config.stash[_BEGUN], **_machine(), "tests": session.config.stash[_FOUND]}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _machine() -> dict[str, Any]:
    """Return what was attacked; without an engine nothing was."""
    try:
        engine = find_engine()
    except EngineUnavailable:
        return {"image": "", "versions": {}}
    with closing(engine.client):
        return {"image": find_image(engine.client).image_id, "versions": dict(versions(engine))}


def _first_line(item: pytest.Item) -> str:
    documented = getattr(item, "obj", None)
    return (getattr(documented, "__doc__", None) or item.name).strip().splitlines()[0]


def _why(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):  # of a skip: file, line, reason
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return report.longreprtext.strip().splitlines()[-1] if report.longreprtext else ""
