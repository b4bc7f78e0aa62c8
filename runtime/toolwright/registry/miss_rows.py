"""Misses and their groups as rows, and back."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Mapping
from typing import Any

from toolwright.domain.miss import GroupState, Miss, MissGroup, Sketch
from toolwright.registry.rows import Row, decoding, from_bytes, to_bytes
from toolwright.registry.storable import check_storable


def key_of(question: str) -> str:
    """Return what makes two questions the same: all but white space."""
    return hashlib.sha256(" ".join(question.split()).encode("utf-8", "surrogatepass")).hexdigest()


def miss_row(miss: Miss) -> Row:
    """Return the row for `miss`."""
    row: Row = {
        "miss_id": miss.miss_id,
        "tenant": miss.tenant,
        "key": key_of(miss.question),
        "group_id": miss.group_id,
        "count": miss.count,
        "first_at": miss.first_at,
        "last_at": miss.last_at,
        "answered_at": miss.answered_at,
    }
    check_storable(row, "miss")
    row |= {name: to_bytes(getattr(miss, name)) for name in ("question", "answer", "answered_by")}
    return row


def miss_from(row: Mapping[str, Any]) -> Miss:
    """Return the miss in `row`.

    Raises:
        DamagedRow: it is not what was kept.
    """
    with decoding(f"miss {row['miss_id']!r}"):
        question = from_bytes(row["question"])
        if key_of(question) != row["key"]:
            raise ValueError("its question is another")
        return Miss(
            row["miss_id"],
            row["tenant"],
            row["group_id"],
            question,
            int(row["count"]),
            float(row["first_at"]),
            float(row["last_at"]),
            from_bytes(row["answer"]),
            from_bytes(row["answered_by"]),
            float(row["answered_at"]),
        )


def new_group_row(miss: Miss) -> Row:
    """Return the row for the group that begins with `miss`."""
    return {
        "group_id": miss.group_id,
        "tenant": miss.tenant,
        "state": GroupState.OPEN.value,
        "name": "",
        "description": b"",
        "created_at": miss.first_at,
        "attempts": 0,
        "failure": b"",
        "not_before": 0.0,
        "tool": "",
        "cost_usd": 0.0,
        "owner": "",
        "lease_until": 0.0,
    }


def group_from(row: Mapping[str, Any], counts: tuple[int, int, int]) -> MissGroup:
    """Return the group in `row`.

    Raises:
        DamagedRow: it is not what was kept.
    """
    with decoding(f"group of misses {row['group_id']!r}"):
        return MissGroup(
            row["group_id"],
            row["tenant"],
            GroupState(row["state"]),
            row["name"],
            from_bytes(row["description"]),
            float(row["created_at"]),
            *counts,
            attempts=int(row["attempts"]),
            failure=from_bytes(row["failure"]),
            not_before=float(row["not_before"]),
            tool=row["tool"],
            cost_usd=float(row["cost_usd"]),
        )


def sketch_row(miss: Miss, sketch: Sketch) -> Row:
    """Return the row for the sketch of `miss`."""
    hashes = array("I", sorted(sketch.hashes)).tobytes()
    return {"group_id": miss.group_id, "tenant": miss.tenant, "hashes": hashes, "vector": sketch.vector}


def sketch_from(row: Mapping[str, Any]) -> tuple[int, str, Sketch]:
    """Return number, group and sketch in `row`.

    Raises:
        DamagedRow: it is not what was kept.
    """
    with decoding(f"sketch {row['seq']!r}"):
        hashes = array("I")
        hashes.frombytes(bytes(row["hashes"]))
        return int(row["seq"]), row["group_id"], Sketch(frozenset(hashes), bytes(row["vector"]))


def settled_row(state: GroupState, tool: str, failure: str, not_before: float) -> Row:
    """Return the columns that the end of a making sets."""
    row: Row = {"state": state.value, "tool": tool, "not_before": not_before, "owner": "", "lease_until": 0.0}
    check_storable(row, "group")
    return row | {"failure": to_bytes(failure)}
