"""`MemoryStore`: the registry without a database, for tests and for trying things out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

from toolwright.domain.lifecycle import NO_ORIGIN, Origin
from toolwright.domain.record import (
    Attempt,
    ExecutionEntry,
    Making,
    VerificationRecord,
)
from toolwright.domain.task import Task
from toolwright.domain.tool import RegisteredTool, ToolState, ToolVersion
from toolwright.errors import AlreadyExists, NotFound, StoreUnavailable
from toolwright.registry import log_rows, tool_rows
from toolwright.registry.admissible import check_admissible
from toolwright.registry.base import Heading
from toolwright.registry.kept_lifecycle import admitted_row
from toolwright.registry.memory_dependencies import MemoryDependencies
from toolwright.registry.memory_feedback import MemoryFeedback
from toolwright.registry.memory_jobs import MemoryJobs, MemorySynonyms
from toolwright.registry.memory_ledger import MemoryLedger
from toolwright.registry.memory_lifecycle import MemoryLifecycle, ToolShelf, add_event
from toolwright.registry.memory_misses import MemoryMisses
from toolwright.registry.memory_search import Listed, MemorySearch
from toolwright.registry.plain_name import meant_by_plain_name
from toolwright.registry.reference import parse_reference
from toolwright.registry.rows import Row
from toolwright.registry.search import OFFERED, SearchText
from toolwright.registry.storable import check_page, taken


class MemoryStore:
    """A `Store` that ends with the process.

    It keeps the same rows as `SqlStore`: values are copied on their way in and out, the same ones are
    refused, and digests are computed anew at each read.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        """Begin empty. `clock` gives seconds since 1970, UTC."""
        self._clock = clock
        self._lock = threading.Lock()
        self._closed = False
        self._shelf = ToolShelf()
        self._tasks, self._verifications = self._shelf.tasks, self._shelf.verifications
        self._versions, self._by_name = self._shelf.versions, self._shelf.by_name
        self.lifecycle: Final = MemoryLifecycle(self._shelf, self._transaction, clock)
        self._makings: dict[str, Row] = {}
        self._attempts: dict[str, dict[int, Row]] = {}
        self._executions: dict[str, Row] = {}
        self.search: Final = MemorySearch(self._listed)
        self.misses: Final = MemoryMisses(self._transaction)
        self.ledger: Final = MemoryLedger(self._transaction)
        self.dependencies: Final = MemoryDependencies(self._transaction, self._versions)
        self.jobs: Final = MemoryJobs(self._transaction, clock)
        self.synonyms: Final = MemorySynonyms(self._transaction, self._by_name.__contains__)
        self.feedback: Final = MemoryFeedback(self._transaction, self._versions, self._verifications, self._executions)

    # --- tasks ----------------------------------------------------------------------------------

    def save_task(self, task: Task) -> None:
        """See `Store`."""
        row = tool_rows.task_row(task)
        with self._transaction():
            if task.name not in self._by_name:
                self._tasks[task.name] = row

    def get_task(self, name: str) -> Task:
        """See `Store`."""
        with self._transaction():
            if name not in self._tasks:
                raise NotFound("task", name)
            return tool_rows.task_from(self._tasks[name])

    # --- tools ----------------------------------------------------------------------------------

    def admit(
        self,
        version: ToolVersion,
        record: VerificationRecord,
        task: Task,
        *,
        state: ToolState = ToolState.ACTIVE,
        origin: Origin = NO_ORIGIN,
    ) -> RegisteredTool:
        """See `Store`."""
        check_admissible(version, record, task)
        version_row, record_row = tool_rows.version_row(version), tool_rows.verification_row(record)
        task_row = tool_rows.task_row(task)
        with self._transaction():
            there = self._versions.get(version_row["digest"])
            if there is not None:
                return tool_rows.registered_from(there)
            if record.verification_id in self._verifications:
                raise taken("verification record", record.verification_id)
            self.dependencies.check_kept(version)
            version_row |= {
                "number": len(self._by_name.get(version.name, ())) + 1,
                "state": state.value,
                "verification_id": record.verification_id,
                "created_at": self._clock(),
            }
            event = admitted_row(version_row, self._clock(), origin)
            self._verifications[record.verification_id] = record_row
            self._versions[version_row["digest"]] = version_row
            self._by_name.setdefault(version.name, []).append(version_row)
            self._tasks[task.name] = task_row
            add_event(self._shelf, event)
            self.synonyms.targets.pop(version.name, None)
            return tool_rows.registered_from(version_row)

    def get_tool(self, reference: str, *, lot: float = 1.0) -> RegisteredTool:
        """See `Store`."""
        wanted = parse_reference(reference)
        with self._transaction():
            if wanted.digest:
                found = [self._versions[wanted.digest]] if wanted.digest in self._versions else []
            elif wanted.alias:
                number = self._shelf.aliases.get((wanted.name, wanted.alias), {}).get("number")
                found = [row for row in self._by_name.get(wanted.name, ()) if row["number"] == number]
            elif wanted.number is not None:
                found = [row for row in self._by_name.get(wanted.name, ()) if row["number"] == wanted.number]
            else:
                found = self._by_name_alone(wanted.name, lot) or self._by_name_alone(
                    self.synonyms.targets.get(wanted.name, ""), lot
                )
            if not found:
                raise NotFound("tool", reference)
            return tool_rows.registered_from(found[-1])

    def _by_name_alone(self, name: str, lot: float) -> list[Row]:
        aliases = {alias: row for (tool, alias), row in self._shelf.aliases.items() if tool == name}
        meant = meant_by_plain_name(self._by_name.get(name, ()), aliases, lot)
        return [] if meant is None else [meant]

    def list_tools(self, *, after: str = "", limit: int = 100) -> Sequence[RegisteredTool]:
        """See `Store`."""
        check_page(after, limit)
        with self._transaction():
            names = sorted(name for name in self._by_name if name > after)[:limit]
            return [tool_rows.registered_from(self._by_name[name][-1]) for name in names]

    def headings(self) -> Sequence[Heading]:
        """See `Store`."""
        with self._transaction():
            meant = {name: self._by_name_alone(name, 1.0) or versions for name, versions in self._by_name.items()}
            rows = self._tasks | {name: versions[-1] for name, versions in meant.items()}
        return [tool_rows.heading_from(row) for _, row in sorted(rows.items())]

    def get_verification(self, verification_id: str) -> VerificationRecord:
        """See `Store`."""
        with self._transaction():
            if verification_id not in self._verifications:
                raise NotFound("verification record", verification_id)
            return tool_rows.verification_from(self._verifications[verification_id])

    # --- makings --------------------------------------------------------------------------------

    def start_making(self, making: Making) -> None:
        """See `Store`."""
        row = log_rows.making_row(making)
        with self._transaction():
            if making.making_id in self._makings:
                raise taken("making", making.making_id)
            self._makings[making.making_id] = row
            self._attempts[making.making_id] = {}

    def add_attempt(self, attempt: Attempt) -> None:
        """See `Store`."""
        row = log_rows.attempt_row(attempt)
        with self._transaction():
            attempts = self._attempts.get(attempt.making_id)
            if attempts is None:
                raise NotFound("making", attempt.making_id)
            if attempt.number in attempts:
                raise taken("attempt", f"{attempt.making_id}/{attempt.number}")
            attempts[attempt.number] = row

    def finish_making(self, making_id: str, *, at: float, tool_digest: str = "", failure: str = "") -> None:
        """See `Store`."""
        end = log_rows.making_end_row(at, tool_digest, failure)
        with self._transaction():
            row = self._makings.get(making_id)
            if row is None:
                raise NotFound("making", making_id)
            if row["finished_at"] is None:
                row.update(end)
            elif log_rows.making_end_in(row) != end:
                raise AlreadyExists(f"the making {making_id!r} has already ended otherwise; start a new one")

    def list_makings(self, task: str = "") -> Sequence[Making]:
        """See `Store`."""
        with self._transaction():
            wanted = [row for row in self._makings.values() if task in {"", row["task"]}]
            return [log_rows.making_from(row) for row in sorted(wanted, key=lambda row: float(row["started_at"]))]

    def list_attempts(self, making_id: str) -> Sequence[Attempt]:
        """See `Store`."""
        with self._transaction():
            return [log_rows.attempt_from(row) for _, row in sorted(self._attempts.get(making_id, {}).items())]

    # --- executions -------------------------------------------------------------------------------

    def begin_execution(self, entry: ExecutionEntry) -> None:
        """See `Store`."""
        row = log_rows.execution_row(entry)
        with self._transaction():
            if entry.execution_id in self._executions:
                raise taken("execution", entry.execution_id)
            self._executions[entry.execution_id] = row

    def add_execution(self, entry: ExecutionEntry) -> None:
        """See `Store`."""
        row = log_rows.execution_row(entry)
        with self._transaction():
            begun = self._executions.get(entry.execution_id, {"status": log_rows.RUNNING})
            if begun["status"] != log_rows.RUNNING:
                raise taken("execution", entry.execution_id)
            self._executions[entry.execution_id] = row

    def get_execution(self, execution_id: str) -> ExecutionEntry:
        """See `Store`."""
        with self._transaction():
            if execution_id not in self._executions:
                raise NotFound("execution", execution_id)
            return log_rows.execution_from(self._executions[execution_id])

    def count_executions(self, *, purpose: str = "") -> int:
        """See `Store`."""
        with self._transaction():
            return sum(purpose in {"", row["purpose"]} for row in self._executions.values())

    def _listed(self) -> Sequence[Listed]:
        with self._transaction():
            offered = {
                name: next((row for state in OFFERED for row in reversed(rows) if row["state"] == state.value), None)
                for name, rows in self._by_name.items()
            }
            tools = [(name, dict(row)) for name, row in offered.items() if row is not None]
            tasks = [(name, dict(row)) for name, row in self._tasks.items() if name not in self._by_name]
        listed = [Listed(name, row["digest"], int(row["number"]), partial(_tool_text, row)) for name, row in tools]
        return listed + [Listed(name, row["digest"], 0, partial(_task_text, row)) for name, row in tasks]

    def close(self) -> None:
        """See `Store`."""
        with self._lock:
            self._closed = True

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            if self._closed:
                raise StoreUnavailable("the registry in memory was closed; open a new one")
            yield


def _tool_text(row: Row) -> SearchText:
    return SearchText.of_tool(tool_rows.registered_from(row).version)


def _task_text(row: Row) -> SearchText:
    return SearchText.of_task(tool_rows.task_from(row))
