"""The record of one making: its start, every attempt and its end, whatever happens in between."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from toolwright.domain.record import Attempt, Making, ModelUse, Stage
from toolwright.errors import StoreUnavailable
from toolwright.llm.ledger import Meter
from toolwright.registry.base import Store

MAX_VERDICT_CHARS = 16_384
_REFUSED = "none of "


@dataclass(slots=True)
class AttemptNotes:
    """What is known of an attempt so far; kept when it ends, however that comes about."""

    prompt: str = "[]"
    reply: str = ""
    source: str = ""
    stage: Stage = Stage.PROPOSE
    accepted: bool = False
    verdict: str = ""


@dataclass(slots=True)
class Journal:
    """The record of one making. Open it with `open_journal`."""

    store: Store
    meter: Meter
    making_id: str
    tool_digest: str = ""
    """Set when a tool was admitted."""
    failure: str = ""
    """Set when the making ended without one."""

    def refuse(self, attempts: int, feedback: str) -> str:
        """Note that none of so many `attempts` passed, and return how that reads."""
        self.failure = f"{_REFUSED}{attempts} attempts passed; the last: {feedback}"
        return self.failure

    @contextmanager
    def attempt(self, number: int) -> Iterator[AttemptNotes]:
        """Keep the attempt when the block ends, by an exception too.

        Tokens and cost are those of all its exchanges: the maker's, and the light model's that try it.
        """
        notes, before = AttemptNotes(), len(self.meter.uses())
        try:
            yield notes
        except BaseException as fault:
            notes.verdict = notes.verdict or _ended_by(fault)
            with _keeping(fault):
                self.store.add_attempt(self._attempt(number, notes, self.meter.uses()[before:]))
            raise
        self.store.add_attempt(self._attempt(number, notes, self.meter.uses()[before:]))

    def _attempt(self, number: int, notes: AttemptNotes, uses: tuple[ModelUse, ...]) -> Attempt:
        return Attempt(
            making_id=self.making_id,
            number=number,
            prompt=notes.prompt,
            reply=notes.reply,
            source=notes.source,
            stage=notes.stage,
            accepted=notes.accepted,
            verdict=notes.verdict[:MAX_VERDICT_CHARS],
            prompt_tokens=sum(use.prompt_tokens for use in uses),
            completion_tokens=sum(use.completion_tokens for use in uses),
            cost_usd=sum(use.cost_usd for use in uses),
            at=time.time(),
        )


def was_refused(making: Making) -> bool:
    """Return whether `making` ended because no attempt passed: by no fault, and by nobody who went away."""
    return making.finished_at is not None and making.failure.startswith(_REFUSED)


@contextmanager
def open_journal(store: Store, task: str, meter: Meter) -> Iterator[Journal]:
    """Keep the start of a making now and its end when the block ends, by an exception or an abandoned stream too."""
    journal = Journal(store, meter, secrets.token_hex(16))
    store.start_making(Making(journal.making_id, task, time.time()))
    try:
        yield journal
    except BaseException as fault:
        with _keeping(fault):
            store.finish_making(
                journal.making_id,
                at=time.time(),
                tool_digest=journal.tool_digest,
                failure="" if journal.tool_digest else _ended_by(fault),
            )
        raise
    store.finish_making(
        journal.making_id,
        at=time.time(),
        tool_digest=journal.tool_digest,
        failure="" if journal.tool_digest else journal.failure,
    )


@contextmanager
def _keeping(fault: BaseException) -> Iterator[None]:
    """Let `fault` be what the caller sees, even if it cannot be recorded."""
    try:
        yield
    except StoreUnavailable as unrecorded:
        fault.add_note(f"This is not in the registry: {unrecorded}")


def _ended_by(fault: BaseException) -> str:
    if isinstance(fault, GeneratorExit):
        return "stopped: the caller went away"
    return f"{type(fault).__name__}: {fault}"[:MAX_VERDICT_CHARS]
