"""Either filter of system calls is enough, where all other layers are taken away."""

from __future__ import annotations

from typing import Final

import pytest

from tests.security.conftest import Sabotage
from toolwright.attacks.catalog.kernel_calls import KERNEL_SURFACE
from toolwright.attacks.catalog.mounts import MOUNT
from toolwright.attacks.catalog.namespaces import NAMESPACES, UNSHARE
from toolwright.attacks.catalog.tracing import PTRACE
from toolwright.attacks.probes import numbered
from toolwright.attacks.sabotage import POWERS, Layer
from toolwright.attacks.shot import returned

pytestmark = pytest.mark.security

_PROBES: Final = {"ES-01": MOUNT, "ES-02": UNSHARE, "ES-05": PTRACE, "ES-19": KERNEL_SURFACE}


@pytest.mark.parametrize("kept", [Layer.PROFILE, Layer.CALL_FILTER], ids=["profile", "call filter"])
@pytest.mark.parametrize(
    "probe", [pytest.param(probe, id=case, marks=pytest.mark.case(case)) for case, probe in _PROBES.items()]
)
def test_es_each_filter_is_enough(sabotage: Sabotage, kept: Layer, probe: str) -> None:
    """ES-01, 02, 05 and 19: either filter alone denies the same calls, to root with powerful capabilities too."""
    arguments = numbered(**({"flags": NAMESPACES} if probe is UNSHARE else {}))

    with sabotage(POWERS & ~kept) as half_open:
        answers = returned(half_open.run(probe, arguments_json=arguments))

    assert set(answers.values()) == {"EPERM"}, answers
