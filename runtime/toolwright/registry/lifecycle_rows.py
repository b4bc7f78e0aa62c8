"""Events and aliases as rows, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolwright.domain.lifecycle import Alias, EventKind, ToolEvent
from toolwright.domain.tool import ToolState
from toolwright.registry.rows import Row, decoding, from_bytes, to_bytes
from toolwright.registry.storable import check_storable


def event_row(event: ToolEvent) -> Row:
    """Return the row for `event`, without its id: the database gives that."""
    row: Row = {
        "at": event.at,
        "name": event.name,
        "number": event.number,
        "digest": event.digest,
        "kind": event.kind.value,
        "from_state": event.from_state.value if event.from_state else "",
        "to_state": event.to_state.value if event.to_state else "",
        "alias": event.alias,
        "from_number": event.from_number or 0,
        "share": event.share,
    }
    check_storable(row, "event")
    return row | {"actor": to_bytes(event.actor), "reason": to_bytes(event.reason)}


def event_from(row: Mapping[str, Any]) -> ToolEvent:
    """Return the event in `row`.

    Raises:
        DamagedRow: it is not what was kept.
    """
    with decoding(f"event {row['seq']} of {row['name']!r}"):
        return ToolEvent(
            at=float(row["at"]),
            name=row["name"],
            number=int(row["number"]),
            digest=row["digest"],
            kind=EventKind(row["kind"]),
            actor=from_bytes(row["actor"]),
            reason=from_bytes(row["reason"]),
            from_state=ToolState(row["from_state"]) if row["from_state"] else None,
            to_state=ToolState(row["to_state"]) if row["to_state"] else None,
            alias=row["alias"],
            from_number=int(row["from_number"]) or None,
            share=float(row["share"]),
            event_id=int(row["seq"]),
        )


def alias_row(alias: Alias) -> Row:
    """Return the row for `alias`."""
    return {"name": alias.name, "alias": alias.alias, "number": alias.number, "share": alias.share}


def alias_from(row: Mapping[str, Any]) -> Alias:
    """Return the alias in `row`.

    Raises:
        DamagedRow: it is not what was kept.
    """
    with decoding(f"alias {row['alias']!r} of {row['name']!r}"):
        return Alias(row["name"], row["alias"], int(row["number"]), float(row["share"]))
