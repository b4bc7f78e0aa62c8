"""Watches how active versions do, and holds back those of which too much goes wrong.

Calls only leave a note, in a queue that is bounded; a thread of its own reads them, some times a second. What it counts
are the calls of this server since its start, but reports on answers, which the registry has: of all servers, for good.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import structlog

from toolwright.domain.call import ExecutionRequest, Operation
from toolwright.domain.feedback_policy import Action, FeedbackPolicy, Signal
from toolwright.domain.lifecycle import EventKind
from toolwright.domain.outcome import Status
from toolwright.domain.tool import RegisteredTool, ToolState
from toolwright.errors import NotFound, StoreCorrupt, ToolwrightError
from toolwright.execution.watch import says_of_tool
from toolwright.lifecycle.drift import MAX_WATCHED_CHARS, Profile
from toolwright.lifecycle.windows import Windows
from toolwright.registry.base import Store

QUEUE: Final = 2_048
"""Notes that wait to be read; beyond it the oldest are lost. With their arguments they take 32 MiB at most."""
LOOK_S: Final = 0.2
RETRY_S: Final = 5.0
"""The same, while the registry fails."""
MAX_VERSIONS: Final = 4_096
"""Versions that are watched at a time: those that were called last."""
SOLVING: Final = "solve"
"""Purpose of calls that light models make."""
_EVENTS_A_PAGE: Final = 1_000

Hold = Callable[[RegisteredTool, str], object]
"""What is given a version that broke the policy, with the figures in words."""

log = structlog.get_logger(__name__)


class _Note(NamedTuple):
    """What a call leaves."""

    digest: str
    status: Status | None
    """How it ended; None where that says nothing of the tool."""
    by_model: bool
    """Whether a light model made it."""
    arguments_json: str
    """Empty if they are too long to be looked at."""
    refused: bool = False
    """Whether the arguments were refused, so that nothing ran."""


_REFUSED: Final = _Note("", None, by_model=True, arguments_json="", refused=True)


@dataclass(slots=True)
class _Watched:
    """A version with what was seen of it."""

    windows: Windows
    profile: Profile
    told: set[Signal] = field(default_factory=set)
    """Signals whose breach is logged already."""


class Monitor:
    """A `Watch` that holds versions back by policy. `start` it; `close` it at the end."""

    def __init__(self, store: Store, policy: FeedbackPolicy) -> None:
        """Read reports in `store`, and measure versions by `policy`."""
        self._store, self._policy = store, policy
        self._notes: deque[_Note] = deque(maxlen=QUEUE)
        self._reported: deque[str] = deque()
        self._watched: OrderedDict[str, _Watched] = OrderedDict()
        self._retry: set[str] = set()
        self._retry_reports: set[str] = set()
        self._reading = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    # --- on the road of calls --------------------------------------------------------------------

    def ended(self, tool_digest: str, request: ExecutionRequest, status: Status) -> None:
        """See `Watch`."""
        if request.operation is Operation.CALL:
            arguments = request.arguments_json if len(request.arguments_json) <= MAX_WATCHED_CHARS else ""
            counts = says_of_tool(request, status)
            self._notes.append(_Note(tool_digest, status if counts else None, request.purpose == SOLVING, arguments))

    def refused(self, tool_digest: str) -> None:
        """See `Watch`."""
        self._notes.append(_REFUSED._replace(digest=tool_digest))

    def reported(self, tool_digest: str) -> None:
        """Hear that there is a report on a version. It is in the registry already."""
        self._reported.append(tool_digest)

    # --- beside it -------------------------------------------------------------------------------

    def start(self, hold: Hold) -> None:
        """Begin to watch, and give versions that break the policy to `hold`, with the figures in words.

        Reports of before are looked at first: their server may have ended before it did.
        """
        try:
            self._reported.extend(self._store.feedback.reported_versions())
        except ToolwrightError as fault:
            log.warning("reports not read", reason=str(fault))
        self._thread = threading.Thread(target=self._run, args=(hold,), name="monitor", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Watch no more."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(timeout=5.0)

    def look(self, hold: Hold) -> None:
        """Read what is there, and give what breaks the policy to `hold`. The thread does nothing else."""
        with self._reading:
            touched = {*self._retry, *self._read_notes(), *self._read_reports()}
            self._retry.clear()
            for digest in touched:
                self._judge(digest, hold)

    def counts(self, tool_digest: str, signal: Signal) -> tuple[int, int]:
        """Return how many in the window of a version are bad, and how many there are."""
        with self._reading:
            watched = self._watched.get(tool_digest)
            return watched.windows.counts(signal) if watched else (0, 0)

    def _run(self, hold: Hold) -> None:
        while not self._ended.wait(RETRY_S if self._retry or self._retry_reports else LOOK_S):
            try:
                self.look(hold)
            except Exception:  # a fault of ours must not end the watching
                log.exception("watching failed")

    def _read_notes(self) -> set[str]:
        touched: set[str] = set()
        for _ in range(len(self._notes)):
            note = self._notes.popleft()
            if (watched := self._of(note.digest)) is not None:
                _count(watched, note)
                touched.add(note.digest)
        return touched

    def _read_reports(self) -> set[str]:
        digests = {self._reported.popleft() for _ in range(len(self._reported))} | self._retry_reports
        self._retry_reports.clear()
        return {digest for digest in digests if self._read_reports_on(digest)}

    def _read_reports_on(self, digest: str) -> bool:
        watched = self._of(digest)
        if watched is None:
            return False
        try:
            since = active_since(self._store, self._store.get_tool(digest))
            reports = self._store.feedback.latest_reports(digest, limit=self._policy.window, since=since)
        except ToolwrightError as fault:
            log.warning("reports not read", tool=digest, reason=str(fault))
            self._retry_reports.add(digest)
            return False
        watched.windows.replace(Signal.WRONG, (not report.correct for report in reversed(reports)))
        return True

    def _of(self, digest: str) -> _Watched | None:
        watched = self._watched.get(digest)
        if watched is None:
            try:
                version = self._store.get_tool(digest).version
            except ToolwrightError as fault:
                log.warning("not watched", tool=digest, reason=str(fault))
                return None
            watched = self._watched[digest] = _Watched(Windows(self._policy.window), Profile.of_version(version))
            if len(self._watched) > MAX_VERSIONS:
                self._watched.popitem(last=False)
        self._watched.move_to_end(digest)
        return watched

    def _judge(self, digest: str, hold: Hold) -> None:
        watched = self._watched.get(digest)
        breaches = list(watched.windows.breaches(self._policy)) if watched else []
        if watched is None or not breaches:
            return
        try:
            tool = self._store.get_tool(digest)
            if tool.state is not ToolState.ACTIVE:
                del self._watched[digest]  # if it ever comes back, it begins anew
                return
            for signal, threshold, figures in breaches:
                if threshold.action is Action.QUARANTINE:
                    hold(tool, figures)
                    del self._watched[digest]
                    return
                if signal not in watched.told:
                    watched.told.add(signal)
                    log.warning("policy broken", tool=tool.reference, figures=figures, action=threshold.action.value)
        except (NotFound, StoreCorrupt) as fault:
            log.warning("not held back", tool=digest, reason=str(fault))
        except ToolwrightError as fault:
            log.warning("not held back yet", tool=digest, reason=str(fault))
            self._retry.add(digest)


def active_since(store: Store, tool: RegisteredTool) -> float:
    """Return when a version last became active, in seconds since 1970: what was reported before is settled."""
    since, after = 0.0, 0
    while events := store.lifecycle.events(tool.version.name, after=after, limit=_EVENTS_A_PAGE):
        for event in events:
            begins = event.kind is EventKind.ADMITTED or event.to_state is ToolState.ACTIVE
            if begins and event.digest == tool.version.digest:
                since = event.at
        after = events[-1].event_id
    return since


def _count(watched: _Watched, note: _Note) -> None:
    windows = watched.windows
    if note.by_model:
        windows.add(Signal.REFUSALS, bad=note.refused)
    if note.status is not None:
        windows.add(Signal.ERRORS, bad=note.status is not Status.SUCCESS)
    if note.arguments_json and watched.profile.sizes:
        windows.add(Signal.DRIFT, bad=watched.profile.is_unlike(note.arguments_json))
