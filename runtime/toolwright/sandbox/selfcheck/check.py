"""Runs the start-up check in a container of its own, made exactly like those of the pool."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace

from toolwright.domain.call import ToolCall
from toolwright.domain.json_rules import JsonRefused, JsonRules
from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Outcome, Status
from toolwright.domain.source import ToolSource
from toolwright.errors import EngineUnavailable, SandboxUnavailable
from toolwright.sandbox.base import Cancellation
from toolwright.sandbox.container import DockerSandbox, started
from toolwright.sandbox.engine import ENGINE_FAULTS, Engine
from toolwright.sandbox.owner import owner_label
from toolwright.sandbox.policy import SandboxPolicy
from toolwright.sandbox.selfcheck import attacks, facts
from toolwright.sandbox.selfcheck.finding import Finding, compare
from toolwright.sandbox.selfcheck.inspection import inspect
from toolwright.sandbox.uids import UidRanges

_RULES = JsonRules(max_bytes=64 * 1024, max_depth=3, max_items=256)
_KNOCK_S = 10.0
_EXPLAINED = 100
_TRIES = 3
"""Containers in which all is tried, where nothing was wrong but that an attack ended late."""
_LATE = (": container", ": ended in time")


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """What the check found, and how long it took."""

    findings: tuple[Finding, ...]
    seconds: float

    @property
    def broken(self) -> tuple[Finding, ...]:
        """The findings that are not as they have to be."""
        return tuple(finding for finding in self.findings if not finding.holds)

    @property
    def broken_layers(self) -> tuple[str, ...]:
        """The layers that are not in force, each once."""
        return tuple(dict.fromkeys(finding.layer for finding in self.broken))

    @property
    def passed(self) -> bool:
        """Whether every layer is in force, by at least one finding."""
        return bool(self.findings) and not self.broken

    @property
    def only_late(self) -> bool:
        """Whether all that fails is that an attack ended late, or took the container along, so that no more was tried.

        That is what a clean-up on a busy machine leads to. Each attack ended as it has to.
        """
        return bool(self.broken) and all(one.check.endswith(_LATE) for one in self.broken)

    def explain(self) -> str:
        """Say in one line which layers fail, all of them first, and by what."""
        if not self.findings:
            return "nothing was found out"
        first = {finding.layer: finding for finding in reversed(self.broken)}
        reasons = "; ".join(
            f"{layer}: {one.check} is {one.found[:_EXPLAINED]}, not {one.expected[:_EXPLAINED]}"
            for layer, one in ((layer, first[layer]) for layer in self.broken_layers)
        )
        return f"{', '.join(self.broken_layers)} ({reasons})"

    @property
    def refusal(self) -> str:
        """Why no tool may run in such a sandbox, and what to do; empty if all layers are in force."""
        if self.passed:
            return ""
        return (
            f"no tool is run: layers of the sandbox are not in force: {self.explain()}. `toolwright doctor` shows "
            "everything that was checked; correct the engine or the settings, and start again"
        )


def check_sandbox(engine: Engine, policy: SandboxPolicy, *, attack: bool = True) -> SelfCheck:
    """Start one container under `policy`, look at it from outside, and try its layers from inside.

    Args:
        engine: where.
        policy: what every container of the pool gets.
        attack: also take memory, processes, time and output until stopped: about two seconds more.

    Raises:
        SandboxUnavailable, ImageMissing: no container starts, and its options do not tell why.
        EngineUnavailable: the engine does not answer.
    """
    return repeated(lambda: _check_once(engine, policy, attack=attack))


def repeated(check_once: Callable[[], SelfCheck]) -> SelfCheck:
    """Check again, a few times, as long as all that is wrong is lateness: a layer that fails does so each time."""
    check = check_once()
    for _ in range(1, _TRIES):
        if not check.only_late:
            break
        again = check_once()
        check = replace(again, seconds=check.seconds + again.seconds)
    return check


def _check_once(engine: Engine, policy: SandboxPolicy, *, attack: bool) -> SelfCheck:
    begun = time.monotonic()
    uid_base = UidRanges(remapped=engine.remaps_users).take()
    try:
        with started(engine, policy, uid_base=uid_base, owner=owner_label()) as sandbox:
            findings = examine(engine, sandbox, policy).findings
            if attack:
                with ThreadPoolExecutor(1) as thread:  # the engine takes a second to count
                    counted = thread.submit(_count, engine, sandbox.info.container_id, policy)
                    findings += tuple(_attack(sandbox, policy))
                    findings += counted.result()
    except SandboxUnavailable as fault:
        findings = _look_unstarted(engine, policy, uid_base)
        if all(finding.holds for finding in findings):
            raise
        findings += (compare("start", "a container starts", expected=True, found=str(fault)),)
    return SelfCheck(findings, time.monotonic() - begun)


def examine(engine: Engine, sandbox: DockerSandbox, policy: SandboxPolicy) -> SelfCheck:
    """Look at a container from outside and try its layers from inside by one harmless call: 40 ms.

    Raises:
        SandboxUnavailable: it takes no call.
        EngineUnavailable: the engine does not answer.
    """
    begun = time.monotonic()
    findings = [*_look(engine, sandbox.info.container_id, policy), *_knock(engine, sandbox, policy)]
    return SelfCheck(tuple(findings), time.monotonic() - begun)


def _look(engine: Engine, container_id: str, policy: SandboxPolicy) -> list[Finding]:
    try:
        seen = engine.client.api.inspect_container(container_id)
        image = engine.client.images.get(policy.image_id).attrs
    except ENGINE_FAULTS as fault:
        raise EngineUnavailable(f"The engine does not tell about a container of ours: {fault}") from fault
    return inspect(seen, image, policy)


def _count(engine: Engine, container_id: str, policy: SandboxPolicy) -> tuple[Finding, ...]:
    """Ask for the limits that the host's kernel counts by: a runtime may take limits and not set them."""
    try:
        seen = engine.client.api.stats(container_id, stream=False, one_shot=True)
    except ENGINE_FAULTS as fault:
        raise EngineUnavailable(f"The engine does not count what a container of ours uses: {fault}") from fault
    memory, processes = (seen.get(name) or {} for name in ("memory_stats", "pids_stats"))
    return (
        compare("memory", "limit in the kernel", policy.limits.memory_bytes, memory.get("limit")),
        compare("processes", "limit in the kernel", policy.container_processes, processes.get("limit")),
        compare("network", "counters of interfaces", None, seen.get("networks")),
    )


