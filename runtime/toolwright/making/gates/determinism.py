"""The same calls again, in another process, with another seed of hashes, at another time: the same ends."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Final

from toolwright.domain.gates import GateName
from toolwright.making import feedback
from toolwright.making.case import Case
from toolwright.making.gates.base import Ruling, gate
from toolwright.making.gates.schema import describe_again
from toolwright.making.observation import Observation
from toolwright.making.verifier import REPLICA

_TICK_S: Final = 0.1
_WINDOW: Final = 4


def _judge(case: Case) -> Ruling:
    """Make each call again in the container of the repetitions, some time after it was made first."""
    policy = case.policy
    examples = {trial.ending.execution.execution_id for trial in case.trials if trial.ending.execution}
    total = differed = 0
    first_at = last_at = 0.0
    for seen in _shuffled(case):
        _wait_until(case, seen.at + policy.again_after_s)
        times = policy.repeats if seen.execution.execution_id in examples else 1
        again = [_again(case, seen) for _ in range(times)]
        first_at, last_at = first_at or seen.at, again[-1].at if again else last_at
        total += times
        differed += sum(other.key != seen.key for other in again)
    changed = case.described_again is not None and describe_again(case) != case.described_again
    evidence = {
        "repeated": total,
        "differed": differed,
        "description_changed": int(changed),
        "at_least_apart_s": policy.again_after_s,
        "first_to_last_s": round(last_at - first_at, 3),
    }
    if differed:
        return Ruling(evidence, feedback.on_repeats(differed, total))
    return Ruling(evidence, feedback.on_changed_description(1, 1) if changed else "")


def _shuffled(case: Case) -> Iterator[Observation]:
    """Yield the calls a little out of order: else the n-th call of one container would be the n-th of the other too."""
    draw = random.Random(case.seed)  # noqa: S311 - to be drawn again from the record, not to be secret
    calls = list(case.probed)
    for start in range(0, len(calls), _WINDOW):
        window = calls[start : start + _WINDOW]
        draw.shuffle(window)
        yield from window


def _again(case: Case, seen: Observation) -> Observation:
    return case.call(seen.arguments_json, replica=REPLICA)


def _wait_until(case: Case, moment: float) -> None:
    while (left := moment - time.monotonic()) > 0:
        case.candidate.patience.check()
        time.sleep(min(left, _TICK_S))


GATE: Final = gate(GateName.DETERMINISM, _judge)
