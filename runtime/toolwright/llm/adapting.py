"""Asking an endpoint for no more than it takes, once it has said what that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolwright.errors import ModelRejected
from toolwright.llm.exchange import Exchange
from toolwright.llm.features import REPLACED, Feature, blamed, parts_of, without
from toolwright.llm.learned import Learned, Place


@dataclass(frozen=True, slots=True)
class AdaptingExchange:
    """Adds to any `Exchange`: a request that is refused for an optional part of it is sent again without that part."""

    base: Exchange
    learned: Learned
    base_url: str

    def send(self, body: Mapping[str, Any]) -> bytes:
        """Send the body; see `Exchange.send`.

        Raises:
            ModelRejected: its `part` says so where the endpoint takes no functions, or no forms of replies.
        """
        place = Place(self.base_url, str(body.get("model")))
        for feature in sorted(parts_of(body) - REPLACED):
            if self.learned.lacks(place, feature):
                body = without(body, feature)
        left_out: list[Feature] = []
        while True:
            try:
                reply = self.base.send(body)
            except ModelRejected as refusal:
                part = blamed(refusal, body)
                if part is None or part in REPLACED:
                    refusal.part = part or ""
                    raise
                body = without(body, part)
                left_out.append(part)
            else:
                self.learned.learn(place, left_out)
                return reply

    def close(self) -> None:
        """Close the connections."""
        self.base.close()
