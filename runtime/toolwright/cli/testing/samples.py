"""What things of the command line's world look like, one of each."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from toolwright.attacks.report import Report
from toolwright.attacks.run import Result, Verdict
from toolwright.attacks.score import TITLES, Score
from toolwright.client import ToolDetails
from toolwright.domain.call import Isolation
from toolwright.domain.events import (
    Answered,
    Checked,
    Declined,
    Made,
    MakingEvent,
    Proposed,
    SolveEvent,
)
from toolwright.domain.gates import GateName, GateVerdict
from toolwright.domain.job import Budget, JobState
from toolwright.domain.limits import Limits
from toolwright.domain.making import MakingInfo
from toolwright.domain.outcome import (
    Execution,
    Failure,
    Outcome,
    Output,
    Provenance,
    Status,
    Timing,
    Usage,
)
from toolwright.domain.record import Check, Role, TokenUse, VerificationRecord
from toolwright.domain.source import ToolSource
from toolwright.domain.task import AnswerKind, Task
from toolwright.domain.tool import Demonstration, ToolInfo, ToolState
from toolwright.images.catalog import ImageInfo
from toolwright.images.lock import Package
from toolwright.sandbox.host.facts import EngineFacts
from toolwright.sandbox.selfcheck.check import SelfCheck
from toolwright.sandbox.selfcheck.finding import compare

USER_USE = TokenUse(Role.USER, "offline-user", 1, 100, 10, 0.001)
MAKER_USE = TokenUse(Role.MAKER, "offline-maker", 2, 1000, 500, 0.09)


def execution(
    status: Status = Status.SUCCESS,
    result_json: str | None = "5",
    failure: Failure | None = None,
    stdout: Output | None = None,
) -> Execution:
    """Return a call's end with every part filled."""
    outcome = Outcome(
        status,
        result_json if status is Status.SUCCESS else None,
        None if status is Status.SUCCESS else failure or Failure("ValueError", "no", "Traceback …"),
        stdout=stdout or Output(),
        usage=Usage(wall_ms=1.5, cpu_ms=1.0, peak_memory_bytes=9_000_000),
    )
    provenance = Provenance("sha256:" + "a" * 64, "sha256:" + "b" * 64, "runc", "c" * 64, isolation=Isolation.TOOL)
    return Execution("e" * 32, outcome, Limits(), Timing(run_ms=2.0), provenance)


def tool_info(name: str = "sort_words", number: int = 1) -> ToolInfo:
    """Return an active tool."""
    return ToolInfo(
        name=name,
        number=number,
        digest="sha256:" + "d" * 64,
        state=ToolState.ACTIVE,
        function=name,
        summary="Sort words.",
        signature="(words: list[str]) -> str",
        parameters={"type": "object", "properties": {"words": {"type": "array"}}, "additionalProperties": False},
        answer_kind=AnswerKind.TEXT,
        demonstrations=(Demonstration("Sort: b a", '{"words": ["b", "a"]}', "a b"),),
        verification_id="v1",
        created_at=1.0,
    )


def making_info(making_id: str = "m1", task: str = "sort_words", **changes: Any) -> MakingInfo:
    """Return a making that is under way."""
    budget, spent = Budget(5, 0, 20.0, 7200.0), Budget(1, 12, 0.1, 3.0)
    job = MakingInfo(
        making_id=making_id,
        task=task,
        task_digest="sha256:" + "e" * 64,
        kind="make",
        state=JobState.RUNNING,
        budget=budget,
        spent=spent,
        token_use=(MAKER_USE,),
        candidates=1,
        progress="attempt 2",
        owner="host:1:ab",
        starts=1,
        cancel_requested=False,
        reason="",
        tool_digest="",
        merged=False,
        created_at=1.0,
        finished_at=None,
    )
    return replace(job, **changes)


def shown(info: ToolInfo) -> ToolDetails:
    """Return `info` with a source and a record."""
    checks = (Check("1", held_out=False, status=Status.SUCCESS, passed=True, execution_id="x"),)
    task, image = "sha256:" + "e" * 64, "sha256:" + "b" * 64
    gates = (GateVerdict(GateName.PROBES, passed=True, evidence={"crashed": 0}),)
    record = VerificationRecord("v1", info.digest, task, image, "runc", "m", "u", checks, 1, 1.0, gates)
    source = ToolSource("def sort_words(words):\n    return sorted(words)\n", info.function)
    return ToolDetails(info, source, record, dependants=("uses_it@1", "uses_it@2"))


def made(task: Task) -> list[MakingEvent]:
    """Return a making that succeeds at once."""
    return [
        Proposed(1, f"def {task.name}(): ..."),
        Checked(1, "1", held_out=True, passed=True, status=Status.SUCCESS),
        Made(tool_info(task.name), 1, (MAKER_USE,)),
    ]


def answered(answer: str, execution_id: str = "x1") -> list[SolveEvent]:
    """Return a solving that ends with `answer`."""
    return [Answered(answer, json.dumps(answer), "sort_words@1", execution_id, (USER_USE,))]


def declined(reason: str = "nothing fits") -> list[SolveEvent]:
    """Return a solving that finds no tool."""
    return [Declined(reason, (USER_USE,))]


IMAGE = ImageInfo(
    name="python",
    reference="toolwright-sandbox-python:0123456789abcdef",
    image_id="sha256:" + "1" * 64,
    content_digest="sha256:" + "2" * 64,
    recipe_digest="3" * 64,
    created="",
    size_bytes=44_000_000,
    packages=(Package("libc6", "2.41", "amd64", "4" * 64),),
    packages_locked=True,
    agent_protocol=1,
)

FACTS = EngineFacts(
    "unix:///run/docker.sock",
    {"Components": [{"Name": "Engine", "Version": "29.6.0"}, {"Name": "runc", "Version": "1.4.4"}]},
    {
        "ServerVersion": "29.6.0",
        "KernelVersion": "6.12.85",
        "OperatingSystem": "Debian",
        "CgroupVersion": "2",
        "CgroupDriver": "systemd",
        "MemoryLimit": True,
        "SwapLimit": True,
        "PidsLimit": True,
        "CpuCfsQuota": True,
        "SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin", "name=userns"],
        "Runtimes": {"runc": {}},
    },
)


def self_check(*broken: str) -> SelfCheck:
    """Return a check of three layers, those of `broken` not in force."""
    layers = ("network", "memory", "user")
    return SelfCheck(
        tuple(compare(layer, "a probe", "no", "yes" if layer in broken else "no") for layer in layers), 0.1
    )


def attack_report(*results: Result) -> Report:
    """Return a report of one case that held, and of `results`."""
    held = Result("ES-01", "Mounts: nothing can be mounted", "runc", Verdict.PASS, Verdict.PASS, 0.2)
    scores = (Score("toolwright, runc", dict.fromkeys(TITLES, True)), Score("docker run", dict.fromkeys(TITLES, False)))
    return Report("2026-01-02T03:04:05+00:00", {"runc": "1.2.3"}, IMAGE.image_id, 7, 149, (held, *results), scores)