def _look_unstarted(engine: Engine, policy: SandboxPolicy, uid_base: int) -> tuple[Finding, ...]:
    """Look at a container that does not start: what is wrong with it may be why. None if it cannot even be made."""
    try:
        container = engine.client.containers.create(**policy.container_options(uid_base, owner_label()))
    except ENGINE_FAULTS:
        return ()
    try:
        return tuple(_look(engine, str(container.id), policy))
    finally:
        with suppress(*ENGINE_FAULTS):
            container.remove(force=True, v=True)


def _knock(engine: Engine, sandbox: DockerSandbox, policy: SandboxPolicy) -> list[Finding]:
    source = ToolSource(facts.PROGRAM, facts.FUNCTION)
    limits = replace(policy.limits, wall_time_s=_KNOCK_S, result_bytes=_RULES.max_bytes)
    outcome, _ = _run(sandbox, source, limits, json.dumps(facts.ARGUMENTS))
    answers: object = None
    if outcome.result_json is not None:
        try:
            answers = _RULES.parse(outcome.result_json)
        except JsonRefused:
            answers = None
    if not isinstance(answers, dict):
        return [compare("a first call", "ends with its answers", Status.SUCCESS.value, _said(outcome))]
    version = 2 if str(engine.info.get("CgroupVersion", "1")) == "2" else 1
    return facts.judge(answers, policy, version)


def _attack(sandbox: DockerSandbox, policy: SandboxPolicy) -> Iterator[Finding]:
    for attack in attacks.attacks(policy):
        source, limits = ToolSource(attack.source, attacks.FUNCTION), attack.limits(policy.limits)
        outcome, seconds = _run(sandbox, source, limits)
        if attack.late(seconds) and not sandbox.doubt:  # a busy machine may be late; a broken layer is so each time
            outcome, seconds = _run(sandbox, source, limits)
        yield from attack.judge(outcome, seconds)
        if not attack.may_cost_container:
            yield compare(attack.layer, f"{attack.name}: container", "", sandbox.doubt)
        if sandbox.doubt:
            return


def _run(
    sandbox: DockerSandbox, source: ToolSource, limits: Limits, arguments_json: str = "{}"
) -> tuple[Outcome, float]:
    begun = time.monotonic()
    outcome = sandbox.run(ToolCall(source, arguments_json, limits), Cancellation())
    return outcome, time.monotonic() - begun


def _said(outcome: Outcome) -> str:
    failure = f": {outcome.failure.type}: {outcome.failure.message}" if outcome.failure else ""
    return f"{outcome.status.value}{failure}"
