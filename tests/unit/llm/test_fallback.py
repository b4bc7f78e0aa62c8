"""Several endpoints for one role: which is asked, and which is left alone for a while."""

from __future__ import annotations

import pytest

from toolwright.domain.record import ModelUse, Role
from toolwright.errors import (
    ModelContextExceeded,
    ModelError,
    ModelExchangeMissing,
    ModelRefused,
    ModelRejected,
    ModelReplyInvalid,
    ModelUnavailable,
)
from toolwright.llm.base import Message, Reply
from toolwright.llm.breaker import FAILURES, Breaker
from toolwright.llm.fallback import Candidate, FallbackModel
from toolwright.llm.ledger import LedgerModel
from toolwright.llm.prices import Price, PriceList
from toolwright.llm.testing import ScriptedModel

pytestmark = pytest.mark.unit

ASK = [Message("user", "?")]
DOWN = ModelUnavailable("down")


class Time:
    """A clock that is put by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def pair(*first: Reply | Exception | str, clock: Time | None = None) -> tuple[FallbackModel, ScriptedModel]:
    """Return a role of two endpoints, the first of which says `first`, and the first."""
    one, two = ScriptedModel(*first, name="one"), ScriptedModel(*["from two"] * 20, name="two")
    breakers = [Breaker(pause_s=30, clock=clock or Time()) for _ in range(2)]
    candidates = [Candidate(model, breaker) for model, breaker in zip((one, two), breakers, strict=True)]
    return FallbackModel(candidates), one


def test_the_first_answers_while_it_can() -> None:
    """The others are not asked."""
    model, _ = pair("from one")
    assert model.name == "one"
    assert model.complete(ASK).text == "from one"


@pytest.mark.parametrize(
    "fault", [DOWN, ModelReplyInvalid("page"), *(ModelRejected("no", status=s) for s in (401, 402, 403, 404))]
)
def test_the_next_answers_for_what_is_the_endpoints_own(fault: ModelError) -> None:
    """No answer, no completion, a key or model that is not served: another endpoint may do better."""
    model, _ = pair(fault)
    assert model.complete(ASK).text == "from two"


@pytest.mark.parametrize(
    "fault",
    [
        ModelRejected("no", status=400),
        ModelRejected("never asked"),
        ModelContextExceeded("long"),
        ModelRefused("no"),
        ModelExchangeMissing("none"),
    ],
)
def test_the_next_is_not_asked_for_what_is_the_requests_own(fault: ModelError) -> None:
    """The same request would fare no better elsewhere; and nobody shops around for a model that does not refuse."""
    model, one = pair(*[fault] * (FAILURES + 1), "from one")
    for _ in range(FAILURES + 1):
        with pytest.raises(type(fault)):
            model.complete(ASK)
    assert model.complete(ASK).text == "from one"
    assert len(one.asked) == FAILURES + 2


def test_an_endpoint_that_fails_in_a_row_is_left_alone_then_tried_once() -> None:
    """Open for a pause, half open for one request, closed when that is answered."""
    clock = Time()
    model, one = pair(*[DOWN] * FAILURES, DOWN, "back", "back", clock=clock)
    for _ in range(FAILURES + 5):
        assert model.complete(ASK).text == "from two"
    assert len(one.asked) == FAILURES

    clock.now = 31
    assert [model.complete(ASK).text for _ in range(2)] == ["from two"] * 2
    assert len(one.asked) == FAILURES + 1

    clock.now = 62
    assert [model.complete(ASK).text for _ in range(2)] == ["back"] * 2


def test_failures_with_answers_between_do_not_open() -> None:
    """Only a row of them counts."""
    row: list[Exception | str] = [DOWN, DOWN, "ok"]
    model, one = pair(*row * 3)
    for _ in range(9):
        model.complete(ASK)
    assert len(one.asked) == 9


def test_a_refused_key_opens_at_once() -> None:
    """It will not mend itself, so each further request would only wait for the same answer."""
    model, one = pair(ModelRejected("key", status=401))
    for _ in range(3):
        assert model.complete(ASK).text == "from two"
    assert len(one.asked) == 1


def test_none_left_says_when_the_next_try_is_made() -> None:
    """While all are left alone nothing is sent, and the caller reads for how long."""
    only = ScriptedModel(*[DOWN] * FAILURES, name="only")
    model = FallbackModel([Candidate(only, Breaker(pause_s=30, clock=Time()))])
    for _ in range(FAILURES):
        with pytest.raises(ModelUnavailable, match="down"):
            model.complete(ASK)

    with pytest.raises(ModelUnavailable, match=r"'only'.*in 30 s"):
        model.complete(ASK)
    assert len(only.asked) == FAILURES


def test_the_ledger_names_the_model_that_answered() -> None:
    """Its price counts, not that of the one that was to answer."""
    uses: list[ModelUse] = []
    two = ScriptedModel(Reply("x", (), "two-2026", 1_000_000, 0, asked="two"), name="two")
    model = FallbackModel([Candidate(ScriptedModel(DOWN, name="one")), Candidate(two)])
    prices = PriceList({"one": Price(1.0, 1.0), "two": Price(5.0, 5.0)})

    LedgerModel(model, Role.USER, "using", prices, uses.append).complete(ASK)

    assert [(use.model, use.cost_usd) for use in uses] == [("two", 5.0)]


def test_a_refusal_is_in_the_ledger() -> None:
    """It was billed."""
    uses: list[ModelUse] = []
    model = ScriptedModel(ModelRefused("no", prompt_tokens=8, completion_tokens=2), name="one")

    with pytest.raises(ModelRefused):
        LedgerModel(model, Role.USER, "using", PriceList({}), uses.append).complete(ASK)

    assert [(use.model, use.prompt_tokens, use.completion_tokens) for use in uses] == [("one", 8, 2)]
