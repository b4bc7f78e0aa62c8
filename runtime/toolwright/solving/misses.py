"""Questions that no tool fits: kept, grouped with their like, and counted."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Sequence

from toolwright.domain.miss import Miss, MissGroup
from toolwright.domain.task import Example
from toolwright.errors import NotReady
from toolwright.registry.misses import MissStore
from toolwright.settings import AnswerMisses, DispatchSettings
from toolwright.solving.grouping import Grouping, sketch_of

TENANT = "default"
"""Whose questions they are. One tenant, as long as callers are not authenticated."""
BY_PERSON = "person"
_PRUNED_EVERY = 64


class MissDesk:
    """Takes misses and answers to them. Safe to use from many threads."""

    def __init__(
        self,
        misses: MissStore,
        settings: DispatchSettings,
        *,
        notify: Callable[[], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Keep in `misses`; `notify` is called when a group may have enough answers."""
        self._misses, self._settings, self._notify, self._clock = misses, settings, notify, clock
        self._grouping = Grouping(misses, TENANT)
        # Two like questions at once would begin two groups.
        self._turn = threading.Lock()
        self._added = 0

    def note(self, question: str, vector: bytes = b"") -> tuple[Miss, MissGroup]:
        """Keep a question that no tool fits, and return it with its group as it is then."""
        miss = self._misses.ask_again(TENANT, question, at=self._clock())
        if miss is None:
            with self._turn:
                miss = self._add(question, vector)
        return miss, self._misses.group(miss.group_id)

    def answer(self, miss: Miss, answer: str, *, by: str) -> MissGroup:
        """Keep an answer, and return the group as it is then."""
        self._misses.answer(miss.miss_id, answer, by=by, at=self._clock())
        group = self._misses.group(miss.group_id)
        if self._notify is not None and group.answered >= self._settings.needed:
            self._notify()
        return group

    @property
    def needed(self) -> int:
        """Answered questions from which a tool is made."""
        return self._settings.needed

    def groups(self, *, after: str, limit: int) -> Sequence[MissGroup]:
        """Return groups by id, those beyond `after`, `limit` at most."""
        return self._misses.list_groups(TENANT, after=after, limit=limit)

    def group(self, group_id: str) -> MissGroup:
        """Return a group.

        Raises:
            NotFound: there is none of that id.
        """
        return self._misses.group(group_id)

    def questions(self, group_id: str, *, after: str, limit: int) -> Sequence[Miss]:
        """Return the questions of a group by id, those beyond `after`, `limit` at most."""
        return self._misses.list_misses(group_id, after=after, limit=limit)

    def answer_as_person(self, miss_id: str, answer: str, *, actor: str) -> tuple[Miss, MissGroup]:
        """Keep a person's answer, in the place of an earlier one.

        Raises:
            NotFound: there is no such question.
            NotReady: by the settings nobody answers.
            InvalidInput: the answer is empty or too long.
        """
        if self._settings.answer_misses is AnswerMisses.NONE:
            raise NotReady("answers to questions without a tool are not taken: set dispatch.answer_misses to person")
        miss = self._misses.get(miss_id)
        Example(miss.miss_id, miss.question, answer)  # what it will be, by the same bounds
        group = self.answer(miss, answer, by=actor or BY_PERSON)
        return self._misses.get(miss_id), group

    def _add(self, question: str, vector: bytes) -> Miss:
        sketch, now = sketch_of(question, vector), self._clock()
        group, wanted = self._grouping.group_of(sketch)
        new = Miss(secrets.token_hex(8), TENANT, group or secrets.token_hex(8), question, 1, now, now)
        self._added += 1
        if self._added % _PRUNED_EVERY == 1:
            self._misses.prune(TENANT, keep=self._settings.max_misses)
        return self._misses.add(new, sketch if wanted else None)
