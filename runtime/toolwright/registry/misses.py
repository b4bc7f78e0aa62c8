"""What the registry promises of questions that no tool fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from toolwright.domain.miss import GroupState, Miss, MissGroup, Sketch


class MissStore(Protocol):
    """Questions that no tool fits, and groups of those that are alike. Each method is one transaction.

    Questions, answers, descriptions and failures are kept whatever they hold. Errors are those of `Store`.
    """

    def ask_again(self, tenant: str, question: str, *, at: float) -> Miss | None:
        """Count up the miss that `question` is already, and return it; None if it is a new one."""

    def add(self, miss: Miss, sketch: Sketch | None = None) -> Miss:
        """Keep a new miss, and its group if there is none of that id; return what is kept.

        The same question again, from another thread or server, counts up the first one. `sketch` is kept for its group.
        """

    def sketches(self, tenant: str, *, after: int = 0) -> Sequence[tuple[int, str, Sketch]]:
        """Return sketches with their number and group, in the order in which they came, those after number `after`."""

    def get(self, miss_id: str) -> Miss:
        """Return a miss.

        Raises:
            NotFound: there is none of that id.
        """

    def group(self, group_id: str) -> MissGroup:
        """Return a group.

        Raises:
            NotFound: there is none of that id.
        """

    def list_groups(self, tenant: str, *, after: str = "", limit: int = 100) -> Sequence[MissGroup]:
        """Return groups by id, those beyond `after`, `limit` at most."""

    def list_misses(self, group_id: str, *, after: str = "", limit: int = 100) -> Sequence[Miss]:
        """Return the misses of a group by id, those beyond `after`, `limit` at most."""

    def answer(self, miss_id: str, answer: str, *, by: str, at: float) -> Miss:
        """Keep an answer, in the place of an earlier one.

        Raises:
            NotFound: there is no such miss.
        """

    def answered(self, group_id: str, *, skip: int = 0, limit: int = 100) -> Sequence[Miss]:
        """Return answered misses of a group in the order in which they were first asked."""

    def prune(self, tenant: str, *, keep: int) -> int:
        """Forget the misses that were asked longest ago, until `keep` are left; return how many were forgotten.

        Those of groups whose tool is being made stay. A group that has none left goes too, with its sketches, unless
        a making was begun for it.
        """

    def name_group(self, group_id: str, name: str, description: str) -> bool:
        """Give a group the name and description of its tool, once; return whether it had none, and no other has it."""

    def held_names(self) -> frozenset[str]:
        """Return the names of groups that have no tool yet: their tasks are no choice for questions."""

    def due(self, tenant: str, *, needed: int, now: float) -> Sequence[MissGroup]:
        """Return groups for which a making may begin: enough answers, none running, none refused just now.

        One whose making's lease has run out was interrupted, and is due too.
        """

    def claim(self, group_id: str, owner: str, *, now: float, until: float) -> bool:
        """Take the making of a group until the time `until`, again too; return whether it is `owner`'s now."""

    def settle(  # noqa: PLR0913 - what there is to say of an end
        self,
        group_id: str,
        owner: str,
        state: GroupState,
        *,
        tool: str = "",
        failure: str = "",
        not_before: float = 0.0,
        cost_usd: float = 0.0,
    ) -> bool:
        """End the making that `owner` holds; return whether it still held it. `cost_usd` is added up.

        The state `OPEN` says that it was broken off: it does not count as an attempt.
        """


Counts = Mapping[str, tuple[int, int, int]]
"""By group: different questions, all that were asked, those with an answer."""
