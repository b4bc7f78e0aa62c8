"""`toolwright costs`, with a real ledger in memory."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from toolwright.cli.testing import FakeWorld, RunCli
from toolwright.domain.cost_report import HitRates
from toolwright.domain.ledger import CostFilter, CostKey
from toolwright.domain.record import Role
from toolwright.llm.prices import Price, PriceList
from toolwright.registry.testing import sample_use

pytestmark = pytest.mark.unit

PRICES = PriceList(
    {
        "large": Price(30.0, 60.0, as_of="2026-03"),
        "small": Price(2.0, 4.0, as_of="2024-06"),
        "offline-user": Price(2.0, 2.0, as_of="2023-05", illustrative=True),
    }
)


@pytest.fixture
def ledger(world: FakeWorld) -> FakeWorld:
    """A world in which one tool was made and used, another one only made, and one model has no price."""
    world.services_.prices = PRICES
    add = world.services_.store.ledger.add
    for task, usd in (("add", 0.4), ("add", 0.19), ("sub", 0.1)):
        add(sample_use(Role.MAKER, model="large", purpose="making", task=task, cost_usd=usd, at=1.0))
    for number in range(30):
        question = {"request_id": f"r{number}", "at": 2.0 + number}
        add(sample_use(Role.DISPATCHER, task="", cost_usd=0.001, **question))
        add(sample_use(Role.USER, tool="add@1", cost_usd=0.004, **question))
    for number in range(5):
        add(sample_use(Role.STRONG, model="large", request_id=f"s{number}", cost_usd=0.03, at=1.5))
    add(sample_use(Role.USER, model="home\x1b[2J", task="sub", tool="sub@1", cost_usd=0.0, priced=False, at=50.0))
    return world


TABLES = """\
role        task  calls  tokens sent  received     cost  tokens without a price
maker       add       2          200        20    $0.59
strong      add       5          500        50    $0.15
user        add      30        3,000       300    $0.12
maker       sub       1          100        10     $0.1
dispatcher  add      30        3,000       300    $0.03
user        sub       1          100        10     ≥ $0                     110
total                69        6,900       690  ≥ $0.99                     110

