"""What the check reports, and how its attacks are judged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from toolwright.domain.limits import MIB, Limits
from toolwright.domain.outcome import Failure, Outcome, Status
from toolwright.sandbox.policy import SandboxPolicy
from toolwright.sandbox.selfcheck.attacks import Attack, attacks
from toolwright.sandbox.selfcheck.check import SelfCheck, repeated
from toolwright.sandbox.selfcheck.facts import GVISOR
from toolwright.sandbox.selfcheck.finding import Finding, compare

pytestmark = pytest.mark.unit

POLICY = SandboxPolicy("sha256:" + "a" * 64, "{}")
GOOD, BAD = compare("network", "interfaces", "lo", "lo"), compare("network", "interfaces", "lo", "eth0,lo")
WORSE = compare("memory", "limit", 1, "x" * 1000)


def test_all_that_holds_passes() -> None:
    """No layer is broken, and there is nothing to refuse."""
    check = SelfCheck((GOOD, GOOD), 0.1)
    assert (check.passed, check.broken_layers, check.refusal) == (True, (), "")


def test_nothing_found_is_not_passed() -> None:
    """A check that looked at nothing proves nothing."""
    check = SelfCheck((), 0.1)
    assert not check.passed
    assert "nothing was found out" in check.refusal


def test_each_broken_layer_is_named_once_and_first() -> None:
    """However long the reasons are, the names come before them; each reason is cut."""
    check = SelfCheck((GOOD, BAD, WORSE, BAD), 0.1)
    assert (check.passed, check.broken_layers) == (False, ("network", "memory"))
    assert check.explain().startswith("network, memory (network: interfaces is 'eth0,lo', not 'lo'; memory: limit is")
    assert len(check.explain()) < 300
    assert "not in force: network, memory (" in check.refusal


LOST = compare("wall clock", "forks without end: container", "", "gave no proof that the call ended")

LATE = compare("wall clock", "forks without end: ended in time", expected=True, found=False)


@pytest.mark.parametrize(
    ("seen", "tries", "layers"),
    [
        ([(GOOD,)], 1, ()),
        ([(GOOD, LOST), (GOOD, GOOD)], 2, ()),
        ([(LOST,), (LOST,), (GOOD, LOST)], 3, ("wall clock",)),
        ([(GOOD, BAD)], 1, ("network",)),
        ([(LOST, BAD)], 1, ("network", "wall clock")),
        ([(LOST,), (BAD,)], 2, ("network",)),
        ([(LATE, LOST), (LATE, BAD)], 2, ("network", "wall clock")),
        ([()], 1, ()),
    ],
)
def test_only_what_was_late_is_tried_again(
    seen: list[tuple[Finding, ...]], tries: int, layers: tuple[str, ...]
) -> None:
    """A late clean-up may be the machine's; a layer that fails is told at once, and so is one that fails each time."""
    checks = iter([SelfCheck(findings, 1.0) for findings in seen])

    check = repeated(lambda: next(checks))

    assert set(check.broken_layers) == set(layers)
    assert check.seconds == tries
    assert next(checks, None) is None


def outcome(status: Status, result_json: str | None = None) -> Outcome:
    """Return a call's end."""
    return Outcome(status, result_json, None if status is Status.SUCCESS else Failure("E", "m", ""))


@pytest.mark.parametrize(
    ("attack", "end", "seconds", "layers"),
    [
        (Attack("eats", "memory", "", Status.OUT_OF_MEMORY), outcome(Status.OUT_OF_MEMORY), 1, set()),
        (Attack("eats", "memory", "", Status.OUT_OF_MEMORY), outcome(Status.SUCCESS, '"all"'), 1, {"memory"}),
        (Attack("eats", "memory", "", Status.OUT_OF_MEMORY), outcome(Status.CRASHED), 1, {"memory"}),
        (Attack("forks", "processes", "", Status.SUCCESS, result_json="31"), outcome(Status.SUCCESS, "31"), 1, set()),
        (
            Attack("forks", "processes", "", Status.SUCCESS, result_json="31"),
            outcome(Status.SUCCESS, "32"),
            1,
            {"processes"},
        ),
        (Attack("spins", "wall clock", "", Status.TIMEOUT, 0.2), outcome(Status.TIMEOUT), 0.6, set()),
        (Attack("spins", "wall clock", "", Status.TIMEOUT, 0.2), outcome(Status.TIMEOUT), 0.8, {"wall clock"}),
        (Attack("spins", "wall clock", "", Status.TIMEOUT, 0.2), outcome(Status.SUCCESS, "1"), 0.1, {"wall clock"}),
        (
            Attack("forks", "wall clock", "", Status.TIMEOUT, 0.2, memory_may_end_it=True),
            outcome(Status.OUT_OF_MEMORY),
            0.1,
            set(),
        ),
    ],
)
def test_only_the_exact_end_of_an_attack_holds(attack: Attack, end: Outcome, seconds: float, layers: set[str]) -> None:
    """Another verdict, another result, or the right one too late: the layer is named."""
    assert {finding.layer for finding in attack.judge(end, seconds) if not finding.holds} == layers


@pytest.mark.parametrize("runtime", ["runc", GVISOR])
@pytest.mark.parametrize("limits", [Limits(), Limits(0.05, 32 * MIB, 1, 4096, 1024, 1024), Limits(120, 2048 * MIB)])
def test_every_attack_is_bounded_whatever_the_settings_are(runtime: str, limits: Limits) -> None:
    """None runs longer than ten seconds, and none is given more memory or, but for a few, more processes."""
    policy = replace(POLICY, runtime=runtime, limits=limits, container_processes=limits.processes + 32)
    for attack in attacks(policy):
        given = attack.limits(limits)
        assert given.wall_time_s <= 10
        assert given.memory_bytes == limits.memory_bytes
        assert given.processes <= max(limits.processes, 8) < policy.container_processes
        compile(attack.source, attack.name, "exec")  # ours: that it parses is all that is tried here
