"""One task being worked on."""

from __future__ import annotations

from dataclasses import dataclass, field

from toolwright.calling.patience import Patience
from toolwright.domain.lifecycle import Origin
from toolwright.domain.task import Task
from toolwright.making.hold import Hold, Unheld
from toolwright.making.ingredients import Ingredients
from toolwright.making.spending import Spending
from toolwright.registry.jobs import Progress


@dataclass(frozen=True, slots=True)
class Work:
    """One task being worked on: at whose cost, for how long, and by what claim."""

    task: Task
    spending: Spending
    patience: Patience
    hold: Hold = field(default_factory=Unheld)
    ingredients: Ingredients = field(default_factory=Ingredients)
    origin: Origin | None = None
    """Of a person's code; None if the maker writes it."""

    def note(self, words: str) -> None:
        """Tell how far it has come."""
        spending = self.spending
        self.hold.note(Progress(spending.begun, spending.token_use, spending.seconds, words))
