"""Fixtures of the security tier."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from toolwright.attacks.lab import Lab
from toolwright.attacks.observer import Observer, observing
from toolwright.attacks.open import open_lab
from toolwright.attacks.sabotage import Sabotaged
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.policy import SandboxPolicy

Sabotage = Callable[..., AbstractContextManager[Sabotaged]]
"""(layers to leave out, **other fields of the policy) → a weakened sandbox."""


@pytest.fixture(scope="session")
def observer(engine: Engine, policy: SandboxPolicy) -> Iterator[Observer]:
    """The view from outside."""
    with observing(engine, policy.image_id) as looking:
        yield looking


@pytest.fixture(scope="session")
def lab(engine: Engine, policy: SandboxPolicy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The range, under the default runtime."""
    with open_lab(engine, policy, tmp_path_factory.mktemp("host")) as opened:
        yield opened


@pytest.fixture(scope="session")
def sabotage(lab: Lab) -> Sabotage:
    """Make sandboxes without some layers: there a probe has to succeed that is denied in ours."""
    return lab.weakened
