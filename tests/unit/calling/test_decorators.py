"""What is added to a maker's model: chats that have grown too long, and refusals."""

from __future__ import annotations

import pytest

from toolwright.calling.models import MAKING, Models
from toolwright.domain.record import Role
from toolwright.errors import ModelContextExceeded, ModelRefused
from toolwright.llm.base import Message
from toolwright.llm.ledger import Meter
from toolwright.llm.prices import PriceList
from toolwright.llm.testing import ScriptedModel

pytestmark = pytest.mark.unit

OPENING = [Message("system", "You write tools."), Message("user", "Task")]
LONG = ModelContextExceeded("too long")


def attempt(number: int) -> list[Message]:
    """A failed attempt."""
    return [Message("assistant", f"code {number}"), Message("user", f"wrong {number}")]


def models(maker: ScriptedModel, user: ScriptedModel) -> Models:
    """All models of a server."""
    return Models(maker, user, user, PriceList({}))


@pytest.mark.parametrize(
    ("attempts", "kept"),
    [([1, 2, 3], attempt(3)), ([1], [])],
)
def test_a_chat_too_long_goes_once_more_without_its_older_attempts(attempts: list[int], kept: list[Message]) -> None:
    """The task and the last attempt with its feedback stay; of one attempt nothing does."""
    maker = ScriptedModel(LONG, "code")
    chat = [*OPENING, *(message for number in attempts for message in attempt(number))]

    reply = models(maker, maker).metered(Role.MAKER, MAKING, Meter()).complete(chat)

    assert reply.text == "code"
    assert list(maker.asked[1]) == [*OPENING, *kept]


@pytest.mark.parametrize("chat", [OPENING, [*OPENING, *attempt(1), *attempt(2)]])
def test_a_chat_that_stays_too_long_is_told(chat: list[Message]) -> None:
    """A task that is itself too long cannot be made shorter; and there is one further try."""
    maker = ScriptedModel(LONG, LONG)

    with pytest.raises(ModelContextExceeded):
        models(maker, maker).metered(Role.MAKER, MAKING, Meter()).complete(chat)

    assert len(maker.asked) == (1 if chat is OPENING else 2)


def test_a_maker_that_declines_has_made_an_attempt() -> None:
    """Its words are the reply, its tokens are counted once."""
    maker = ScriptedModel(ModelRefused("model declined", quote="I will not.", prompt_tokens=7, completion_tokens=3))
    meter = Meter()

    reply = models(maker, maker).metered(Role.MAKER, MAKING, meter).complete(OPENING)

    assert (reply.text, reply.finish_reason) == ("I will not.", "refusal")
    assert [(use.prompt_tokens, use.completion_tokens) for use in meter.uses()] == [(7, 3)]


def test_other_roles_are_told_of_both() -> None:
    """What a question may do about them its caller decides."""
    for fault in (LONG, ModelRefused("no")):
        user = ScriptedModel(fault)
        with pytest.raises(type(fault)):
            models(user, user).metered(Role.USER, MAKING, Meter()).complete(OPENING)
