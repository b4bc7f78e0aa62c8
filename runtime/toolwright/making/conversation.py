"""The chat with the maker, built up again from what was kept of its attempts."""

from __future__ import annotations

import json
from collections.abc import Sequence

from toolwright.domain.record import Attempt, Stage
from toolwright.llm.base import Message
from toolwright.making import prompts

LOST = "lost: its server ended while it was under way, so nothing of it is known; it counts, and is begun anew"
NOTHING_SENT = "[]"
_STAGES = tuple(Stage)


def rebuilt(opening: list[Message], kept: Sequence[Attempt]) -> tuple[list[Message], str]:
    """Return what the maker is to be sent next, and the last refusal; for no attempts the `opening`.

    Attempts of one round were sent the same messages. The one that came furthest is answered, as in a making that was
    not interrupted.
    """
    refused = [attempt for attempt in kept if attempt.prompt != NOTHING_SENT and not attempt.accepted]
    if not refused:
        return opening, ""
    last_round = [attempt for attempt in refused if attempt.prompt == refused[-1].prompt]
    best = min(last_round, key=lambda attempt: (-_STAGES.index(attempt.stage), len(attempt.source), attempt.number))
    return _messages(best.prompt) + prompts.next_turn(best.reply, best.verdict), best.verdict


def _messages(prompt: str) -> list[Message]:
    return [Message(message["role"], message["content"]) for message in json.loads(prompt)]