task  making  questions  each with the tool  each by the strong model  pays off at  saved  paid off
add    $0.59         30              $0.005                     $0.03           24  $0.16  yes
sub   ≥ $0.1          1                ≥ $0                         –            –      –  ?
sub: not known: no price is known for 1 of its exchanges with models.
--baseline-usd USD sets by hand what the strong model takes for a question.
"""


def test_people_see_sums_accounts_curve_and_prices(cli: RunCli, ledger: FakeWorld) -> None:
    """The very text, up to the curve; below it hit rates and prices with their dates, and what is off with them."""
    ledger.services_.hit_rates = HitRates(40, 30, 50, 5)
    ran = cli("costs")
    assert ran.status == 0
    assert ran.out.startswith(TABLES)
    below = ran.out.removeprefix(TABLES)
    assert {"━", "·", "◆"} <= set(below)
    assert "The curve is too low: not all that was asked has a price." in below
    assert "leaves out questions of kinds (1, $0.1) for which" in below
    assert "An existing tool answered 30 of 40 questions (75.0 %); 5 of 50 calls were answered" in below
    assert "Prices: large (as of 2026-03), small (as of 2024-06)." in below
    assert "Noted long ago, look them up anew: small." in below
    assert "No price is known of: home\\x1b[2J." in below
    assert "\x1b" not in ran.out + ran.err


def test_programs_get_one_document(cli: RunCli, ledger: FakeWorld) -> None:
    """All figures, exact, with their keys by name."""
    document = cli("costs", "--by", "tool", "--by", "role", "--json").document
    assert document["by"] == ["tool", "role"]
    assert document["rows"][-1] == {
        "tool": "sub@1",
        "role": "user",
        "calls": 1,
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "cost_usd": 0.0,
        "seconds": 0.25,
        "unpriced_calls": 1,
        "unpriced_tokens": 110,
    }
    assert (document["total"]["calls"], document["total"]["cost_usd"]) == (69, 0.99)
    add, sub = document["break_even"]
    assert (add["task"], add["break_even_questions"], add["paid_off"], add["assumed"]) == ("add", 24, True, False)
    assert (sub["break_even_questions"], sub["paid_off"]) == (None, None)
    # The strong model answered five questions itself before the tool was used: both lines have those.
    assert document["curve"]["break_even_questions"] == 29
    last = document["curve"]["points"][-1]
    assert (last["questions"], last["with_tools_usd"], last["strong_usd"]) == (35, 0.89, 1.05)
    assert (document["hit_rates"], document["picture"], document["model_note"]) == (None, None, "")
    assert [price["outdated"] for price in document["prices"]] == [False, False, True]


def test_the_filters_are_asked_of_the_server(cli: RunCli, ledger: FakeWorld) -> None:
    """Dates are UTC unless they say otherwise; a key that is named twice counts once."""
    ran = cli(
        *("costs", "--since", "1970-01-02", "--until", "1970-01-02T02:00+01:00", "--task", "t", "--tool", "u@1"),
        *("--tenant", "v", "--by", "model", "--by", "model", "--points", "7", "--baseline-usd", "0.5"),
    )
    asked = ledger.services_.cost_question
    assert ran.status == 0
    assert asked is not None
    assert asked.within == CostFilter(86_400.0, 86_400.0 + 3_600.0, "t", "u@1", "v")
    assert (asked.by, asked.points, asked.baseline_usd) == ((CostKey.MODEL,), 7, 0.5)
    assert "Nothing in the ledger" in ran.out


def test_an_assumed_baseline_is_marked(cli: RunCli, world: FakeWorld) -> None:
    """In the table; without it the reason is given, and what to do."""
    world.services_.store.ledger.add(sample_use(Role.MAKER, purpose="making", cost_usd=0.5, at=1.0))
    world.services_.store.ledger.add(sample_use(request_id="r", cost_usd=0.1, at=2.0))
    without = cli("costs").out
    assert "add: not measured: no question of this kind was answered by the strong model." in without
    assert "--baseline-usd USD" in without
    assert "━" not in without
    given = cli("costs", "--baseline-usd", "0.2").out
    assert "$0.2 (assumed)" in given
    assert "not yet" in given
    assert "the same beyond the 1 questions asked" in given


def test_the_picture_is_written(cli: RunCli, ledger: FakeWorld, tmp_path: Path) -> None:
    """Sound XML; what was is drawn solid, what goes on so is dotted."""
    picture = tmp_path / "costs.svg"
    ran = cli("costs", "--task", "add", "--svg", picture)
    assert str(picture) in ran.out
    root = ET.parse(picture).getroot()  # noqa: S314 - ours
    lines = list(root.iter("{http://www.w3.org/2000/svg}polyline"))
    assert [bool(line.get("stroke-dasharray")) for line in lines] == [False, False, True, True]
    texts = " ".join("".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text"))
    assert "1 tool made once" in texts
    assert "solid: the 35 questions asked" in texts
    assert "its measured mean" in texts


def test_no_picture_without_a_curve(cli: RunCli, world: FakeWorld, tmp_path: Path) -> None:
    """Nothing is drawn of nothing, and it is said."""
    ran = cli("costs", "--svg", tmp_path / "none.svg", "--json")
    assert (ran.status, ran.document["picture"]) == (0, None)
    assert "No picture was written" in ran.err
    assert not (tmp_path / "none.svg").exists()


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (["--since", "yesterday"], "--since"),
        (["--until", "2026-13-01"], "--until"),
        (["--svg", "/none/at/all/x.svg"], "--svg"),
        (["--baseline-usd", "-1"], "baseline_usd"),
        (["--baseline-usd", "nan"], "baseline_usd"),
    ],
)
def test_bad_flags_are_status_2(cli: RunCli, world: FakeWorld, arguments: list[str], field: str) -> None:
    """Named, before anything is asked."""
    ran = cli("costs", *arguments, "--json")
    assert (ran.status, ran.document["error"]["field"], world.options) == (2, field, None)


def test_an_unknown_key_is_status_2(cli: RunCli, world: FakeWorld) -> None:
    """With those that there are."""
    ran = cli("costs", "--by", "colour", "--json")
    assert (ran.status, ran.document["error"]["reason"]) == (2, "USAGE")
    assert "tenant" in ran.document["error"]["message"]


def test_the_offline_model_is_said_to_be_one(cli: RunCli, world: FakeWorld) -> None:
    """Wherever its figures appear; its prices are marked, and never called outdated."""
    world.services_.store.ledger.add(sample_use(model="offline-user"))
    ran = cli("costs")
    assert "offline-user (illustrative, as of 2023-05)" in ran.out
    assert "not about any model" in ran.out
    assert "Noted long ago" not in ran.out
    assert "not about any model" in cli("costs", "--json").document["model_note"]
