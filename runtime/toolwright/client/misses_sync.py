"""The part of `Client` that is about questions that no tool fitted."""

from __future__ import annotations

from collections.abc import Iterator

from toolwright.client import messages
from toolwright.client.connection_sync import Connection
from toolwright.domain.miss import Miss, MissGroup
from toolwright.services.convert.misses import group_from_wire, miss_from_wire
from toolwright.v1 import solve_pb2


class ClientMisses(Connection):
    """Groups of questions that no tool fitted, and persons' answers to them."""

    def miss_groups(self, *, timeout_s: float | None = None) -> Iterator[MissGroup]:
        """Give the groups of questions that no tool fitted. Pages are asked for as they are needed.

        Raises:
            StoreUnavailable, StoreCorrupt, ServerUnavailable: as they say.
        """
        for page in self._miss_pages("", timeout_s):
            for group in page.groups:
                yield messages.read(group_from_wire, group)

    def misses(self, group: str, *, timeout_s: float | None = None) -> tuple[MissGroup, list[Miss]]:
        """Return a group of misses, and its questions.

        Raises:
            NotFound: there is no such group. InvalidInput, StoreUnavailable, ServerUnavailable: as they say.
        """
        pages = list(self._miss_pages(messages.check_group(group), timeout_s))
        found = messages.read(group_from_wire, pages[0].groups[0])
        return found, [messages.read(miss_from_wire, miss) for page in pages for miss in page.misses]

    def answer_miss(
        self, miss: str, answer: str, *, actor: str = "", timeout_s: float | None = None
    ) -> tuple[Miss, MissGroup]:
        """Keep a person's answer to a question that no tool fitted; return it with its group.

        With enough answered questions in the group a tool is made. `actor` says who answers; nobody checks it.

        Raises:
            NotFound: there is no such question. NotReady: by the server's settings nobody answers.
            InvalidInput, StoreUnavailable, ServerUnavailable: as they say.
        """
        request = messages.answer_miss_request(miss, answer, actor)
        reply = self._unary(lambda left: self._solving.AnswerMiss(request, timeout=left), timeout_s)
        return messages.read(miss_from_wire, reply.miss), messages.read(group_from_wire, reply.group)

    def _miss_pages(self, group: str, timeout_s: float | None) -> Iterator[solve_pb2.ListMissesResponse]:
        return self._pages(
            lambda token, left: self._solving.ListMisses(messages.misses_request(group, token), timeout=left), timeout_s
        )
