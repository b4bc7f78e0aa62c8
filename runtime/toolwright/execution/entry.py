"""The log entry of an execution: as it begins, and as it ends. Texts of callers and tools go in as hashes only."""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import replace

from toolwright.domain.call import ExecutionRequest
from toolwright.domain.outcome import Outcome, Status
from toolwright.domain.record import ExecutionEntry
from toolwright.sandbox.base import SandboxInfo


def begun(request: ExecutionRequest, tool: str, digest: str, verification_id: str) -> ExecutionEntry:
    """Return the entry of an execution that begins now, with an id of 128 random bits."""
    return ExecutionEntry(
        execution_id=secrets.token_hex(16),
        at=time.time(),
        tenant=request.tenant,
        purpose=request.purpose,
        tool=tool,
        tool_digest=digest,
        arguments_sha256=_sha256(request.arguments_json),
        status=None,
        result_sha256="",
        image_digest="",
        runtime="",
        container_id="",
        verification_id=verification_id,
        wall_ms=0.0,
        cpu_ms=0.0,
        peak_memory_bytes=0,
        stdout_bytes=0,
        stderr_bytes=0,
        ended=False,
    )


def placed(entry: ExecutionEntry, info: SandboxInfo) -> ExecutionEntry:
    """Return `entry` with where it runs."""
    return replace(entry, image_digest=info.image_digest, runtime=info.runtime, container_id=info.container_id)


def ended(entry: ExecutionEntry, info: SandboxInfo, outcome: Outcome | None) -> ExecutionEntry:
    """Return `entry` with its end; `outcome` is None if the caller cancelled."""
    entry = replace(placed(entry, info), ended=True)
    if outcome is None:
        return entry
    result = outcome.result_json
    return replace(
        entry,
        status=outcome.status,
        result_sha256="" if result is None else _sha256(result),
        wall_ms=outcome.usage.wall_ms,
        cpu_ms=outcome.usage.cpu_ms,
        peak_memory_bytes=outcome.usage.peak_memory_bytes,
        stdout_bytes=outcome.stdout.total_bytes,
        stderr_bytes=outcome.stderr.total_bytes,
    )


def never_ran(entry: ExecutionEntry, info: SandboxInfo) -> ExecutionEntry:
    """Return `entry` with an end that is our fault: the sandbox was gone before the call was sent."""
    return replace(placed(entry, info), status=Status.INFRASTRUCTURE, ended=True)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
