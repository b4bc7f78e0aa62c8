"""`toolwright report`, `tools verify` and `--no-cache`."""

from __future__ import annotations

import getpass
import json

import pytest

from toolwright.cli.testing import FakeWorld, RunCli, tool_info

pytestmark = pytest.mark.unit


def test_reporting(cli: RunCli, world: FakeWorld) -> None:
    """What is said arrives with the user's name; the same again is told apart."""
    ran = cli("report", "e-1", "--wrong", "--answer", "a b", "--json")
    assert (ran.status, ran.document["recorded"], ran.document["correct"]) == (0, True, False)
    assert world.services_.reported == [("e-1", False, "a b")]
    assert world.services_.actors == [getpass.getuser()]
    assert "nothing has changed" in cli("report", "e-1", "--wrong", "--answer", "a b").out


def test_a_report_says_right_or_wrong(cli: RunCli, world: FakeWorld) -> None:
    """There is no default for it."""
    assert cli("report", "e-1").status == 2
    assert world.services_.reported == []
    assert cli("report", "e-1", "--right").status == 0


def test_verifying_named_tools_and_all(cli: RunCli, world: FakeWorld) -> None:
    """A document a line; exit status 1 if one failed."""
    world.services_.tools = [tool_info("sort_words"), tool_info("add")]
    ran = cli("tools", "verify", "--all", "--json")
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert ran.status == 0
    assert [(line["verified"], line["passed"]) for line in lines] == [("sort_words@1", True), ("add@1", True)]

    world.services_.verify_fails = "a held-out example is wrong"
    ran = cli("tools", "verify", "add")
    assert ran.status == 1
    assert "add: failed" in ran.out
    assert "a held-out example is wrong" in ran.out


@pytest.mark.parametrize("arguments", [(), ("--all", "add")])
def test_verifying_takes_names_or_all(cli: RunCli, arguments: tuple[str, ...]) -> None:
    """Neither and both are bad usage."""
    assert cli("tools", "verify", *arguments).status == 2


def test_known_results_can_be_left_aside(cli: RunCli, world: FakeWorld) -> None:
    """By calls and by questions."""
    cli("call", "sort_words", "--args", '{"words":[]}', "--no-cache")
    cli("call", "sort_words", "--args", '{"words":[]}')
    cli("ask", "Sort: b a", "--no-cache")

    assert world.services_.bypassed == [True, False, True]
