"""`toolwright doctor --attacks`: what it fires, shows and writes."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from toolwright.attacks.run import Result, Verdict
from toolwright.cli.testing import FakeWorld, RunCli, attack_report

pytestmark = pytest.mark.unit

_HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e'\"&{{ 7 * 7 }}"
_FAILED = Result("RX-01", "Forks without end", "runc", Verdict.FAIL, Verdict.PASS, 1.0, f"result is {_HOSTILE}")


class _Tags(HTMLParser):
    """Collects what a browser would make of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_all_held(cli: RunCli) -> None:
    """Where no attack gets through the status is 0, and counts and scores are shown."""
    ran = cli("doctor", "--attacks", "--seed", "7")

    assert ran.status == 0
    assert "No attack got through: 1 of 149 cases, 0 times not proven, seed 7" in ran.out
    assert "toolwright, runc: 29 of 29" in ran.out
    assert "docker run: 0 of 29; not in force: memory, processes" in ran.out


def test_an_attack_that_gets_through(cli: RunCli, world: FakeWorld) -> None:
    """A failure is told as it happens, with nothing in it that acts on a terminal, and the status is 3."""
    world.report_ = attack_report(_FAILED)

    ran = cli("doctor", "--attacks")

    assert ran.status == 3
    assert "FAIL RX-01 under runc: result is <script>alert(1)</script>\\x1b[31m\\u202e" in ran.err
    assert "\x1b[31m" not in ran.err + ran.out
    assert "NOT all attacks were held" in ran.out


def test_report_files(cli: RunCli, world: FakeWorld, tmp_path: Path) -> None:
    """The page shows what a tool said as text: no tag, no control character and no template of it takes effect."""
    world.report_ = attack_report(_FAILED)

    cli("doctor", "--attacks", "--report", tmp_path / "new")

    page = (tmp_path / "new" / "attacks.html").read_text(encoding="utf-8")
    seen = _Tags()
    seen.feed(page)
    assert not {"script", "img", "a", "link", "iframe"} & seen.tags
    assert "<script>alert(1)</script>\\x1b[31m\\u202e'\"&{{ 7 * 7 }}" in seen.text
    assert not {"\x1b", "\u202e"} & set(page)
    document = json.loads((tmp_path / "new" / "attacks.json").read_text(encoding="ascii"))
    assert document["counts"] == {"runc": {"PASS": 1, "FAIL": 1, "SKIPPED": 0, "KNOWN": 0}}
    assert document["passed"] is False
    assert [one["held"] for one in document["scores"]] == [29, 0]


def test_where_no_server_would_serve(cli: RunCli, world: FakeWorld) -> None:
    """Cases may hold where the start-up check does not: that is said, and is no success."""
    world.report_ = replace(attack_report(), refusals={"runc": "layers are not in force: memory"})

    ran = cli("doctor", "--attacks")

    assert ran.status == 3
    assert "Under runc a server runs no tool here: layers are not in force: memory" in ran.out


def test_json(cli: RunCli) -> None:
    """With --json stdout is the report, one document."""
    document = json.loads(cli("doctor", "--attacks", "--json").out)

    assert document["results"][0]["id"] == "ES-01"
    assert document["passed"] is True


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("--attacks", "--case", "RX-999"), "RX-999"),
        (("--attacks", "--report", "/proc/nowhere"), "/proc/nowhere"),
        (("--case", "RX-01"), "--attacks"),
        (("--seed", "1"), "--attacks"),
    ],
)
def test_bad_use(cli: RunCli, flags: tuple[str, ...], named: str) -> None:
    """What makes no sense is refused by name, before anything is fired."""
    ran = cli("doctor", *flags)

    assert ran.status == 2
    assert named in ran.err


def test_nothing_fired_is_no_success(cli: RunCli, world: FakeWorld) -> None:
    """A run in which nothing was proven is not called good."""
    skipped = Result("RX-01", "Forks", "runc", Verdict.SKIPPED, Verdict.SKIPPED, 0.1, "NOT PROVEN: no engine")
    world.report_ = attack_report()
    world.report_ = type(world.report_)(
        world.report_.date, world.report_.versions, world.report_.image, 1, 149, (skipped,)
    )

    assert cli("doctor", "--attacks").status == 3
