"""Which version a plain name means. Found in one statement, since each call of a tool asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Select, and_, bindparam, case, func, or_, select

from toolwright.domain.lifecycle import CANARY, STABLE
from toolwright.domain.tool import ToolState
from toolwright.registry.rows import Row
from toolwright.registry.tables import TOOL_ALIASES, TOOL_NAMES, TOOL_VERSIONS

_VERSIONS, _ALIASES = TOOL_VERSIONS.c, TOOL_ALIASES.c
_ACTIVE = _VERSIONS.state == ToolState.ACTIVE.value
_DRAWN = and_(_ALIASES.alias == CANARY, _ALIASES.share > bindparam("lot"), _ACTIVE)
_AS_CANARY = and_(_ALIASES.alias == CANARY, _ACTIVE)
# `stable` wins whatever its state, so that holding it back stops calls instead of sending them elsewhere.
_RANK = case((_DRAWN, 0), (_ALIASES.alias == STABLE, 1), (_AS_CANARY, 3), else_=2)
_ALIASED = and_(
    _ALIASES.name == _VERSIONS.name, _ALIASES.number == _VERSIONS.number, _ALIASES.alias.in_((STABLE, CANARY))
)
_HEADINGS = select(_VERSIONS.name, _VERSIONS.digest, _VERSIONS.state)
PLAIN_NAME: Final = (
    select(_VERSIONS.digest)
    .outerjoin(TOOL_ALIASES, _ALIASED)
    .where(_VERSIONS.name == bindparam("plain"), or_(_ACTIVE, _ALIASES.alias == STABLE))
    .order_by(_RANK, _VERSIONS.number.desc())
    .limit(1)
    .scalar_subquery()
)
"""The digest of the version that the name `plain` means for a call with this `lot`: two values to give with it."""
HEADING_OF: Final = _HEADINGS.where(_VERSIONS.digest == PLAIN_NAME)
"""The heading of that version."""


def newest_versions() -> Select[Any]:
    """Return a query for headings of the newest version of each name, in whatever state it is."""
    newest = and_(TOOL_NAMES.c.name == _VERSIONS.name, TOOL_NAMES.c.last_number == _VERSIONS.number)
    return _HEADINGS.join(TOOL_NAMES, newest)


def newest_active_versions() -> Select[Any]:
    """Return a query for headings of the newest active version of each name."""
    newest = select(_VERSIONS.name, func.max(_VERSIONS.number).label("number")).where(_ACTIVE).group_by(_VERSIONS.name)
    found = newest.subquery()
    return _HEADINGS.join(found, and_(found.c.name == _VERSIONS.name, found.c.number == _VERSIONS.number))


def stable_versions() -> Select[Any]:
    """Return a query for headings of what `stable` points at."""
    return _HEADINGS.join(TOOL_ALIASES, _ALIASED).where(_ALIASES.alias == STABLE)


def names_with_canary() -> Select[str]:
    """Return a query for names that have a canary: few."""
    return select(_ALIASES.name).where(_ALIASES.alias == CANARY)


def meant_by_plain_name(versions: Sequence[Row], aliases: Mapping[str, Row], lot: float) -> Row | None:
    """Return the same from rows: all versions of a name by number, and its aliases."""
    active = [row for row in reversed(versions) if row["state"] == ToolState.ACTIVE.value]
    numbers = {alias: row["number"] for alias, row in aliases.items()}
    drawn = [row for row in active if row["number"] == numbers.get(CANARY) and aliases[CANARY]["share"] > lot]
    stable = [row for row in versions if row["number"] == numbers.get(STABLE)]
    others = [row for row in active if row["number"] != numbers.get(CANARY)]
    return next(iter(drawn + stable + others + active), None)
