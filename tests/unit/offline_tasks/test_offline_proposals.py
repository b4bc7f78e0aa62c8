"""The maker's scripted replies have the form that a maker's reply must have."""

from __future__ import annotations

import re

import pytest

from toolwright.domain.source import ToolSource
from toolwright.llm.offline.tasks import TASKS, TaskScript
from toolwright.llm.offline.tasks.base import FUNCTION_PLACEHOLDER

_FENCED = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_EVERY = pytest.mark.parametrize("script", TASKS, ids=lambda script: str(script.kind))


@_EVERY
def test_each_reply_holds_one_block_and_prose(script: TaskScript) -> None:
    """A reply is prose around one fenced block that defines the wanted function."""
    for attempt in range(len(script.proposals)):
        reply = script.proposal(attempt, "wanted_name")
        blocks = _FENCED.findall(reply)

        assert len(blocks) == 1
        assert reply.count("```") == 2
        assert not reply.startswith("```")
        assert FUNCTION_PLACEHOLDER not in reply
        assert re.findall(r"^def (\w+)\(", blocks[0], re.MULTILINE) == ["wanted_name"]
        assert ToolSource(blocks[0], "wanted_name").digest


@_EVERY
def test_all_attempts_take_the_same_arguments(script: TaskScript) -> None:
    """A wrong proposal is wrong in what it does; its signature already fits the reader."""
    signatures = {re.search(r"^def .*?:$", reply, re.MULTILINE)[0] for reply in script.proposals}  # type: ignore[index]

    assert len(signatures) == 1


@_EVERY
def test_the_last_reply_is_repeated(script: TaskScript) -> None:
    """Beyond the script the maker stays with its last proposal."""
    last = len(script.proposals) - 1

    assert script.proposal(last + 5, "f") == script.proposal(last, "f")


def test_three_kinds_start_with_a_wrong_proposal() -> None:
    """The loop has something to catch: three first proposals are replaced, three are kept."""
    replaced = {script.kind for script in TASKS if len(script.proposals) > 1}

    assert replaced == {"dyck_languages", "schedule_meeting", "word_sorting"}
    assert len(TASKS) == 6
