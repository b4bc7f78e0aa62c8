"""Which level of isolation a call gets: the operator's policy, which no caller can weaken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from toolwright.domain.call import Isolation
from toolwright.errors import PermissionDenied


@dataclass(frozen=True, slots=True)
class IsolationPolicy:
    """A level for every call, and stricter ones by tenant and by tool. Of those that apply the strictest holds.

    So no rule weakens the default or another rule, and a name that a caller chose can only make a level stricter.
    """

    default: Isolation = Isolation.TOOL
    """For every call."""
    tenants: Mapping[str, Isolation] = field(default_factory=dict)
    """For all calls of a tenant."""
    tools: Mapping[str, Isolation] = field(default_factory=dict)
    """For calls of the tool of that name, in all its versions, and of the source that may become it."""

    def level(self, tenant: str, tool: str = "", asked: Isolation | None = None) -> Isolation:
        """Return the level for a call.

        Args:
            tenant: whose call it is.
            tool: name of the tool, without version; empty for source that has none.
            asked: what the caller asks for, if anything.

        Raises:
            PermissionDenied: the caller asks for a weaker level than the policy has.
        """
        level = self.default
        for rule in (self.tenants.get(tenant), self.tools.get(tool)):
            if rule is not None and level.is_weaker_than(rule):
                level = rule
        if asked is None:
            return level
        if asked.is_weaker_than(level):
            raise PermissionDenied(
                f"isolation: {asked.value!r} is weaker than {level.value!r}, which the server's policy asks for here; "
                "a request may only ask for a stricter level"
            )
        return asked
