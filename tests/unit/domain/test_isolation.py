"""The operator's policy of isolation: the strictest that applies, and nothing weaker for anyone who asks."""

from __future__ import annotations

from itertools import product

import pytest

from toolwright.domain.call import Isolation
from toolwright.domain.isolation import IsolationPolicy
from toolwright.errors import PermissionDenied

pytestmark = pytest.mark.unit

CALL, TOOL, TENANT = Isolation.CALL, Isolation.TOOL, Isolation.TENANT
ORDER = [CALL, TOOL, TENANT]


def strictest(*levels: Isolation | None) -> Isolation:
    """Return the strictest, by a list of our own."""
    return min((level for level in levels if level), key=ORDER.index)


def test_weaker_is_a_strict_order() -> None:
    """A call's own is stricter than a tool's, and that than a tenant's; none is weaker than itself."""
    weaker = [(one, other) for one, other in product(Isolation, repeat=2) if one.is_weaker_than(other)]

    assert weaker == [(TOOL, CALL), (TENANT, CALL), (TENANT, TOOL)]


@pytest.mark.parametrize(("default", "tenant", "tool"), [*product(ORDER, [*ORDER, None], [*ORDER, None])])
def test_the_strictest_rule_wins(default: Isolation, tenant: Isolation | None, tool: Isolation | None) -> None:
    """Every combination of default, tenant's rule and tool's rule; other tenants' and tools' rules change nothing."""
    policy = IsolationPolicy(
        default,
        {"other": CALL} | ({"acme": tenant} if tenant else {}),
        {"other": CALL} | ({"parse": tool} if tool else {}),
    )

    assert policy.level("acme", "parse") is strictest(default, tenant, tool)
    assert policy.level("acme") is strictest(default, tenant)
    assert policy.level("nobody", "parse") is strictest(default, tool)
    assert policy.level("nobody", "nothing") is default


@pytest.mark.case("AP-26")
@pytest.mark.parametrize(("level", "asked"), [*product(ORDER, ORDER)])
def test_ap_26_a_weaker_level_is_refused(level: Isolation, asked: Isolation) -> None:
    """AP-26: who asks for as strict a level or a stricter one gets it; a weaker one is refused, with the reason."""
    policy = IsolationPolicy(TENANT, {}, {"parse": level})

    if ORDER.index(asked) <= ORDER.index(level):
        assert policy.level("acme", "parse", asked) is asked
    else:
        with pytest.raises(PermissionDenied, match=f"'{asked}' is weaker than '{level}'"):
            policy.level("acme", "parse", asked)
