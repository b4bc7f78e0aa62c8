"""Holding a version back: once, whoever is first, and with what follows from it."""

from __future__ import annotations

from typing import Protocol

import structlog

from toolwright.domain.lifecycle import POLICY_ACTOR, STABLE
from toolwright.domain.tool import RegisteredTool, ToolState
from toolwright.errors import NotReady
from toolwright.registry.base import Store

log = structlog.get_logger(__name__)


class Remaking(Protocol):
    """Has tools made anew."""

    def want(self, name: str) -> None:
        """Have a tool of this name made anew, some time. Returns at once."""


class Quarantine:
    """Holds versions back. Safe to use from many threads, beside other servers."""

    def __init__(self, store: Store, remaking: Remaking | None = None) -> None:
        """Keep it in `store`; have tools made anew by `remaking`, if it is given."""
        self._store, self._remaking = store, remaking

    def hold(self, tool: RegisteredTool, reason: str, *, actor: str = POLICY_ACTOR) -> bool:
        """Hold an active version back, and return whether it was this that did it.

        Raises:
            StoreUnavailable, StoreCorrupt: the registry; nothing was changed.
        """
        try:
            self._store.lifecycle.change_state(
                tool.version.digest, ToolState.QUARANTINED, actor=actor, reason=reason, expected=ToolState.ACTIVE
            )
        except NotReady:  # another server, or a person, was first
            return False
        log.warning("quarantined", tool=tool.reference, actor=actor, reason=reason)
        self._free_name(tool, actor)
        if self._remaking is not None:
            self._remaking.want(tool.version.name)
        return True

    def _free_name(self, tool: RegisteredTool, actor: str) -> None:
        """Let the plain name mean an earlier version again, where it was pointed at the one that is held back.

        Where `stable` was never set, the name means the newest active version, so nothing has to be done.
        """
        name, lifecycle = tool.version.name, self._store.lifecycle
        pointed = {alias.alias: alias.number for alias in lifecycle.aliases(name)}
        if pointed.get(STABLE) != tool.number:
            return
        try:
            back = lifecycle.rollback(name, actor=actor, reason=f"{tool.reference} was quarantined")
            log.warning("rolled back", tool=name, to=back.number)
        except NotReady as nothing:  # whoever set the alias has to say what it should mean now
            log.warning("not rolled back", tool=name, reason=str(nothing))
