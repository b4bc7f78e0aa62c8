"""Valid values to put into a store, for tests. Each argument replaces a part that matters to one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from toolwright.domain.gates import GateName, GateVerdict
from toolwright.domain.job import Job
from toolwright.domain.outcome import Status
from toolwright.domain.record import (
    Attempt,
    Check,
    ExecutionEntry,
    Making,
    ModelUse,
    Role,
    Stage,
    VerificationRecord,
)
from toolwright.domain.source import ToolSource
from toolwright.domain.task import AnswerKind, Example, Task
from toolwright.domain.tool import Demonstration, Description, ToolVersion
from toolwright.registry.signing import Signer


def sample_task(name: str = "add", **changes: Any) -> Task:
    """Return a task with two examples."""
    task = Task(
        name=name,
        description="Add two numbers.",
        training=(Example("t1", "What is 1 + 2?", "3"),),
        held_out=(Example("h1", "What is 2 + 2?", "4"),),
        answer_kind=AnswerKind.NUMBER,
    )
    return replace(task, **changes)


def sample_version(name: str = "add", code: str = "def add(a, b):\n    return a + b\n", **changes: Any) -> ToolVersion:
    """Return a version of a tool; each `code` gives another digest."""
    version = ToolVersion(
        name=name,
        source=ToolSource(code, "add"),
        description=Description(
            "Add two numbers.",
            "add(a: int, b: int) -> int",
            {
                "type": "object",
                "properties": {"b": {"type": "integer"}, "a": {"type": "integer"}},
                "required": ["b", "a"],
                "additionalProperties": False,
            },
        ),
        answer_kind=AnswerKind.NUMBER,
        demonstrations=(Demonstration("What is 1 + 2?", '{"a":1,"b":2}', "3"),),
        task_description="Add two numbers.",
    )
    return replace(version, **changes)


def sample_record(version: ToolVersion, verification_id: str = "v-1", **changes: Any) -> VerificationRecord:
    """Return the record on which `version` may be admitted with the `sample_task` of its name."""
    record = VerificationRecord(
        verification_id=verification_id,
        tool_digest=version.digest,
        task_digest=sample_task(version.name).digest,
        image_digest="sha256:" + "1" * 64,
        runtime="runc",
        maker_model="maker",
        user_model="user",
        checks=(
            Check("t1", held_out=False, status=Status.SUCCESS, passed=True, execution_id="e-1"),
            Check("h1", held_out=True, status=Status.SUCCESS, passed=True, execution_id="e-2"),
        ),
        attempts=1,
        at=1_700_000_000.25,
    )
    return replace(record, **changes)


def sample_gates() -> tuple[GateVerdict, ...]:
    """Return the verdicts of all gates on a tool that passed."""
    return tuple(GateVerdict(gate, passed=True, evidence={"calls": 3, "share": 0.5, "text": "ü"}) for gate in GateName)


def signed_record(
    signer: Signer, image_digest: str, version: ToolVersion, verification_id: str = "v-1", **changes: Any
) -> VerificationRecord:
    """Return the same as a server with this key would have it that runs this image: what it then lets run.

    `Signer.open(state_dir / "signing.key")` has the key of the server with that directory.
    """
    return signer.sign(sample_record(version, verification_id, image_digest=image_digest, **changes))


def sample_execution(execution_id: str = "e-1", **changes: Any) -> ExecutionEntry:
    """Return one line of the execution log, as long as real ones."""
    entry = ExecutionEntry(
        execution_id=execution_id,
        at=1_700_000_000.125,
        tenant="default",
        purpose="call",
        tool="add@1",
        tool_digest="sha256:" + "2" * 64,
        arguments_sha256="3" * 64,
        status=Status.SUCCESS,
        result_sha256="4" * 64,
        image_digest="sha256:" + "1" * 64,
        runtime="runc",
        container_id="5" * 64,
        verification_id="v-1",
        wall_ms=2.5,
        cpu_ms=1.25,
        peak_memory_bytes=12_345_678,
        stdout_bytes=0,
        stderr_bytes=7,
    )
    return replace(entry, **changes)


def sample_making(making_id: str = "m-1", task: str = "add", started_at: float = 1.5) -> Making:
    """Return the start of a making."""
    return Making(making_id=making_id, task=task, started_at=started_at)


def sample_attempt(making_id: str = "m-1", number: int = 1, **changes: Any) -> Attempt:
    """Return an attempt that was refused."""
    attempt = Attempt(
        making_id=making_id,
        number=number,
        prompt='[{"role":"user","content":"Make a tool."}]',
        reply="```python\ndef add(a, b): ...\n```",
        source="def add(a, b): ...",
        stage=Stage.VERIFY,
        accepted=False,
        verdict="training example 't1': expected 3",
        prompt_tokens=120,
        completion_tokens=30,
        cost_usd=0.0125,
        at=2.5,
    )
    return replace(attempt, **changes)


def sample_use(role: Role = Role.USER, **changes: Any) -> ModelUse:
    """Return one exchange with a model."""
    use = ModelUse(
        role=role,
        model="small",
        prompt_tokens=100,
        completion_tokens=10,
        cost_usd=0.5,
        seconds=0.25,
        task="add",
        purpose="using",
        at=3.5,
    )
    return replace(use, **changes)


def sample_job(making_id: str = "m-1", **changes: Any) -> Job:
    """Return a job that waits, for the `sample_task`."""
    return replace(Job(making_id=making_id, task=sample_task(), created_at=1.5), **changes)
