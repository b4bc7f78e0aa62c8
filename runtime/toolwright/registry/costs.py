"""Sums of what models cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from toolwright.domain.record import CostRow, Role


def join_models(rows: Iterable[CostRow]) -> tuple[CostRow, ...]:
    """Return one row for each role, purpose and task, in that order, from rows for one model each."""
    joined: dict[tuple[Role, str, str], CostRow] = {}
    for row in sorted(rows, key=lambda row: (row.role, row.purpose, row.task, row.models)):
        key = (row.role, row.purpose, row.task)
        so_far = joined.get(key)
        joined[key] = (
            row
            if so_far is None
            else replace(
                so_far,
                calls=so_far.calls + row.calls,
                prompt_tokens=so_far.prompt_tokens + row.prompt_tokens,
                completion_tokens=so_far.completion_tokens + row.completion_tokens,
                cost_usd=so_far.cost_usd + row.cost_usd,
                models=tuple(sorted({*so_far.models, *row.models})),
            )
        )
    return tuple(joined.values())
