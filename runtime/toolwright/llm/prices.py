"""What models cost: a dated list in the package, and a file of one's own over it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from toolwright.errors import InvalidInput

_PER_MILLION = 1_000_000
_DATE = re.compile(r"-\d{4}-?\d{2}-?\d{2}\Z")


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens of one model."""

    input_usd: float
    output_usd: float
    known: bool = True
    """False where no list names the model; both figures are 0 then."""
    as_of: str = ""
    """Month in which the figures were noted, as `2026-03`."""
    illustrative: bool = False
    """Whether nobody is billed by them."""

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Return what an exchange costs, in USD."""
        return (prompt_tokens * self.input_usd + completion_tokens * self.output_usd) / _PER_MILLION


UNKNOWN = Price(0.0, 0.0, known=False)


@dataclass(frozen=True, slots=True)
class PriceList:
    """Prices by model name."""

    models: Mapping[str, Price]

    def of(self, model: str) -> Price:
        """Return the price of `model`, or of its name without a date; `UNKNOWN` if neither is listed."""
        return self.models.get(model) or self.models.get(_DATE.sub("", model)) or UNKNOWN

    def cost(self, model: str, prompt_tokens: int, completion_tokens: int) -> float:
        """Return what an exchange with `model` costs, in USD; 0 if its price is not known."""
        return self.of(model).cost(prompt_tokens, completion_tokens)


def load_prices(override: Path | None = None) -> PriceList:
    """Return the package's list, with the entries of the file `override` over it.

    Raises:
        InvalidInput: the file cannot be read, is no TOML, or has another form.
    """
    models = _read(resources.files(__package__).joinpath("prices.toml").read_text("utf-8"), "prices.toml")
    if override is not None:
        try:
            text = override.read_text("utf-8")
        except (OSError, UnicodeError) as fault:
            raise InvalidInput("prices_file", f"{override} cannot be read: {fault}", "a TOML file") from None
        models = models | _read(text, str(override))
    return PriceList(models)


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    as_of: str = Field(default="", pattern=r"^(\d{4}-\d{2}(-\d{2})?)?$")
    illustrative: bool = False


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    models: dict[str, _Entry]


def _read(text: str, name: str) -> dict[str, Price]:
    try:
        file = _File.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as fault:
        raise InvalidInput("prices_file", f"{name} is no TOML: {fault}", "a TOML file") from None
    except ValidationError as fault:
        first = fault.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InvalidInput(
            "prices_file",
            f"{name}: {place}: {first['msg']}",
            '[models."NAME"] with input and output in USD per million tokens, as_of optional',
        ) from None
    return {
        model: Price(entry.input, entry.output, as_of=entry.as_of, illustrative=entry.illustrative)
        for model, entry in file.models.items()
    }
