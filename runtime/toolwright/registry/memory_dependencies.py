"""`Dependencies` without a database."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager

from toolwright.domain.tool import RegisteredTool, Standing, ToolVersion
from toolwright.errors import NotFound
from toolwright.registry.rows import Row
from toolwright.registry.tool_rows import registered_from


class MemoryDependencies:
    """See `Dependencies`. Looks at the versions of the store that it is a part of."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[None]], versions: Mapping[str, Row]) -> None:
        """Look at `versions`, by digest, within a `transaction`."""
        self._transaction, self._versions = transaction, versions

    def standings(self, digests: Collection[str]) -> Mapping[str, Standing]:
        """See `Dependencies`."""
        with self._transaction():
            found = [registered_from(self._versions[digest]) for digest in digests if digest in self._versions]
        return {tool.version.digest: _standing(tool) for tool in found}

    def dependants(self, digest: str) -> Sequence[Standing]:
        """See `Dependencies`."""
        with self._transaction():
            tools = [registered_from(row) for row in self._versions.values()]
        parts, users = {digest}, dict[str, RegisteredTool]()
        for tool in tools:  # in the order of their admission: a tool comes after its parts
            if parts & {part.digest for part in tool.version.dependencies}:
                users[tool.version.digest] = tool
                parts.add(tool.version.digest)
        return [_standing(tool) for tool in sorted(users.values(), key=lambda one: (one.version.name, one.number))]

    def check_kept(self, version: ToolVersion) -> None:
        """Let `version` pass if all that it names is kept. Within a transaction of the store's.

        Raises:
            NotFound: a part is not.
        """
        for part in version.dependencies:
            if part.digest not in self._versions:
                raise NotFound("tool", part.digest, hint=f"{version.name!r} is made from it")


def _standing(tool: RegisteredTool) -> Standing:
    return Standing(tool.reference, tool.version.digest, tool.state)
