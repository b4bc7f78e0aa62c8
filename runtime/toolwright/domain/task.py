"""A task: what a tool is wanted for, shown by examples."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from toolwright.domain.source import MAX_DIRECT, check_tool_name
from toolwright.errors import InvalidInput

MAX_QUESTION_BYTES = 64 * 1024
MAX_ANSWER_BYTES = 16 * 1024
MAX_DESCRIPTION_CHARS = 4_000
MAX_EXAMPLES = 10_000
MAX_REFERENCE_CHARS = 200


class AnswerKind(StrEnum):
    """How answers of a task are compared; see `domain.answers`."""

    CHOICE = "choice"
    """A letter that names one of the question's options."""
    NUMBER = "number"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Example:
    """One question with its right answer."""

    id: str
    question: str
    answer: str

    def __post_init__(self) -> None:
        """Refuse empty or over-long texts, naming the example."""
        check_question(self.question, f"example {self.id[:80]!r}: question")
        _check_text(self.answer, f"example {self.id[:80]!r}: answer", MAX_ANSWER_BYTES)


@dataclass(frozen=True, slots=True)
class Task:
    """A kind of question. The maker sees `training`; it never sees `held_out`."""

    name: str
    description: str
    training: tuple[Example, ...]
    held_out: tuple[Example, ...]
    answer_kind: AnswerKind
    uses: tuple[str, ...] = ()
    """References of admitted tools that the code may use; resolved to versions when the tool is made."""

    def __post_init__(self) -> None:
        """Refuse a task that cannot be made or verified, or of which a held-out question is no secret.

        Raises:
            InvalidInput: names the field and the limit.
        """
        check_tool_name(self.name)
        if len(self.description) > MAX_DESCRIPTION_CHARS:
            raise InvalidInput(
                "description", f"has {len(self.description)} characters", f"at most {MAX_DESCRIPTION_CHARS}"
            )
        _check_uses(self.uses, self.name)
        for field, examples in (("training", self.training), ("held_out", self.held_out)):
            if not examples:
                raise InvalidInput(f"examples.{field}", "is empty", f"1 to {MAX_EXAMPLES} examples")
            if len(examples) > MAX_EXAMPLES:
                raise InvalidInput(f"examples.{field}", f"has {len(examples)} examples", f"at most {MAX_EXAMPLES}")
        counts = Counter(example.id for example in self.training + self.held_out)
        if twice := [name for name, count in counts.items() if count > 1]:
            raise InvalidInput("examples", f"the id {twice[0][:80]!r} occurs {counts[twice[0]]} times", "unique ids")
        seen = {_folded(example.question) for example in self.training}
        for example in self.held_out:
            if _folded(example.question) in seen:
                raise InvalidInput(
                    f"examples.held_out[{example.id[:80]!r}]",
                    "is also a training example",
                    "questions not shown to the maker; white space and case make no other question",
                )

    @property
    def digest(self) -> str:
        """`sha256:` over a canonical JSON of everything that defines the task, its examples above all."""
        content: dict[str, object] = {
            "format": "toolwright.task.v1",
            "name": self.name,
            "description": self.description,
            "answer_kind": self.answer_kind.value,
            "training": [[e.id, e.question, e.answer] for e in self.training],
            "held_out": [[e.id, e.question, e.answer] for e in self.held_out],
        }
        if self.uses:
            content["uses"] = list(self.uses)
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def check_question(question: str, field: str = "question") -> str:
    """Return `question` if it is a non-empty text within `MAX_QUESTION_BYTES`.

    Raises:
        InvalidInput: otherwise, naming `field`.
    """
    _check_text(question, field, MAX_QUESTION_BYTES)
    return question


def _check_uses(uses: tuple[str, ...], own_name: str) -> None:
    if len(uses) > MAX_DIRECT:
        raise InvalidInput("uses", f"has {len(uses)} tools", f"at most {MAX_DIRECT}")
    for number, reference in enumerate(uses):
        field = f"uses[{number}]"
        if not 0 < len(reference) <= MAX_REFERENCE_CHARS or not reference.isprintable():
            raise InvalidInput(field, "is no reference of a tool", "name, name@number or sha256:…")
        if reference in uses[:number]:
            raise InvalidInput(field, f"names {reference!r} again", "each tool once")
        if reference.partition("@")[0] == own_name:
            raise InvalidInput(field, "names the tool that is to be made", "tools of other names")


def _folded(question: str) -> str:
    """Return what two questions share that differ in white space and case alone."""
    return " ".join(question.split()).casefold()


def _check_text(text: str, field: str, limit: int) -> None:
    if not text.strip():
        raise InvalidInput(field, "is empty", f"1 to {limit} bytes of text")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidInput(field, "holds a lone surrogate", "valid UTF-8") from None
    if size > limit:
        raise InvalidInput(field, f"has {size} bytes", f"at most {limit} bytes")
