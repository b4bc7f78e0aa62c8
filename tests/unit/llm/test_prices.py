"""The price list and the file over it."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolwright.errors import InvalidInput
from toolwright.llm.offline import MODEL_NAMES
from toolwright.llm.prices import load_prices


def test_cost_is_tokens_times_price() -> None:
    """Prices are for a million tokens."""
    assert load_prices().cost("gpt-4o", 1_000_000, 100_000) == pytest.approx(2.50 + 1.00)


def test_unknown_model_costs_nothing_and_says_so() -> None:
    """No guess is made, and a figure of 0 can be told from a real one."""
    price = load_prices().of("llama-at-home")

    assert not price.known
    assert price.cost(10**6, 10**6) == 0


@pytest.mark.parametrize("name", ["gpt-4o-2024-08-06", "gpt-4o-20240806"])
def test_dated_name_has_the_price_of_the_name(name: str) -> None:
    """Endpoints may name a model by the day it was made."""
    assert load_prices().of(name) == load_prices().of("gpt-4o")


def test_every_price_has_its_date() -> None:
    """A figure without its date cannot be judged."""
    assert all(price.as_of for price in load_prices().models.values())


def test_offline_prices_are_illustrative_with_the_ratio_of_the_paper() -> None:
    """One strong call costs at least 15 light ones, whatever its share of sent and received tokens."""
    prices = load_prices()
    assert all(prices.of(name).illustrative for name in MODEL_NAMES)
    for strong in ("offline-maker", "offline-strong"):
        for light in ("offline-user", "offline-dispatcher"):
            assert prices.cost(strong, 1000, 0) >= 15 * prices.cost(light, 1000, 0)
            assert prices.cost(strong, 1000, 1) > 15 * prices.cost(light, 1000, 1)


def test_own_file_replaces_and_adds(tmp_path: Path) -> None:
    """A file names only what differs; what it does not name stays."""
    file = tmp_path / "prices.toml"
    file.write_text('[models."gpt-4o"]\ninput = 1.0\noutput = 2\n[models.mine]\ninput = 3\noutput = 4\n')

    prices = load_prices(file)

    assert prices.cost("gpt-4o", 10**6, 10**6) == pytest.approx(3.0)
    assert prices.cost("mine", 10**6, 10**6) == pytest.approx(7.0)
    assert prices.of("gpt-4o-mini").known


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not toml", "no TOML"),
        ("", "models: Field required"),
        ("[models.a]\ninput = 1\n", "models.a.output: Field required"),
        ("[models.a]\ninput = -1\noutput = 1\n", "models.a.input"),
        ("[models.a]\ninput = nan\noutput = 1\n", "models.a.input"),
        ('[models.a]\ninput = "1"\noutput = 1\n', "models.a.input"),
        ("[models.a]\ninput = 1\noutput = 1\noutptu = 1\n", "models.a.outptu"),
        ('[models.a]\ninput = 1\noutput = 1\nas_of = "yesterday"\n', "models.a.as_of"),
    ],
)
def test_broken_file_is_refused_by_its_field(tmp_path: Path, text: str, words: str) -> None:
    """The message names the file, the entry and what is wrong."""
    file = tmp_path / "prices.toml"
    file.write_text(text)

    with pytest.raises(InvalidInput, match="prices_file") as caught:
        load_prices(file)

    assert str(file) in str(caught.value)
    assert words in str(caught.value)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    """A name that is mistyped is not passed over."""
    with pytest.raises(InvalidInput, match="cannot be read"):
        load_prices(tmp_path / "none.toml")
