"""Finds rules of isolation that change nothing: a name that was mistyped leaves the meant one as it was."""

from __future__ import annotations

from collections.abc import Iterator

from toolwright.domain.isolation import IsolationPolicy
from toolwright.errors import NotFound
from toolwright.registry.base import Store
from toolwright.services.base import TENANT


def rules_without_effect(policy: IsolationPolicy, store: Store) -> Iterator[tuple[str, str]]:
    """Yield each rule's setting that changes nothing now, and why.

    Raises:
        StoreUnavailable, StoreCorrupt: the registry.
    """
    for section, rules in (("tenants", policy.tenants), ("tools", policy.tools)):
        for name, level in sorted(rules.items()):
            setting = f"isolation.{section}.{name}"
            if level is policy.default or level.is_weaker_than(policy.default):
                yield setting, f"{level.value} is no stricter than the default, {policy.default.value}"
            elif section == "tenants" and name != TENANT:
                yield setting, f"callers are not authenticated yet: all are the tenant {TENANT!r}"
            elif section == "tools" and not _is_registered(store, name):
                yield setting, "no tool of that name is active yet"


def _is_registered(store: Store, name: str) -> bool:
    try:
        store.get_tool(name)
    except NotFound:
        return False
    return True
