"""What runs when a kept tool is called: its own source, and that of the tools that it is made from."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from toolwright.domain.source import ToolSource, all_parts
from toolwright.domain.tool import RegisteredTool, ToolState, ToolVersion
from toolwright.errors import InvalidInput, NotFound, NotReady, StoreCorrupt
from toolwright.registry.base import Store
from toolwright.registry.closure import closure_of, compose

MAX_KEPT: Final = 128
"""Composed sources kept in memory, the least recently used forgotten first: 128 MiB at the most, mostly far less."""


class Compositions:
    """Joins tools to their parts. Versions never change, so each is read once; their states are asked each time."""

    def __init__(self, store: Store, *, most: int = MAX_KEPT) -> None:
        """Read parts from `store`; keep `most` composed sources in memory."""
        self._store, self._most = store, most
        self._kept: OrderedDict[str, ToolSource] = OrderedDict()
        self._lock = threading.Lock()

    def source(self, tool: RegisteredTool) -> ToolSource:
        """Return what to run for `tool`, with all of its parts. Costs nothing for a tool that has none.

        Raises:
            NotReady: a part is not active, so the tool is not run; names it.
            StoreCorrupt: a part is missing, or is not what the tool was made from.
        """
        version = tool.version
        if not version.dependencies:
            return version.source
        with self._lock:
            source = self._kept.get(version.digest)
            if source is not None:
                self._kept.move_to_end(version.digest)
        if source is None:
            source = self._read(tool)
        self._check_active(tool, source)
        return source

    def _read(self, tool: RegisteredTool) -> ToolSource:
        version = tool.version
        try:
            source = compose(version, closure_of(version, self._version))
        except (InvalidInput, NotFound) as fault:
            # It was neither when the tool was admitted.
            raise StoreCorrupt(f"{tool.reference} cannot be joined to what it is made from: {fault}") from fault
        with self._lock:
            self._kept[version.digest] = source
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return source

    def _version(self, digest: str) -> ToolVersion:
        return self._store.get_tool(digest).version

    def _check_active(self, tool: RegisteredTool, source: ToolSource) -> None:
        """Ask for the states of all parts, in one query: any may have been held back since."""
        parts = {part.tool_digest: part.name for part in all_parts(source.modules)}
        standings = self._store.dependencies.standings(parts)
        for digest, name in parts.items():
            standing = standings.get(digest)
            if standing is None:
                raise StoreCorrupt(f"{tool.reference} is made from {name} ({digest}), which is gone; restore a backup")
            if standing.state is not ToolState.ACTIVE:
                raise NotReady(
                    f"{tool.reference} is made from {standing.reference}, which is {standing.state.value}, so it is "
                    f"not run; make {tool.version.name!r} again from tools that are active"
                )
