"""A task as a person writes it down: TOML or JSON, or plain JSON Lines of examples.

Fields: `name` (default: the file's name without its ending), `description`, `answer_kind` (`choice`,
`number` or `text`; default: inferred from the answers), and the examples, in one of two forms:

- `examples`: a list of {id?, question, answer}. The first three are shown to the maker, all others are held
  out for verification, so there must be at least four.
- `training` and `held_out`: two such lists, for a split of one's own. The maker sees the first three of `training`.

`uses` lists admitted tools that the code may import (`name` or `name@number`).

In JSON Lines (`.jsonl`) each line is one of `examples`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from toolwright.cli.examples import MAX_FILE_BYTES, example_from, read_json_lines
from toolwright.cli.reading import read_json, read_text, within
from toolwright.domain.answers import infer_kind
from toolwright.domain.task import AnswerKind, Example, Task
from toolwright.errors import InvalidInput

TRAINING_SHOWN = 3
"""Examples that the maker sees, as in the paper."""

_FIELDS = ("name", "description", "answer_kind", "examples", "training", "held_out", "uses")


def read_task(path: Path) -> Task:
    """Return the task in a file.

    Raises:
        InvalidInput: names the file, the line or field, the problem and the limit.
    """
    if path.suffix == ".jsonl":
        return _task(path, {}, *_split(path, read_json_lines(path)))
    record = _record(path)
    if unknown := [key for key in record if key not in _FIELDS]:
        raise InvalidInput(f"{path}: {unknown[0][:80]}", "is no field of a task", ", ".join(_FIELDS))
    if "examples" in record:
        if "training" in record or "held_out" in record:
            raise InvalidInput(f"{path}: examples", "stands beside training or held_out", "one of the two forms")
        return _task(path, record, *_split(path, _examples(path, record, "examples")))
    return _task(path, record, _examples(path, record, "training"), _examples(path, record, "held_out"))


def task_name(path: Path) -> str:
    """Return the name of the task that a file holds if it says none itself."""
    return path.name.partition(".")[0]


def _record(path: Path) -> Mapping[str, Any]:
    text = read_text(path, limit=MAX_FILE_BYTES)
    if path.suffix == ".toml":
        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as fault:
            raise InvalidInput(str(path), f"is no TOML: {fault}", "TOML 1.0") from None
        except RecursionError:
            raise InvalidInput(str(path), "is nested too deeply", "TOML 1.0 of a few levels") from None
    if path.suffix != ".json":
        raise InvalidInput(str(path), "has an unknown ending", ".toml, .json or .jsonl")
    value = read_json(text, str(path), limit=MAX_FILE_BYTES)
    if not isinstance(value, dict):
        raise InvalidInput(str(path), "is no JSON object", "an object with name, description and examples")
    return value


def _examples(path: Path, record: Mapping[str, Any], field: str) -> tuple[Example, ...]:
    value = record.get(field)
    if value is None:
        raise InvalidInput(f"{path}: {field}", "is missing", "a list named examples, or training and held_out")
    if not isinstance(value, list) or not value:
        problem = "is empty" if value == [] else "is no list"
        raise InvalidInput(f"{path}: {field}", problem, "a list of {id?, question, answer}")
    return tuple(
        example_from(item, f"{path}: {field}[{index}]", default_id=f"{field}-{index + 1}")
        for index, item in enumerate(value)
    )


def _split(path: Path, examples: Sequence[Example]) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    if len(examples) <= TRAINING_SHOWN:
        raise InvalidInput(
            f"{path}: examples",
            f"has {len(examples)} of them",
            f"at least {TRAINING_SHOWN + 1}: the first {TRAINING_SHOWN} are for the maker, the rest verify the tool",
        )
    return tuple(examples[:TRAINING_SHOWN]), tuple(examples[TRAINING_SHOWN:])


def _task(path: Path, record: Mapping[str, Any], training: tuple[Example, ...], held_out: tuple[Example, ...]) -> Task:
    name, description = record.get("name", task_name(path)), record.get("description", "")
    for field, value in (("name", name), ("description", description)):
        if not isinstance(value, str):
            raise InvalidInput(f"{path}: {field}", "is no text", "a text")
    kind, uses = _answer_kind(path, record, training + held_out), _uses(path, record)
    try:
        return Task(name, description, training, held_out, kind, uses)
    except InvalidInput as fault:
        raise within(str(path), fault) from None


def _uses(path: Path, record: Mapping[str, Any]) -> tuple[str, ...]:
    value = record.get("uses", [])
    if not isinstance(value, list) or not all(isinstance(reference, str) for reference in value):
        raise InvalidInput(f"{path}: uses", "is no list of texts", "a list of tools, such as name or name@number")
    return tuple(value)


def _answer_kind(path: Path, record: Mapping[str, Any], examples: Sequence[Example]) -> AnswerKind:
    value = record.get("answer_kind")
    if value is None:
        return infer_kind(examples)
    kinds = [kind.value for kind in AnswerKind]
    if value not in kinds:
        raise InvalidInput(f"{path}: answer_kind", f"{str(value)[:80]!r} is no answer kind", ", ".join(kinds))
    return AnswerKind(value)
