"""`Steward`: what people do with versions, under the policy of approval."""

from __future__ import annotations

from toolwright.domain.lifecycle import MAX_ACTOR_CHARS, MAX_REASON_CHARS, UNKNOWN_ACTOR, Alias, Approval
from toolwright.domain.tool import RegisteredTool, ToolState
from toolwright.errors import InvalidInput
from toolwright.registry.base import Store
from toolwright.registry.reference import parse_reference


class Steward:
    """Changes states and aliases. Keeps nothing itself; safe to use from many threads.

    Methods raise what those of `Store.lifecycle` do, and `InvalidInput` where a field is off. A version is named by
    `name@number`, `name@alias` or `sha256:…`: what a plain name means may change while somebody decides.
    """

    def __init__(self, store: Store, approval: Approval = Approval.AUTOMATIC) -> None:
        """Change what is in `store`; versions are approved as `approval` says."""
        self._store, self._approval = store, approval

    def quarantine(self, reference: str, *, actor: str, reason: str) -> RegisteredTool:
        """Hold a version back until it is verified again or approved."""
        return self._change(reference, ToolState.QUARANTINED, actor, reason)

    def retire(self, reference: str, *, actor: str, reason: str) -> RegisteredTool:
        """Take a version out of use for good."""
        return self._change(reference, ToolState.RETIRED, actor, reason)

    def approve(self, reference: str, *, actor: str, reason: str) -> RegisteredTool:
        """Keep that `actor` approves a version, and put it to use if that is enough.

        Raises:
            InvalidInput: no actor is named, or no reason is given to release a version from quarantine.
        """
        actor, reason = named_actor(actor), _reason(reason)
        if actor == UNKNOWN_ACTOR:
            raise InvalidInput("actor", "is not set", "the name of who approves")
        tool = self._version(reference)
        if tool.state is ToolState.QUARANTINED and not reason:
            raise InvalidInput("reason", "is empty", "why a version is released from quarantine")
        return self._store.lifecycle.approve(
            tool.version.digest, actor=actor, reason=reason, persons=self._approval.persons
        )

    def set_alias(self, alias: Alias, *, actor: str, reason: str) -> RegisteredTool | None:
        """Point an alias at a version, and return that; with the number 0 remove it, and return None."""
        actor, reason = named_actor(actor), _reason(reason)
        if alias.number:
            self._store.lifecycle.set_alias(alias, actor=actor, reason=reason)
            return self._store.get_tool(f"{alias.name}@{alias.number}")
        self._store.lifecycle.remove_alias(alias.name, alias.alias, actor=actor, reason=reason)
        return None

    def rollback(self, name: str, *, actor: str, reason: str) -> RegisteredTool:
        """Point `stable` at what it pointed at before, and return that."""
        alias = self._store.lifecycle.rollback(name, actor=named_actor(actor), reason=_reason(reason))
        return self._store.get_tool(f"{name}@{alias.number}")

    def _change(self, reference: str, to: ToolState, actor: str, reason: str) -> RegisteredTool:
        actor, reason = named_actor(actor), _reason(reason)
        if not reason:
            raise InvalidInput("reason", "is empty", f"1 to {MAX_REASON_CHARS} characters")
        digest = self._version(reference).version.digest
        return self._store.lifecycle.change_state(digest, to, actor=actor, reason=reason)

    def _version(self, reference: str) -> RegisteredTool:
        wanted = parse_reference(reference)
        if not (wanted.digest or wanted.number or wanted.alias):
            raise InvalidInput("tool", f"{reference!r} names no version", "name@number, name@alias or sha256:…")
        return self._store.get_tool(reference)


def named_actor(actor: str) -> str:
    """Return who acts, `unknown` if nobody says so.

    Raises:
        InvalidInput: the name is too long, or is not printable.
    """
    actor = actor.strip()
    if len(actor) > MAX_ACTOR_CHARS or not actor.isprintable():
        raise InvalidInput("actor", "is too long or not printable", f"at most {MAX_ACTOR_CHARS} characters")
    return actor or UNKNOWN_ACTOR


def _reason(reason: str) -> str:
    reason = reason.strip()
    if len(reason) > MAX_REASON_CHARS:
        raise InvalidInput("reason", f"has {len(reason)} characters", f"at most {MAX_REASON_CHARS}")
    return reason
