"""The record of one making: its start, every attempt and its end, whatever happens in between."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from toolwright.domain.record import Attempt, Making, Stage
from toolwright.errors import AlreadyExists, StoreUnavailable
from toolwright.making.conversation import LOST, NOTHING_SENT
from toolwright.making.hold import Hold
from toolwright.making.tried import Tried
from toolwright.registry.base import Store

MAX_VERDICT_CHARS = 16_384
_REFUSED = "none of "


@dataclass(slots=True)
class Journal:
    """The record of one making. Open it with `open_journal`. Keeps nothing of a making that was let go."""

    store: Store
    making_id: str
    hold: Hold
    tool_digest: str = ""
    """Set when a tool was admitted."""
    failure: str = ""
    """Set when the making ended without one."""

    def refuse(self, attempts: int, report: str, feedback: str) -> str:
        """Note that none of so many `attempts` passed and which budget that was, and return how that reads."""
        last = f"; the last: {feedback}" if feedback else ""
        self.failure = f"{_REFUSED}{attempts} attempts passed: {report}{last}"
        return self.failure

    @contextmanager
    def attempt(self, tried: Tried) -> Iterator[None]:
        """Keep the attempt when the block ends, by an exception too. One that passed is for a `choice` to keep."""
        with self.choice([tried]):
            yield
        if tried.verified is None:
            self.keep(tried)

    @contextmanager
    def choice(self, tried: Sequence[Tried]) -> Iterator[None]:
        """Keep all of `tried` if the block, which decides between them, ends by an exception."""
        try:
            yield
        except BaseException as fault:
            for one in tried:
                one.notes.verdict = one.notes.verdict or ended_by(fault)
                with _keeping(fault):
                    self.keep(one)
            raise

    def keep(self, tried: Tried) -> None:
        """Keep an attempt. Tokens and cost are those of its exchanges: the maker's, and the light model's that try it.

        Raises:
            StoreUnavailable: it is not kept.
        """
        notes, uses = tried.notes, tried.meter.uses()
        self._add(
            Attempt(
                making_id=self.making_id,
                number=tried.number,
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
        )

    def keep_lost(self, number: int) -> None:
        """Keep that an attempt was begun, and that its server ended before it did."""
        stage = Stage.PROPOSE
        self._add(
            Attempt(self.making_id, number, NOTHING_SENT, "", "", stage, False, LOST, 0, 0, 0.0, time.time())  # noqa: FBT003
        )

    def finish(self, failure: str) -> None:
        """Keep the end of the making, by `failure` unless there is a tool."""
        if not self.hold.let_go:
            failure = "" if self.tool_digest else failure
            self.store.finish_making(
                self.making_id, at=time.time(), tool_digest=self.tool_digest, failure=failure[:MAX_VERDICT_CHARS]
            )

    def _add(self, attempt: Attempt) -> None:
        if not self.hold.let_go:
            self.store.add_attempt(attempt)


def was_refused(making: Making) -> bool:
    """Return whether `making` ended because no attempt passed: by no fault, and by nobody who went away."""
    return making.finished_at is not None and making.failure.startswith(_REFUSED)


@contextmanager
def open_journal(store: Store, task: str, making_id: str, hold: Hold) -> Iterator[Journal]:
    """Keep the start of a making now and its end when the block ends, by an exception or an abandoned stream too.

    One that was started before is gone on with.
    """
    journal = Journal(store, making_id, hold)
    with suppress(AlreadyExists):  # by a server that ended before the making did
        store.start_making(Making(making_id, task, time.time()))
    try:
        yield journal
    except BaseException as fault:
        with _keeping(fault):
            journal.finish(ended_by(fault))
        raise
    journal.finish(journal.failure)


@contextmanager
def _keeping(fault: BaseException) -> Iterator[None]:
    """Let `fault` be what the caller sees, even if it cannot be recorded."""
    try:
        yield
    except StoreUnavailable as unrecorded:
        fault.add_note(f"This is not in the registry: {unrecorded}")


def ended_by(fault: BaseException) -> str:
    """Return in words what ended an attempt or a making."""
    if isinstance(fault, GeneratorExit):
        return "stopped: the caller went away"
    return f"{type(fault).__name__}: {fault}"[:MAX_VERDICT_CHARS]
