"""One job that this server works on: its claim, its events, and its switch."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from toolwright.domain.job import Job, join_use
from toolwright.domain.record import ModelUse, sum_use
from toolwright.llm.ledger import Record
from toolwright.making.feed import Feed
from toolwright.making.hold import LetGo
from toolwright.registry.jobs import Jobs, Progress
from toolwright.sandbox.base import Cancellation


@dataclass(slots=True)
class Run:
    """The claim of this server on one job; a `Hold`. Safe to use from many threads."""

    job: Job
    owner: str
    jobs: Jobs
    lease_s: float
    record: Record
    """Is told of each exchange with a model."""
    feed: Feed = field(default_factory=Feed)
    cancellation: Cancellation = field(default_factory=Cancellation)
    let_go: bool = False
    _uses: list[ModelUse] = field(default_factory=list)
    _begun: int = 0
    _words: str = ""
    _start: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._begun = self.job.begun

    def check(self) -> None:
        """See `Hold`."""
        if not self.renew():
            raise LetGo("another server has the making")

    def note(self, progress: Progress) -> None:
        """See `Hold`."""
        with self._lock:
            self._begun, self._words = progress.begun, progress.words
        if not self.let_go and not self.jobs.note(self.job.making_id, self.owner, progress):
            self.lose()

    def told(self, use: ModelUse) -> None:
        """Count an exchange, at once: a server that is killed has not lost it."""
        self.record(use)
        with self._lock:
            self._uses.append(use)
            spent = join_use(self.job.token_use, sum_use(self._uses))
            progress = Progress(self._begun, spent, self.seconds, self._words)
        self.note(progress)

    @property
    def seconds(self) -> float:
        """How long servers have worked on the job."""
        return self.job.seconds + time.monotonic() - self._start

    def renew(self) -> bool:
        """Extend the lease, and end the work if its end is asked for; return whether the job is still ours."""
        if self.let_go:
            return False
        job = self.jobs.renew(self.job.making_id, self.owner, lease_s=self.lease_s)
        if job is None:
            self.lose()
            return False
        if job.cancel_requested:
            self.cancellation.cancel()
        return True

    def lose(self) -> None:
        """Stop working, and record nothing more: the job is not ours any more."""
        self.let_go = True
        self.cancellation.cancel()
