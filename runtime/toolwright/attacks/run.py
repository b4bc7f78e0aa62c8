"""Fires cases and says of each what came of it."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from toolwright.attacks.case import Case, Fire
from toolwright.attacks.lab import Lab
from toolwright.attacks.proof import NotProven
from toolwright.errors import ToolwrightError

_SHOWN = 2_000


class Verdict(StrEnum):
    """What came of a case, or of its control."""

    PASS = "PASS"  # noqa: S105 - a verdict
    FAIL = "FAIL"
    SKIPPED = "SKIPPED"
    """Nothing is proven, and `detail` says why."""
    KNOWN = "KNOWN"
    """It fails, and it is written down why, by whom and since when."""


@dataclass(frozen=True, slots=True)
class Result:
    """One case under one runtime."""

    id: str
    title: str
    runtime: str
    verdict: Verdict
    control: Verdict
    """Whether its control saw what it has to see; SKIPPED also where it has none under this runtime."""
    seconds: float
    detail: str = ""
    """Why it is not PASS, in words that may hold a tool's text."""
    differs: str = ""
    """How the golden result of this runtime differs from runc's, and why."""


def run_case(case: Case, lab: Lab) -> Result:
    """Fire one case and its control.

    Args:
        case: what to fire.
        lab: where.
    """
    begun = time.monotonic()
    if lab.runtime not in case.runtimes:
        verdict, detail = Verdict.SKIPPED, f"it is not fired under {lab.runtime}"
        control, why = Verdict.SKIPPED, ""
    else:
        verdict, detail = _fire(case.attack, lab)
        control, why = _control(case, lab)
    if verdict is Verdict.PASS and why:
        verdict, detail = Verdict.SKIPPED, f"its control shows nothing: {why}"
    known = case.known.get(lab.runtime)
    if verdict is Verdict.FAIL and known is not None:
        verdict, detail = Verdict.KNOWN, f"{known.reason} ({known.owner}, {known.since}): {detail}"
    seconds = time.monotonic() - begun
    return Result(
        case.id, case.title, lab.runtime, verdict, control, seconds, detail, case.differs.get(lab.runtime, "")
    )


def run_cases(cases: Iterable[Case], lab: Lab, seed: int) -> Iterator[Result]:
    """Fire cases one after another at one warm pool, in an order drawn by `seed`."""
    drawn = list(cases)
    random.Random(seed).shuffle(drawn)  # noqa: S311 - an order, no secret
    for case in drawn:
        yield run_case(case, lab)


def _control(case: Case, lab: Lab) -> tuple[Verdict, str]:
    if case.control is None or lab.runtime not in case.control_runtimes:
        return Verdict.SKIPPED, ""
    return _fire(case.control, lab)


def _fire(fire: Fire, lab: Lab) -> tuple[Verdict, str]:
    try:
        fire(lab)
    except NotProven as nothing:
        return Verdict.SKIPPED, str(nothing)[:_SHOWN]
    except (AssertionError, ToolwrightError, LookupError, OSError, ValueError, TypeError) as fault:
        return Verdict.FAIL, f"{type(fault).__name__}: {fault}"[:_SHOWN]
    return Verdict.PASS, ""
