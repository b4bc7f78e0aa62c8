"""What a store asks of a version before it keeps it. The same for every store."""

from __future__ import annotations

from toolwright.domain.record import VerificationRecord
from toolwright.domain.task import Task
from toolwright.domain.tool import ToolVersion


def check_admissible(version: ToolVersion, record: VerificationRecord, task: Task) -> None:
    """Let `version` pass if `record` shows that it, and nothing else, was verified on `task`, and nothing else.

    Raises:
        ValueError: the record is for another digest, or did not pass. A caller's bug.
    """
    if record.tool_digest != version.digest:
        raise ValueError(f"the record is for {record.tool_digest}, not for {version.digest}")
    if record.task_digest != task.digest:
        raise ValueError(f"the record is for the task {record.task_digest}, not for {task.digest}")
    if task.name != version.name:
        raise ValueError(f"the record of {version.name!r} is for the task {task.name!r}")
    if not record.passed:
        raise ValueError(f"the record of {version.digest} has a failed check, or lacks training or held-out ones")
    if not record.verification_id:
        raise ValueError(f"the record of {version.digest} has no id")
