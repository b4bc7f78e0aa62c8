"""An execution on record, as it begins and as it ends. Texts of callers and tools go in as hashes only."""

from __future__ import annotations

import hashlib
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass, replace

from toolwright.domain.call import ExecutionRequest
from toolwright.domain.outcome import Outcome, Status
from toolwright.domain.record import ExecutionEntry
from toolwright.errors import RecordLost, ToolwrightError
from toolwright.registry.base import Store
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


@dataclass(slots=True)
class Record:
    """Puts one execution on record: that it begins, before it is sent, and its end, whatever that is."""

    store: Store
    entry: ExecutionEntry
    _begun: bool = False

    @property
    def execution_id(self) -> str:
        """Names the execution."""
        return self.entry.execution_id

    def begin(self, info: SandboxInfo) -> None:
        """Say that it is about to be sent to a sandbox: if this process dies now, the log shows it.

        Raises:
            StoreUnavailable: it could not be kept, so it must not be sent.
        """
        self.entry = replace(
            self.entry, image_digest=info.image_digest, runtime=info.runtime, container_id=info.container_id
        )
        if not self._begun:
            self.store.begin_execution(self.entry)
            self._begun = True

    def give_up(self) -> None:
        """Say that it was never sent after all, if it has begun."""
        if self._begun:
            with suppress(ToolwrightError):  # the fault that led here is the one to tell
                self.store.add_execution(replace(self.entry, status=Status.INFRASTRUCTURE, ended=True))

    def end(self, outcome: Outcome | None) -> None:
        """Say how it ended; `outcome` is None if the caller cancelled.

        Raises:
            RecordLost: that could not be kept.
        """
        try:
            self.store.add_execution(_ended(self.entry, outcome))
        except ToolwrightError as fault:
            raise RecordLost(
                f"The tool ran, but its end could not be put on record, so its result is not given out. {fault}"
            ) from fault


def _ended(entry: ExecutionEntry, outcome: Outcome | None) -> ExecutionEntry:
    entry = replace(entry, ended=True)
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


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
