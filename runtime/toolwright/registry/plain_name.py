"""Which version a plain name means. Found in one statement, since each call of a tool asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import ScalarSelect, and_, bindparam, case, or_, select

from toolwright.domain.lifecycle import CANARY, STABLE
from toolwright.domain.tool import ToolState
from toolwright.registry.rows import Row
from toolwright.registry.tables import TOOL_ALIASES, TOOL_VERSIONS

_VERSIONS, _ALIASES = TOOL_VERSIONS.c, TOOL_ALIASES.c
_ACTIVE = _VERSIONS.state == ToolState.ACTIVE.value
_DRAWN = and_(_ALIASES.alias == CANARY, _ALIASES.share > bindparam("lot"), _ACTIVE)
_AS_CANARY = and_(_ALIASES.alias == CANARY, _ACTIVE)
# `stable` wins whatever its state, so that holding it back stops calls instead of sending them elsewhere.
_RANK = case((_DRAWN, 0), (_ALIASES.alias == STABLE, 1), (_AS_CANARY, 3), else_=2)
_ALIASED = and_(
    _ALIASES.name == _VERSIONS.name, _ALIASES.number == _VERSIONS.number, _ALIASES.alias.in_((STABLE, CANARY))
)
_DIGEST = (
    select(_VERSIONS.digest)
    .outerjoin(TOOL_ALIASES, _ALIASED)
    .where(_VERSIONS.name == bindparam("plain"), or_(_ACTIVE, _ALIASES.alias == STABLE))
    .order_by(_RANK, _VERSIONS.number.desc())
    .limit(1)
)


def plain_name(name: str, lot: float) -> ScalarSelect[str]:
    """Return a query for the digest of the version that `name` means for a call with this `lot`."""
    return _DIGEST.params(plain=name, lot=lot).scalar_subquery()


def meant_by_plain_name(versions: Sequence[Row], aliases: Mapping[str, Row], lot: float) -> Row | None:
    """Return the same from rows: all versions of a name by number, and its aliases."""
    active = [row for row in reversed(versions) if row["state"] == ToolState.ACTIVE.value]
    numbers = {alias: row["number"] for alias, row in aliases.items()}
    drawn = [row for row in active if row["number"] == numbers.get(CANARY) and aliases[CANARY]["share"] > lot]
    stable = [row for row in versions if row["number"] == numbers.get(STABLE)]
    others = [row for row in active if row["number"] != numbers.get(CANARY)]
    return next(iter(drawn + stable + others + active), None)
