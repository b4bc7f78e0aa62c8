"""`toolwright tools history|approve|quarantine|retire|alias|rollback|export|import`."""

from __future__ import annotations

import getpass
from dataclasses import replace
from pathlib import Path

import pytest

from toolwright.cli.testing import FakeWorld, RunCli, tool_info
from toolwright.domain.lifecycle import EventKind, ToolEvent
from toolwright.domain.tool import ToolState

pytestmark = pytest.mark.unit

ME = getpass.getuser()


@pytest.fixture(autouse=True)
def one_tool(world: FakeWorld) -> None:
    """There is one tool, `sort_words@1`."""
    world.services_.tools.append(tool_info())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("approve", "sort_words@1"), ("approve", "sort_words@1", ME, "")),
        (
            ("approve", "sort_words@1", "--actor", "ann", "--reason", "read it"),
            ("approve", "sort_words@1", "ann", "read it"),
        ),
        (("quarantine", "sort_words@1", "--reason", "wrong"), ("quarantine", "sort_words@1", ME, "wrong")),
        (("retire", "sort_words@1", "--reason", "old"), ("retire", "sort_words@1", ME, "old")),
        (("alias", "sort_words", "stable", "1"), ("alias", "sort_words", "stable", 1, 0.0, ME, "")),
        (
            ("alias", "sort_words", "canary", "1", "--share", "0.25", "--actor", "ann"),
            ("alias", "sort_words", "canary", 1, 0.25, "ann", ""),
        ),
        (("alias", "sort_words", "canary", "--remove"), ("alias", "sort_words", "canary", 0, 0.0, ME, "")),
        (("rollback", "sort_words", "--reason", "worse"), ("rollback", "sort_words", ME, "worse")),
    ],
)
def test_commands_say_who_and_why(
    cli: RunCli, world: FakeWorld, arguments: tuple[str, ...], told: tuple[object, ...]
) -> None:
    """What was typed goes to the server, with the user of the program where nobody else is named; one document."""
    ran = cli("tools", *arguments, "--json")

    assert ran.status == 0
    assert world.services_.told == [told]
    assert ran.document.get("reference", ran.document.get("removed", "")).startswith("sort_words@")


@pytest.mark.parametrize(
    "arguments",
    [
        ("quarantine", "sort_words@1"),
        ("retire", "sort_words@1"),
        ("alias", "sort_words", "stable"),
        ("alias", "sort_words", "stable", "1", "--remove"),
        ("alias", "sort_words", "stable", "0"),
        ("alias", "sort_words", "canary", "1", "--share", "1.5"),
        ("import", "/no/such/file"),
        ("import", "/"),
    ],
)
def test_bad_usage_is_status_2(cli: RunCli, world: FakeWorld, arguments: tuple[str, ...]) -> None:
    """Nothing is sent."""
    assert cli("tools", *arguments).status == 2
    assert world.services_.told == []


@pytest.mark.parametrize("command", ["quarantine", "retire"])
def test_what_stops_with_a_version_is_named(cli: RunCli, world: FakeWorld, command: str) -> None:
    """Whoever holds a version back reads which versions are made from it, and so are not run any more either."""
    told = cli("tools", command, "sort_words@1", "--reason", "wrong")
    assert "part of uses_it@1, uses_it@2: not run while this version is not active" in told.out
    document = cli("tools", command, "sort_words@1", "--reason", "wrong", "--json").document
    assert document["dependants"] == ["uses_it@1", "uses_it@2"]


def test_history_shows_who_what_why_and_when(cli: RunCli, world: FakeWorld) -> None:
    """For people a table, in which nothing acts on a terminal; for programs all fields."""
    digest = "sha256:" + "0" * 64
    world.services_.events += [
        ToolEvent(0.0, "sort_words", 1, digest, EventKind.ADMITTED, "maker:m", "", ToolState.DRAFT, ToolState.ACTIVE),
        ToolEvent(60.0, "sort_words", 1, digest, EventKind.ALIAS, "\x1b[31mred", "a\nb", alias="stable", from_number=2),
        ToolEvent(90.0, "sort_words", 0, "", EventKind.ALIAS, "ann", "", alias="stable", from_number=1),
    ]

    shown = cli("tools", "history", "sort_words")
    assert shown.status == 0
    for text in ("1970-01-01", "draft → active", "maker:m", "@stable is 1", "(before: 2)", "@stable is removed"):
        assert text in shown.out
    assert "\x1b[31m" not in shown.out

    events = cli("tools", "history", "sort_words", "--json").document["events"]
    assert [event["kind"] for event in events] == ["admitted", "alias", "alias"]
    assert (events[0]["from_state"], events[0]["to_state"], events[1]["actor"]) == ("draft", "active", "\x1b[31mred")
    assert cli("tools", "history", "nothing", "--json").document == {"events": []}


def test_export_writes_a_new_file(cli: RunCli, world: FakeWorld, tmp_path: Path) -> None:
    """The bytes as they came, the key for the other side; a file that is there is left alone."""
    path = tmp_path / "sort.tool.json"

    ran = cli("tools", "export", "sort_words", "-o", str(path), "--json")
    assert (ran.status, path.read_bytes()) == (0, b"a file")
    assert (ran.document["file"], ran.document["public_key"]) == (str(path), "ed25519:key")
    path.write_bytes(b"mine")
    assert cli("tools", "export", "sort_words", "-o", str(path)).status == 2
    assert path.read_bytes() == b"mine"


def test_import_sends_the_file_and_the_keys(cli: RunCli, world: FakeWorld, tmp_path: Path) -> None:
    """Each --trust-key counts; whether the tool came out the same is told."""
    path = tmp_path / "x.tool.json"
    path.write_bytes(b"\xff bytes")

    ran = cli("tools", "import", str(path), "--trust-key", "ed25519:a", "--trust-key", "ed25519:b", "--json")

    assert ran.status == 0
    assert world.services_.told == [("import", b"\xff bytes", ("ed25519:a", "ed25519:b"), ME)]
    assert ran.document["same_digest"] is True


def test_show_names_aliases(cli: RunCli, world: FakeWorld) -> None:
    """A version says which aliases point at it, and with what share."""
    world.services_.tools[:] = [replace(tool_info(), aliases={"canary": 0.25, "stable": 0.0})]

    assert "canary (25% of the calls), stable" in cli("tools", "show", "sort_words").out
    assert cli("tools", "show", "sort_words", "--json").document["aliases"] == {"canary": 0.25, "stable": 0.0}
