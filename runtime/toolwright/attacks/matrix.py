"""Fires the whole matrix: every case under every runtime, and the limits score of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from toolwright.attacks.case import RUNTIMES, Case
from toolwright.attacks.catalog import all_cases
from toolwright.attacks.open import open_lab
from toolwright.attacks.report import Report
from toolwright.attacks.run import Result, run_cases
from toolwright.attacks.sabotage import sabotaged
from toolwright.attacks.score import Score, score_docker_run, score_sandbox
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.policy import SandboxPolicy
from toolwright.sandbox.selfcheck.check import check_sandbox

Tell = Callable[[Result], None]
"""Told of each case as it ends."""


def known_runtimes(engine: Engine) -> tuple[str, ...]:
    """Return the runtimes of the engine that cases have golden results for."""
    return tuple(runtime for runtime in RUNTIMES if runtime in engine.runtimes)


def fire_matrix(
    engine: Engine, policies: Sequence[SandboxPolicy], cases: Sequence[Case], seed: int, tell: Tell
) -> Report:
    """Fire cases under each policy, each at a warm pool of its own.

    Args:
        engine: where.
        policies: of the same image, one for each runtime.
        cases: what to fire.
        seed: draws their order.
        tell: told of each result.

    Raises:
        SandboxUnavailable, ImageMissing, EngineUnavailable: no container can be started.
    """
    begun = datetime.now(UTC).isoformat(timespec="seconds")
    results: list[Result] = []
    for policy in policies:
        with TemporaryDirectory(prefix="toolwright-attacks-") as directory:
            for result in _fired(engine, policy, cases, seed, Path(directory)):
                results.append(result)
                tell(result)
    return Report(
        begun,
        versions(engine),
        policies[0].image_id,
        seed,
        len(all_cases()),
        tuple(results),
        tuple(_scores(engine, policies)),
        {policy.runtime: refusal for policy in policies if (refusal := check_sandbox(engine, policy).refusal)},
    )


def versions(engine: Engine) -> Mapping[str, str]:
    """Return what a report says of product and machine: engine, runtimes, kernel, cgroup version."""
    components = {
        str(one.get("Name")): str(one.get("Version")) for one in engine.client.version().get("Components") or ()
    }
    info = engine.info
    return {
        "toolwright": version("toolwright"),
        **components,
        "kernel": str(info.get("KernelVersion", "?")),
        "system": f"{info.get('OperatingSystem', '?')}, {info.get('Architecture', '?')}",
        "cgroup": f"version {info.get('CgroupVersion', '1')}",
        "security": ", ".join(map(str, info.get("SecurityOptions") or ())),
    }


def _fired(
    engine: Engine, policy: SandboxPolicy, cases: Sequence[Case], seed: int, directory: Path
) -> Iterator[Result]:
    with open_lab(engine, policy, directory) as lab:
        yield from run_cases(cases, lab, seed)


def _scores(engine: Engine, policies: Sequence[SandboxPolicy]) -> Iterator[Score]:
    for policy in policies:
        with sabotaged(engine, policy) as sandbox:
            yield score_sandbox(f"toolwright, {policy.runtime}", sandbox)
    yield score_docker_run(engine, policies[0].image_id)
