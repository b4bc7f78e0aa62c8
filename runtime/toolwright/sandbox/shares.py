"""Who has how many places, and who has a right to one that another holds.

Places are shared by need, as even as they go: first between tenants, then between the keys of a tenant. Nobody has to
give up a place that would only change who has one less.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from toolwright.sandbox.base import SandboxKey


class Shares:
    """How many places each tenant and each key holds: its sandboxes, idle or in use."""

    def __init__(self) -> None:
        """Nobody holds any."""
        self._tenants: dict[str, int] = {}
        self._keys: dict[SandboxKey, int] = {}
        self.total = 0
        """Places that belong to a key: no other key's call can be served there."""

    def of_tenant(self, tenant: str) -> int:
        """Return how many places `tenant` holds."""
        return self._tenants.get(tenant, 0)

    def of_key(self, key: SandboxKey) -> int:
        """Return how many places `key` holds."""
        return self._keys.get(key, 0)

    def add(self, key: SandboxKey) -> None:
        """Count one more place of `key`."""
        self._tenants[key.tenant] = self.of_tenant(key.tenant) + 1
        self._keys[key] = self.of_key(key) + 1
        self.total += 1

    def remove(self, key: SandboxKey) -> None:
        """Count one place of `key` less; who has none is forgotten."""
        self.total -= 1
        self._keys[key] -= 1
        if not self._keys[key]:
            del self._keys[key]
        self._tenants[key.tenant] -= 1
        if not self._tenants[key.tenant]:
            del self._tenants[key.tenant]


@dataclass(frozen=True, slots=True)
class Claims:
    """Who waits in vain for a place that is coming, and how many places they will have then."""

    tenants: Mapping[str, int]
    """Places of each tenant that waits, those included that are coming for it."""
    keys: Mapping[str, int]
    """By tenant: places of that key of its that waits and has fewest, counted as above."""

    def outrank(self, key: SandboxKey, shares: Shares) -> bool:
        """Whether one of them has a right to a place that `key` holds."""
        others = [places for tenant, places in self.tenants.items() if tenant != key.tenant]
        if others and _outranks(min(others), shares.of_tenant(key.tenant)):
            return True
        return key.tenant in self.keys and _outranks(self.keys[key.tenant], shares.of_key(key))


def _outranks(mine: int, theirs: int) -> bool:
    """Whether it is fairer with one place moved. Who has none takes turns even for the only one."""
    return mine == 0 or mine + 1 < theirs
