"""Verifying kept versions again: where image or limits are others than in their records, or on demand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from toolwright.calling.models import MAKING, Models
from toolwright.calling.patience import Patience
from toolwright.domain.lifecycle import POLICY_ACTOR, UNKNOWN_ACTOR, Origin
from toolwright.domain.limits import Limits, LimitsRequest
from toolwright.domain.record import Role, VerificationRecord
from toolwright.domain.source import ToolSource
from toolwright.domain.task import Task
from toolwright.domain.tool import RegisteredTool, ToolState
from toolwright.errors import NotReady, ToolwrightError
from toolwright.execution.composition import Compositions
from toolwright.lifecycle.quarantine import Quarantine
from toolwright.llm.ledger import Meter
from toolwright.making.ingredients import gather
from toolwright.making.judge import Candidate, Verified
from toolwright.making.verdict import Refusal
from toolwright.registry.admission import Admission
from toolwright.registry.base import Store
from toolwright.sandbox.base import Cancellation, SandboxInfo

log = structlog.get_logger(__name__)

ON_DEMAND: Final = "verified again on demand"
_MAX_REASON_CHARS: Final = 2_000


class Jury(Protocol):
    """Judges candidates: `making.judge.Judge`."""

    def judge(self, candidate: Candidate) -> Generator[object, None, Verified | Refusal]:
        """Try `candidate`, and return it with its record, or why it is refused."""


@dataclass(frozen=True, slots=True)
class Reverdict:
    """What came of verifying a version again."""

    passed: bool
    tool: RegisteredTool
    """The version as it is now, or the one that took its place."""
    reason: str = ""
    """Why it did not pass. Holds nothing of held-out examples."""


def why_stale(record: VerificationRecord, info: SandboxInfo, ceilings: Limits) -> str:
    """Return why `record` says nothing of calls in `info` under `ceilings`; empty if it does.

    The set of libraries is part of the image, and so of its digest.
    """
    if record.image_digest != info.image_digest:
        return f"it was verified in the image {record.image_digest}, and calls run in {info.image_digest}"
    own: LimitsRequest | None = getattr(record, "limits", None)
    if own is None:
        return ""
    for name in ("wall_time_s", "memory_bytes", "output_bytes", "result_bytes"):
        needed, given = getattr(own, name), getattr(ceilings, name)
        if needed is not None and needed > given:
            return f"it was verified with {name} of {needed}, and calls get {given}"
    return ""


class Reverifying(Protocol):
    """Verifies a version again: a `Reverifier`, or what stands before one."""

    def verify(
        self,
        reference: str,
        *,
        actor: str,
        reason: str,
        cancellation: Cancellation | None = None,
    ) -> Reverdict:
        """See `Reverifier.verify`."""


class Reverifier:
    """Verifies kept versions again. Keeps nothing between requests; safe to use from many threads."""

    def __init__(
        self, *, store: Store, jury: Jury, models: Models, admission: Admission, quarantine: Quarantine
    ) -> None:
        """Let `jury` judge versions of `store` with the light model of `models`.

        `admission` keeps the new evidence of those that pass, `quarantine` holds back those that fail.
        """
        self._store, self._jury, self._models = store, jury, models
        self._admission, self._quarantine = admission, quarantine
        self._compositions = Compositions(store)

    def verify(
        self,
        reference: str,
        *,
        actor: str = UNKNOWN_ACTOR,
        reason: str = ON_DEMAND,
        cancellation: Cancellation | None = None,
        deadline_s: float | None = None,
    ) -> Reverdict:
        """Verify a version again on the task that is kept for its name.

        Raises:
            NotFound, InvalidInput: the reference.
            NotReady: the version is retired, or a part of it is and nothing took its place; or no light model is
                configured.
            ModelError, ToolwrightError: what the judge raises. Nothing was changed.
        """
        tool = self._store.get_tool(reference)
        if tool.state is ToolState.RETIRED:
            raise NotReady(f"{tool.reference} is retired, for good; make or register a new version")
        verdict = self._judge(tool, Patience.of(deadline_s, cancellation))
        if isinstance(verdict, Refusal):
            return self._failed(tool, verdict, actor, reason)
        return Reverdict(passed=True, tool=self._renewed(tool, verdict, actor, reason))

    def _judge(self, tool: RegisteredTool, patience: Patience) -> Verified | Refusal:
        task = self._store.get_task(tool.version.name)
        record = self._store.get_verification(tool.verification_id)
        meter = Meter(forward=self._store.ledger.add)
        user = self._models.metered(Role.USER, MAKING, meter)
        candidate = Candidate(task, self._source(tool, task), user, patience, record.attempts, record.maker_model)
        steps = self._jury.judge(candidate)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                verdict: Verified | Refusal = end.value
                return verdict

    def _source(self, tool: RegisteredTool, task: Task) -> ToolSource:
        """Return what is to be verified: with the parts as they are, or with what took the place of those out of use.

        Verifying a part again can make it another version: in another image each one is.

        Raises:
            NotReady: a part is out of use, and nothing took its place.
        """
        try:
            return self._compositions.source(tool)
        except NotReady as gone:
            newer = gather(self._store, task)
            if [part.name for part in newer.modules] != [part.name for part in tool.version.dependencies]:
                raise gone from None
            return newer.added_to(tool.version.source)

    def _failed(self, tool: RegisteredTool, refusal: Refusal, actor: str, reason: str) -> Reverdict:
        said = refusal.feedback[:_MAX_REASON_CHARS]
        log.warning("verified again, and failed", tool=tool.reference, reason=said)
        self._quarantine.hold(tool, f"{reason}: {said}", actor=actor)
        return Reverdict(passed=False, tool=self._store.get_tool(tool.version.digest), reason=said)

    def _renewed(self, tool: RegisteredTool, verified: Verified, actor: str, reason: str) -> RegisteredTool:
        task = self._store.get_task(tool.version.name)
        if verified.version.digest == tool.version.digest:
            return self._admission.renew(verified.record, task, actor=actor, reason=reason)
        # What defines the version is another now (its image, its limits, or how its examples are called), so it
        # is another version, with the same source. The one before would never be run again.
        newer = self._admission.admit(verified.version, verified.record, task, origin=Origin(actor, reason))
        try:
            self._store.lifecycle.change_state(
                tool.version.digest, ToolState.RETIRED, actor=actor, reason=f"{reason}: as {newer.reference}"
            )
        except NotReady:  # another server was first
            log.info("retired already", tool=tool.reference)
        return newer


class StartUpVerification:
    """Verifies anew, in the background, the active versions whose records do not fit this server. `start` it once."""

    def __init__(
        self,
        store: Store,
        reverifier: Reverifying,
        *,
        info: SandboxInfo,
        ceilings: Limits,
        trusts: Callable[[VerificationRecord, str], None],
    ) -> None:
        """Compare records in `store` with `info` and `ceilings`, as far as `trusts` does not refuse them."""
        self._store, self._reverifier, self._info, self._ceilings = store, reverifier, info, ceilings
        self._trusts = trusts
        self._cancellation = Cancellation()
        self._thread = threading.Thread(target=self._run, name="verifying", daemon=True)

    def start(self) -> None:
        """Begin. Until a version is verified again, the executor refuses it."""
        self._thread.start()

    def close(self) -> None:
        """End early: the version that is being verified stays as it is."""
        self._cancellation.cancel()
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)

    def wait(self, timeout_s: float) -> bool:
        """Wait for the end, and return whether it came."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def stale(self) -> Sequence[tuple[RegisteredTool, str]]:
        """Return the active versions that have to be verified again, and why. One that is damaged is left out."""
        found = []
        for digest in self._store.feedback.active_versions():
            try:
                tool = self._store.get_tool(digest)
                why = self._why(tool, self._store.get_verification(tool.verification_id))
            except ToolwrightError as fault:
                log.warning("not looked at", tool=digest, reason=str(fault))
                continue
            if why:
                found.append((tool, why))
        return self._parts_first(found)

    def _parts_first(self, found: Sequence[tuple[RegisteredTool, str]]) -> Sequence[tuple[RegisteredTool, str]]:
        """Sort parts before their users, which are verified with what becomes of them."""
        order: dict[str, tuple[RegisteredTool, str]] = {}
        waiting = {tool.version.digest: (tool, why) for tool, why in found}

        def take(digest: str) -> None:
            if (one := waiting.pop(digest, None)) is not None:  # digests go in no circles
                for part in one[0].version.dependencies:
                    take(part.digest)
                order[digest] = one

        for tool, _ in found:
            take(tool.version.digest)
        return tuple(order.values())

    def _why(self, tool: RegisteredTool, record: VerificationRecord) -> str:
        try:
            self._trusts(record, tool.reference)
        except NotReady as distrust:
            return str(distrust)
        return why_stale(record, self._info, self._ceilings)

    def _run(self) -> None:
        try:
            stale = self.stale()
        except ToolwrightError as fault:
            log.warning("not verified again", reason=str(fault))
            return
        if not stale:
            return
        log.warning("verifying again", tools=len(stale), refused_until_then=[tool.reference for tool, _ in stale][:100])
        passed = sum(self._verify(tool, why) for tool, why in stale)
        log.warning("verified again", tools=len(stale), passed=passed)

    def _verify(self, tool: RegisteredTool, why: str) -> bool:
        if self._cancellation.cancelled:
            return False
        try:
            return self._reverifier.verify(
                tool.version.digest, actor=POLICY_ACTOR, reason=why, cancellation=self._cancellation
            ).passed
        except ToolwrightError as fault:
            log.warning("not verified again", tool=tool.reference, reason=str(fault)[:500])
        except Exception:  # a fault of ours with one tool must not leave the others unverified
            log.exception("not verified again", tool=tool.reference)
        return False
