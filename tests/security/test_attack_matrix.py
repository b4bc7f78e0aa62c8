"""The attack matrix: every case of the catalog under every runtime that is here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.attack_results import RESULT
from toolwright.attacks.case import RUNTIMES, Case
from toolwright.attacks.catalog import all_cases
from toolwright.attacks.lab import Lab
from toolwright.attacks.open import open_lab
from toolwright.attacks.run import Verdict, run_case
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.policy import SandboxPolicy
from toolwright.sandbox.selfcheck.facts import GVISOR

pytestmark = pytest.mark.security


@pytest.fixture(scope="session")
def gvisor_lab(engine: Engine, policy: SandboxPolicy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The range under gVisor."""
    if GVISOR not in engine.info.get("Runtimes", {}):
        pytest.skip("NOT PROVEN under gVisor: the engine has no runtime `runsc`")
    with open_lab(engine, replace(policy, runtime=GVISOR), tmp_path_factory.mktemp("host")) as opened:
        yield opened


def _matrix() -> list[object]:
    """Return every case under every runtime; those under gVisor, which is slow here, are for the whole run."""
    return [
        pytest.param(
            case,
            runtime,
            id=f"{case.id}-{runtime}",
            marks=[pytest.mark.case(case.id), *([pytest.mark.slow] if runtime == GVISOR else [])],
        )
        for runtime in RUNTIMES
        for case in all_cases()
    ]


@pytest.mark.parametrize(("case", "runtime"), _matrix())
def test_case(case: Case, runtime: str, request: pytest.FixtureRequest) -> None:
    """What the case demands is seen, and its control shows that it could be seen otherwise."""
    lab: Lab = request.getfixturevalue("gvisor_lab" if runtime == GVISOR else "lab")

    result = run_case(case, lab)

    request.node.stash[RESULT] = result
    assert result.control is not Verdict.FAIL, result.detail
    if result.verdict in {Verdict.SKIPPED, Verdict.KNOWN}:
        pytest.skip(f"{result.verdict}: {result.detail}")
    assert result.verdict is Verdict.PASS, result.detail


def test_every_case_has_a_control_somewhere() -> None:
    """No denial is believed without having seen the same probe succeed."""
    assert [case.id for case in all_cases() if case.control is None] == []


def test_no_case_is_written_down_twice() -> None:
    """An id names one case."""
    ids = [case.id for case in all_cases()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_known_failures_have_an_owner_and_a_date(runtime: str) -> None:
    """Nothing is written off without a name."""
    known = [case.known[runtime] for case in all_cases() if runtime in case.known]
    assert all(one.reason and one.owner and one.since for one in known)
