"""Inputs that fuzzing found worth keeping, faults that it found among them: each goes through its target again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzz import agent_frames, json_rules, requests, streams

pytestmark = pytest.mark.unit

CORPUS = Path(__file__).parent / "corpus"
TARGETS: dict[str, Callable[[bytes], None]] = {
    "agent_frames": agent_frames.check,
    "json_rules": json_rules.check,
    "requests": requests.check,
    "streams": streams.check,
}


@pytest.mark.case("PR-42", "AP-22")
@pytest.mark.parametrize("name", TARGETS)
def test_what_was_found_stays_right(name: str) -> None:
    """PR-42, AP-22: every kept input ends as its target says that it may."""
    files = sorted((CORPUS / name).iterdir())

    for file in files:
        try:
            TARGETS[name](file.read_bytes())
        except BaseException as fault:
            fault.add_note(f"input: {file}")
            raise
    assert len(files) > 10


def test_the_corpus_is_small_and_has_targets() -> None:
    """All of it is below a megabyte, and each part of it is replayed."""
    files = [file for file in CORPUS.rglob("*") if file.is_file()]

    assert sum(file.stat().st_size for file in files) < 1 << 20
    assert {file.relative_to(CORPUS).parts[0] for file in files} == set(TARGETS)
