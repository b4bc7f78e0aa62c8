"""Settings of dispatch: which tools a question is offered, and what becomes of one that no tool fits."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, SecretStr

from toolwright.settings.section import Section


class AnswerMisses(StrEnum):
    """Who answers a question that no tool fits."""

    NONE = "none"
    STRONG = "strong"
    PERSON = "person"


class EmbeddingSettings(Section):
    """An endpoint for embeddings, which finds tools and like questions by meaning. Without one, full text does."""

    base_url: Annotated[str, Field(pattern=r"^https?://\S+$")] = "https://api.openai.com/v1"
    """Up to and with `/v1`."""
    api_key: SecretStr = SecretStr("")
    """Never logged. May stay empty for an endpoint that asks for none."""
    model: str = ""
    """Name of the embedding model as the endpoint knows it. Empty: none is used."""
    timeout_s: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)] = 5.0
    """Seconds that a question waits for its embedding, before full text alone decides: up to 60."""


class DispatchSettings(Section):
    """Which tools a question is offered, and what becomes of one that no tool fits."""

    candidates: Annotated[int, Field(ge=1, le=128)] = 8
    """Tools among which the dispatcher's model chooses: 1 to 128. If there are more, a search finds those that fit
    the question best."""
    threshold: Annotated[int, Field(ge=0, le=100)] = 50
    """Confidence from which a choice counts: 0 to 100. Below it the question is taken for one that no tool fits.
    `toolwright eval --dispatch` says what would be best for your model."""
    answer_misses: AnswerMisses = AnswerMisses.NONE
    """Who answers a question that no tool fits: `none`, the `strong` model at once, or a `person` later. Where somebody
    does, a tool is made once there are enough answers to questions of a kind."""
    examples: Annotated[int | None, Field(ge=2, le=1000)] = None
    """Answered questions of a kind from which a tool is made: 2 to 1,000. The first three are shown to the maker, the
    others are held out. Default: 8, as in the paper, where a person answers; 40 where the strong model does, since few
    held-out questions let tools through that are wrong now and then."""
    make_tools: bool = True
    """Whether tools are made from answered questions in the background."""
    max_making: Annotated[int, Field(ge=1, le=16)] = 2
    """Tools made in the background at one time: 1 to 16."""
    cool_down_s: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] = 600.0
    """Seconds after a making that came to nothing, before it is tried again with newer examples: up to a day."""
    max_misses: Annotated[int, Field(ge=100, le=1_000_000)] = 10_000
    """Different questions without a tool that are kept; beyond, the ones not asked for longest are forgotten: 100 to
    1,000,000."""
    embeddings: EmbeddingSettings = EmbeddingSettings()

    @property
    def needed(self) -> int:
        """`examples`, or as many as suit whoever answers."""
        if self.examples is not None:
            return self.examples
        return 40 if self.answer_misses is AnswerMisses.STRONG else 8
