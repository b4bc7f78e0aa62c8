"""Settings of the language models: which answer for which role, where, and how they are asked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from toolwright.domain.record import Role
from toolwright.settings.section import Section

_URL: Final = r"^https?://\S+$"
_EFFORT: Final = r"^[a-z][a-z0-9_-]{0,31}$"
_MAX_TOKENS: Final = 1_000_000
_MAX_FALLBACKS: Final = 8
_NO_MODELS: Final = frozenset({"record", "replay"})
"""What says nothing of which models answer."""


class FallbackSettings(Section):
    """An endpoint to ask where those before it do not answer; each absent value is that of the role's own endpoint.

    The key is the exception: it is taken over only where the address is, so that no endpoint is sent another's.
    """

    base_url: Annotated[str | None, Field(pattern=_URL)] = None
    api_key: SecretStr | None = None
    model: str | None = None
    timeout_s: Annotated[float | None, Field(gt=0, le=600, allow_inf_nan=False)] = None
    max_retries: Annotated[int | None, Field(ge=0, le=10)] = None
    temperature: Annotated[float | None, Field(ge=0, le=2, allow_inf_nan=False)] = None
    reasoning_effort: Annotated[str | None, Field(pattern=_EFFORT)] = None
    max_completion_tokens: Annotated[int | None, Field(ge=1, le=_MAX_TOKENS)] = None
    stream: bool | None = None


Fallbacks = Annotated[tuple[FallbackSettings, ...], Field(max_length=_MAX_FALLBACKS)]


class RoleSettings(FallbackSettings):
    """What one role has of its own; each absent value is that of `models.default`."""

    fallback: Fallbacks | None = None


class EndpointSettings(Section):
    """An OpenAI-compatible endpoint and a model behind it."""

    base_url: Annotated[str, Field(pattern=_URL)] = "https://api.openai.com/v1"
    """Up to and with `/v1`."""
    api_key: SecretStr = SecretStr("")
    """Never logged. Default: `OPENAI_API_KEY`. May stay empty for an endpoint that asks for none."""
    model: str = ""
    """Name of the model as the endpoint knows it. Empty: not configured."""
    timeout_s: Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)] = 60.0
    """Seconds for one exchange: up to 600."""
    max_retries: Annotated[int, Field(ge=0, le=10)] = 3
    """Further tries after no answer, 429 or 5xx: 0 to 10."""
    temperature: Annotated[float | None, Field(ge=0, le=2, allow_inf_nan=False)] = None
    """0 to 2. Default: left to the endpoint. Where a model takes none it is left out."""
    reasoning_effort: Annotated[str | None, Field(pattern=_EFFORT)] = None
    """How much a reasoning model thinks before it answers, in the endpoint's words, such as `low`, `medium` or `high`.
    Default: left to the endpoint. Where a model takes none it is left out."""
    max_completion_tokens: Annotated[int | None, Field(ge=1, le=_MAX_TOKENS)] = None
    """Most tokens of a reply, what a reasoning model thinks included: 1 to 1,000,000. Default: left to the endpoint.
    Sent as `max_tokens` where the endpoint knows only that."""
    stream: bool = False
    """Whether replies are asked for piece by piece. They are used whole all the same; it keeps connections alive
    through proxies that end those on which nothing moves for a minute."""
    fallback: Fallbacks = ()
    """Endpoints to ask, in this order, where this one does not answer or does not serve the model: a list of tables
    with any of the names above. At most 8."""


class ModelSettings(Section):
    """The language models. Making needs `maker` and `user`, solving needs `user` and `dispatcher`; calls need none."""

    offline: bool = False
    """Answer from the scripts that come with the package instead of a model. For trying out and for tests: what it
    answers says nothing about any model. The command line does so too, and says it, where nothing of models and
    no `OPENAI_API_KEY` is set."""
    record: Path | None = None
    """File to which every exchange with a model is added, without keys, for `replay`. It holds all that was asked and
    answered, so only its owner can read it."""
    replay: Path | None = None
    """File written by `record`, from which all models answer: nothing is sent anywhere. A request that it does not
    hold is an error."""
    default: EndpointSettings = EndpointSettings()
    """Shared by all roles."""
    maker: RoleSettings = RoleSettings()
    """Strong and dear: writes tools."""
    user: RoleSettings = RoleSettings()
    """Light and cheap: turns questions into calls."""
    dispatcher: RoleSettings = RoleSettings()
    """Light and cheap: chooses the tool."""
    strong: RoleSettings = RoleSettings()
    """Answers questions that no tool fits, where `dispatch.answer_misses` is `strong`. Each absent value is the
    maker's."""

    @field_validator("record", "replay")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path and path.expanduser().absolute()

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.record and self.replay:
            raise ValueError("record and replay are both given; what is replayed was recorded before")
        return self

    @property
    def configured(self) -> bool:
        """Whether any source says anything of models: a name, an address, a key, even "not offline"."""
        sections = (getattr(self, name) for name in self.model_fields_set - _NO_MODELS)
        return any(bool(part.model_fields_set) if isinstance(part, BaseModel) else True for part in sections)

    def endpoint(self, role: Role) -> EndpointSettings:
        """Return the endpoint of `role`: its own values over the shared ones; the strong model's over the maker's."""
        base = self.endpoint(Role.MAKER) if role is Role.STRONG else self.default
        return _over(base, getattr(self, role.value))

    def endpoints(self, role: Role) -> tuple[EndpointSettings, ...]:
        """Return the endpoint of `role` and those to fall back on, in order."""
        first = self.endpoint(role)
        return first, *(_fallback(first, own) for own in first.fallback)


def _over(base: EndpointSettings, own: FallbackSettings) -> EndpointSettings:
    changes = {name: value for name in type(own).model_fields if (value := getattr(own, name)) is not None}
    return base.model_copy(update=changes)


def _fallback(first: EndpointSettings, own: FallbackSettings) -> EndpointSettings:
    elsewhere = own.base_url not in {None, first.base_url}
    base = first.model_copy(update={"api_key": SecretStr("")}) if elsewhere else first
    return _over(base, own).model_copy(update={"fallback": ()})
