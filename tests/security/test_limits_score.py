"""The limits score: what is in force in a sandbox of ours, and in a container of a plain `docker run`."""

from __future__ import annotations

import pytest

from tests.security.conftest import Sabotage
from toolwright.attacks.proof import NotProven
from toolwright.attacks.sabotage import FILTERS
from toolwright.attacks.score import FROM_OUTSIDE, TITLES, Score, score_docker_run, score_sandbox
from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Failure, Outcome, Output, Status, Usage
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.policy import SandboxPolicy

pytestmark = pytest.mark.security


def _missing(score: Score) -> set[str]:
    return {limit for limit, there in score.in_force.items() if not there}


def test_every_limit_is_in_force(sabotage: Sabotage) -> None:
    """In a sandbox of ours nothing is missing."""
    with sabotage() as sandbox:
        score = score_sandbox("ours", sandbox)

    assert _missing(score) == set()
    assert score.held == len(TITLES)
    assert str(score) == f"{len(TITLES)} of {len(TITLES)}"


def test_a_layer_that_is_taken_away_is_missed(sabotage: Sabotage) -> None:
    """Without the filters the score falls by just what they alone deny."""
    with sabotage(FILTERS) as weak:
        missing = _missing(score_sandbox("weak", weak))

    assert {"internet sockets", "other programs", "memory as a file", "tracing", "user namespaces"} <= missing
    assert {"kernel crypto sockets", "kernel keyrings", "shared memory"} <= missing
    assert {"memory", "open files", "network", "core dumps", "time", "output", "user"} <= set(TITLES) - missing


@pytest.mark.slow
def test_plain_docker_run(engine: Engine, policy: SandboxPolicy) -> None:
    """Docker's defaults bound neither memory nor processes, disk, time or output, and give root and a network."""
    score = score_docker_run(engine, policy.image_id)

    assert {"memory", "processes", "disk", "time", "output", "user", "root file system", "CPU"} <= _missing(score)
    assert {"threads", "open files", "file names", "capabilities", "network", "core dumps"} <= _missing(score)
    assert {"no new privileges", "device files", "environment", "other programs"} <= _missing(score)
    assert {"system call filter", "mounting", "left behind"} <= set(TITLES) - _missing(score)


class _Silent:
    """A sandbox in which every call crashes."""

    def run(self, code: str, *, arguments_json: str = "{}", limits: Limits | None = None) -> Outcome:
        nothing = Output(b"", 0)
        return Outcome(Status.CRASHED, None, Failure("SIGKILL", "", ""), nothing, nothing, Usage(0, 0, 0))


def test_a_probe_that_does_not_run_proves_nothing() -> None:
    """Silence is not taken for a limit."""
    with pytest.raises(NotProven, match="the probe of memory ended with"):
        score_sandbox("silent", _Silent())


def test_limits_seen_from_outside_are_among_the_titles() -> None:
    """Each limit of the score has its words."""
    assert set(FROM_OUTSIDE) < set(TITLES)
