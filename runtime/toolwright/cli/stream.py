"""`toolwright eval --stream`: all questions mixed, from an empty registry, with no task named in advance."""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self, TextIO

from toolwright.cli.ask import end_of
from toolwright.cli.environment import Services
from toolwright.cli.examples import read_json_lines
from toolwright.cli.reading import read_json, read_text
from toolwright.cli.story import cost_of
from toolwright.cli.task_file import task_name
from toolwright.domain.answers import infer_kind, same_answer
from toolwright.domain.events import BY_TOOL, Answered, Missed
from toolwright.domain.miss import GroupState
from toolwright.domain.record import Role
from toolwright.domain.task import AnswerKind, Example
from toolwright.errors import InvalidInput

MAX_PROGRESS_BYTES = 256 * 1024 * 1024
_MAX_LINE_BYTES = 64 * 1024
_POLL_S = 0.1
_SETTLED = frozenset({GroupState.MADE, GroupState.UNMAKEABLE})


@dataclass(frozen=True, slots=True)
class StreamQuestion:
    """One question of the stream, with what is known of its right answer."""

    task: str
    """Of the file that it is from: for the report alone, nobody is told."""
    kind: AnswerKind
    example: Example


@dataclass(frozen=True, slots=True)
class StreamReply:
    """What became of one question of the stream."""

    index: int
    end: str
    """`answered`, `declined` or `failed`."""
    by: str
    """`tool`, `strong model` or a person; empty if nobody answered."""
    tool: str
    right: bool
    cost_usd: float
    strong_usd: float
    """The strong model's part of the cost."""
    light_model: str = ""
    """The model that was asked first, for the note that an offline model answered."""

    @property
    def hit(self) -> bool:
        """Whether a tool answered."""
        return self.by == BY_TOOL


@dataclass(frozen=True, slots=True)
class Stream:
    """All questions of some files, in an order that the seed decides."""

    questions: tuple[StreamQuestion, ...]
    digest: str
    """Names files and order, so that progress is taken up with the same stream alone."""


def read_stream(paths: Sequence[Path], *, seed: int, limit: int | None) -> Stream:
    """Return the questions of all files, shuffled; of each file the first `limit` at most.

    Raises:
        InvalidInput: a file is off; names it.
    """
    questions: list[StreamQuestion] = []
    for path in paths:
        examples = read_json_lines(path)[:limit]
        kind = infer_kind(examples)
        questions += [StreamQuestion(task_name(path), kind, example) for example in examples]
    if not questions:
        raise InvalidInput("PATH", "the files hold no questions", "JSON Lines of questions with answers")
    random.Random(seed).shuffle(questions)  # noqa: S311 - an order that can be had again
    content = json.dumps([[question.task, question.example.question] for question in questions])
    return Stream(tuple(questions), hashlib.sha256(content.encode()).hexdigest())


def run_stream(services: Services, stream: Stream, done: int, jobs: int, *, wait_s: float) -> Iterator[StreamReply]:
    """Ask all questions from number `done` on, `jobs` at a time, and give the replies in order.

    Real questions do not come as fast as these. So when a kind has enough answers, the stream waits for its tool,
    at most `wait_s` seconds: what is measured is then not how fast this machine makes tools.

    Raises:
        ToolwrightError: a service is at fault. What was given before stands; the rest can be asked later.
    """
    waited: set[str] = set()
    with ThreadPoolExecutor(jobs, thread_name_prefix="ask") as pool:
        for start in range(done, len(stream.questions), jobs):
            indexes = range(start, min(start + jobs, len(stream.questions)))
            asked = list(pool.map(lambda index: _asked(services, stream.questions[index], index), indexes))
            yield from (reply for reply, _ in asked)
            for group in {group for _, group in asked if group} - waited:
                waited.add(group)
                _wait(services, group, wait_s)


def _wait(services: Services, group: str, wait_s: float) -> None:
    end = time.monotonic() + wait_s
    while time.monotonic() < end and services.misses(group)[0].state not in _SETTLED:
        time.sleep(_POLL_S)


def _asked(services: Services, question: StreamQuestion, index: int) -> tuple[StreamReply, str]:
    """Return what became of a question, and the group whose tool is due with it; empty for none."""
    events = list(services.solve(question.example.question))
    end = end_of(events)
    answered = end if isinstance(end, Answered) else None
    example = question.example
    reply = StreamReply(
        index,
        type(end).__name__.lower(),
        answered.by if answered else "",
        answered.tool if answered else "",
        answered is not None and same_answer(question.kind, example.answer, answered.answer, example.question),
        cost_of(end.token_use),
        cost_of(use for use in end.token_use if use.role is Role.STRONG),
        next((use.model for use in end.token_use), ""),
    )
    due = (event.group for event in events if isinstance(event, Missed) and event.count >= event.needed)
    return reply, next(due, "")


class Progress:
    """The replies so far, in a file that a killed process leaves behind; nowhere if there is no path."""

    def __init__(self, path: Path | None, stream: Stream) -> None:
        """Read what is there.

        Raises:
            InvalidInput: the file is of another stream, or none of ours.
        """
        self._path, self._stream = path, stream
        self.replies: list[StreamReply] = []
        if path is not None and path.exists():
            self.replies = _read_progress(path, stream)

    def append(self, reply: StreamReply) -> None:
        """Keep one more reply."""
        self.replies.append(reply)
        if self._file is not None:
            self._file.write(json.dumps(asdict(reply)) + "\n")
            self._file.flush()

    def __enter__(self) -> Self:
        self._file: TextIO | None = None
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Written anew: the last line of a process that was killed may be half a line.
            self._file = self._path.open("w", encoding="utf-8")
            self._file.write(json.dumps({"stream": self._stream.digest, "at": time.time()}) + "\n")
            self._file.writelines(json.dumps(asdict(reply)) + "\n" for reply in self.replies)
            self._file.flush()
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


def _read_progress(path: Path, stream: Stream) -> list[StreamReply]:
    lines = read_text(path, limit=MAX_PROGRESS_BYTES).splitlines()
    head: Any = read_json(lines[0], str(path), limit=_MAX_LINE_BYTES) if lines else {}
    if not isinstance(head, dict) or head.get("stream") != stream.digest:
        raise InvalidInput(str(path), "is the progress of another stream", "the same files, --seed and --limit")
    replies: list[StreamReply] = []
    for line in lines[1:]:
        try:
            reply = StreamReply(**json.loads(line))
        except (ValueError, TypeError):
            break  # the process was killed in the middle of this line
        if reply.index != len(replies):
            break
        replies.append(reply)
    return replies
