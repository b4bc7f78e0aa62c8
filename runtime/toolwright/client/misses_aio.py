"""The part of `AsyncClient` that is about questions that no tool fitted."""

from __future__ import annotations

from collections.abc import AsyncIterator

from toolwright.client import messages
from toolwright.client.connection_aio import AsyncConnection
from toolwright.domain.miss import Miss, MissGroup
from toolwright.services.convert.misses import group_from_wire, miss_from_wire
from toolwright.v1 import solve_pb2


class AsyncClientMisses(AsyncConnection):
    """See `ClientMisses`."""

    async def miss_groups(self, *, timeout_s: float | None = None) -> AsyncIterator[MissGroup]:
        """Give the groups of questions that no tool fitted; see `Client.miss_groups`."""
        async for page in self._miss_pages("", timeout_s):
            for group in page.groups:
                yield messages.read(group_from_wire, group)

    async def misses(self, group: str, *, timeout_s: float | None = None) -> tuple[MissGroup, list[Miss]]:
        """Return a group of misses, and its questions; see `Client.misses`."""
        pages = [page async for page in self._miss_pages(messages.check_group(group), timeout_s)]
        found = messages.read(group_from_wire, pages[0].groups[0])
        return found, [messages.read(miss_from_wire, miss) for page in pages for miss in page.misses]

    async def answer_miss(
        self, miss: str, answer: str, *, actor: str = "", timeout_s: float | None = None
    ) -> tuple[Miss, MissGroup]:
        """Keep a person's answer to a question that no tool fitted; see `Client.answer_miss`."""
        request = messages.answer_miss_request(miss, answer, actor)
        reply = await self._unary(lambda left: self._solving.AnswerMiss(request, timeout=left), timeout_s)
        return messages.read(miss_from_wire, reply.miss), messages.read(group_from_wire, reply.group)

    def _miss_pages(self, group: str, timeout_s: float | None) -> AsyncIterator[solve_pb2.ListMissesResponse]:
        return self._pages(
            lambda token, left: self._solving.ListMisses(messages.misses_request(group, token), timeout=left), timeout_s
        )
