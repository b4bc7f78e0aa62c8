"""Counting exchanges."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from toolwright.domain.record import ModelUse, Role, TokenUse
from toolwright.errors import ModelUnavailable
from toolwright.llm.base import Message, Reply
from toolwright.llm.ledger import LedgerModel, Meter, new_request_id
from toolwright.llm.prices import Price, PriceList
from toolwright.llm.testing import ScriptedModel

PRICES = PriceList({"scripted": Price(1.0, 10.0)})
ASK = [Message("user", "?")]


def reply(prompt_tokens: int, completion_tokens: int) -> Reply:
    """A reply that took this many tokens, from an endpoint that names the model otherwise."""
    return Reply("x", (), "scripted-2026-01-01-build7", prompt_tokens, completion_tokens)


def test_each_exchange_is_told_with_its_cost() -> None:
    """Role, purpose, task, tokens, cost and time are there; the reply is passed on as it is."""
    meter, before = Meter(), time.time()
    base = ScriptedModel(reply(1000, 100))
    model = LedgerModel(base, Role.MAKER, "making", PRICES, meter.record)

    got = model.complete(ASK, task="word_sorting")

    (use,) = meter.uses()
    assert got == reply(1000, 100)
    assert (use.role, use.purpose, use.task) == (Role.MAKER, "making", "word_sorting")
    assert (use.model, use.prompt_tokens, use.completion_tokens) == ("scripted", 1000, 100)
    assert use.cost_usd == pytest.approx(0.002)
    assert 0 <= use.seconds < 1
    assert before <= use.at <= time.time()


def test_failed_exchange_is_not_counted() -> None:
    """The fault goes on to the caller."""
    meter = Meter()
    model = LedgerModel(ScriptedModel(ModelUnavailable("down")), Role.USER, "using", PRICES, meter.record)

    with pytest.raises(ModelUnavailable):
        model.complete(ASK)

    assert meter.uses() == ()


def test_meter_sums_by_role_and_model() -> None:
    """Sums are in the order of first use."""
    meter = Meter()
    base = ScriptedModel(reply(1, 2), reply(10, 20), reply(100, 200))
    dispatcher, user = (LedgerModel(base, role, "using", PRICES, meter.record) for role in (Role.DISPATCHER, Role.USER))

    for model in (dispatcher, user, user):
        model.complete(ASK)

    first, second = meter.tokens()
    assert first == TokenUse(Role.DISPATCHER, "scripted", 1, 1, 2, first.cost_usd)
    assert second == TokenUse(Role.USER, "scripted", 2, 110, 220, second.cost_usd)
    assert first.cost_usd == pytest.approx(21e-6)
    assert second.cost_usd == pytest.approx(2310e-6)


def test_meter_tells_on() -> None:
    """What a request counts can be kept as well."""
    kept: list[ModelUse] = []
    meter = Meter(forward=kept.append)

    LedgerModel(ScriptedModel("x"), Role.USER, "using", PRICES, meter.record).complete(ASK)

    assert tuple(kept) == meter.uses()


def test_a_meter_says_whose_request_and_which_question_it_is() -> None:
    """Once: what was said of an exchange before stays."""
    outer, kept = Meter(tenant="acme", request_id="outer"), Meter()
    inner = Meter(forward=outer.record, request_id="inner")
    outer_only = Meter(forward=kept.record, tenant="acme")

    LedgerModel(ScriptedModel("x"), Role.USER, "using", PRICES, inner.record, tool="add@1").complete(ASK)
    LedgerModel(ScriptedModel("x"), Role.USER, "using", PRICES, outer_only.record).complete(ASK)

    (use,) = outer.uses()
    assert (use.tenant, use.request_id, use.tool) == ("acme", "inner", "add@1")
    (other,) = kept.uses()
    assert (other.tenant, other.request_id, other.tool) == ("acme", "", "")


def test_an_exchange_that_says_no_task_has_that_of_its_model() -> None:
    """Whoever asks need not know what it is counted for."""
    meter = Meter()
    model = LedgerModel(ScriptedModel("x", "y"), Role.STRONG, "using", PRICES, meter.record, task="group-7")
    model.complete(ASK)
    model.complete(ASK, task="add")
    assert [use.task for use in meter.uses()] == ["group-7", "add"]


def test_ids_of_requests_differ() -> None:
    """Else two questions would count as one."""
    assert len({new_request_id() for _ in range(100)}) == 100


@pytest.mark.parametrize(("name", "priced"), [("scripted", True), ("mystery", False)])
def test_a_model_without_a_price_is_no_free_one(name: str, *, priced: bool) -> None:
    """The ledger can tell it from one that costs nothing."""
    meter = Meter()
    LedgerModel(ScriptedModel(reply(10, 10), name=name), Role.USER, "using", PRICES, meter.record).complete(ASK)
    (use,) = meter.uses()
    assert (use.priced, use.cost_usd > 0) == (priced, priced)


def test_requests_at_the_same_time_keep_their_own_sums() -> None:
    """One shared model, a meter each: nothing is counted for another."""
    base = ScriptedModel(*["x"] * 200)

    def one_request(count: int) -> int:
        meter = Meter()
        model = LedgerModel(base, Role.USER, "using", PRICES, meter.record)
        for _ in range(count):
            model.complete(ASK)
        return sum(use.calls for use in meter.tokens())

    with ThreadPoolExecutor(8) as threads:
        counts = list(threads.map(one_request, range(19)))

    assert counts == list(range(19))


def test_ledger_has_the_name_of_its_model() -> None:
    """To all others it is the model."""
    assert LedgerModel(ScriptedModel(name="abc"), Role.USER, "using", PRICES, Meter().record).name == "abc"
