"""Task files and JSON Lines: what is read, and how each fault is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from toolwright.cli.task_file import read_task
from toolwright.domain.task import AnswerKind
from toolwright.errors import InvalidInput

pytestmark = pytest.mark.unit

TOML = """
name = "double"
description = "Double a number."
answer_kind = "number"
[[examples]]
question = "1?"
answer = 2
[[examples]]
question = "2?"
answer = "4"
[[examples]]
question = "3?"
answer = "6"
[[examples]]
id = "last"
question = "4?"
answer = "8"
"""


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def _examples(count: int) -> list[dict[str, str]]:
    return [{"id": str(index), "question": f"{index}?", "answer": str(index)} for index in range(count)]


def test_toml_is_split_into_three_and_the_rest(tmp_path: Path) -> None:
    """The first three examples are for the maker, the rest are held out."""
    task = read_task(_written(tmp_path / "t.toml", TOML))
    assert (task.name, task.answer_kind) == ("double", AnswerKind.NUMBER)
    assert [example.id for example in task.training] == ["examples-1", "examples-2", "examples-3"]
    assert [example.answer for example in task.training] == ["2", "4", "6"]
    assert [example.id for example in task.held_out] == ["last"]


def test_json_with_a_split_of_its_own(tmp_path: Path) -> None:
    """`training` and `held_out` stand as they are; name and kind have defaults."""
    record = {"training": _examples(5)[:1], "held_out": _examples(5)[1:]}
    task = read_task(_written(tmp_path / "my_task.json", json.dumps(record)))
    assert (task.name, task.answer_kind) == ("my_task", AnswerKind.NUMBER)
    assert (len(task.training), len(task.held_out)) == (1, 4)


def test_json_lines_of_examples(tmp_path: Path) -> None:
    """A .jsonl file is a task named after it; empty lines do not count."""
    text = "\n\n".join(json.dumps(example) for example in _examples(5)) + "\n"
    task = read_task(_written(tmp_path / "lines.jsonl", text))
    assert (task.name, len(task.training), len(task.held_out)) == ("lines", 3, 2)


LINES = [json.dumps(example) for example in _examples(5)]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("t.toml", "name = x", "line 1"),
        ("t.toml", "", "examples"),
        ("t.toml", "examples = []", "is empty"),
        ("t.toml", "exampels = []", "exampels: is no field of a task"),
        ("t.json", '{"examples": [\n{"question" 1}\n]}', "line 2"),
        ("t.json", "[]", "is no JSON object"),
        ("t.json", json.dumps({"examples": _examples(3)}), "at least 4"),
        ("t.json", json.dumps({"examples": [1, 2, 3, 4]}), "examples[0]: is a number"),
        ("t.json", json.dumps({"examples": [*_examples(3), {"question": "x"}]}), "examples[3]: answer: is missing"),
        ("t.json", json.dumps({"examples": [*_examples(3), {"question": [], "answer": "1"}]}), "question: is a list"),
        ("t.json", json.dumps({"examples": [*_examples(4), _examples(1)[0]]}), "occurs 2 times"),
        ("t.json", json.dumps({"examples": _examples(4), "training": _examples(4)}), "one of the two forms"),
        ("t.json", json.dumps({"training": _examples(4)}), "held_out: is missing"),
        ("t.json", json.dumps({"examples": _examples(4), "answer_kind": "x"}), "choice, number, text"),
        ("t.json", json.dumps({"examples": _examples(4), "name": "No Name"}), "'No Name' is not a usable name"),
        ("t.json", json.dumps({"examples": _examples(4), "name": 1}), "name: is no text"),
        ("t.json", json.dumps({"examples": [{"question": "x" * 70_000, "answer": "1"}] * 4}), "at most 65536 bytes"),
        ("t.jsonl", "\n".join([*LINES, '{"id": "9", "question": "x", "answer": "y"']), "line 6: is no JSON"),
        ("t.jsonl", "\n".join([*LINES, LINES[0]]), "line 6: id: '0' is the id of line 1 too"),
        ("t.jsonl", "\n".join([*LINES, "3"]), "line 6: is a number"),
        (
            "t.jsonl",
            "\n".join([*LINES, '{"id": "9", "question": " ", "answer": "y"}']),
            "line 6: example '9': question",
        ),
        ("t.jsonl", "\n \n", "holds no examples"),
        ("t.yaml", "", ".toml, .json or .jsonl"),
    ],
)
def test_each_fault_names_file_place_and_limit(tmp_path: Path, name: str, text: str, problem: str) -> None:
    """A person learns where the fault is and what would be right."""
    path = _written(tmp_path / name, text)
    with pytest.raises(InvalidInput) as caught:
        read_task(path)
    assert str(caught.value).startswith(str(path))
    assert problem in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(InvalidInput, match=r"no\.toml: there is no such file"):
        read_task(tmp_path / "no.toml")


def test_deeply_nested_toml_is_refused(tmp_path: Path) -> None:
    """Nesting ends in a text, not in a crash of the parser."""
    path = _written(tmp_path / "t.toml", "a = " + "[" * 100_000)
    with pytest.raises(InvalidInput, match=r"t\.toml"):
        read_task(path)


def test_tools_that_may_be_used(tmp_path: Path) -> None:
    """A list of references; none by default; what is no such list is told with its field."""
    record = {"examples": _examples(4), "uses": ["half", "third@2"]}
    assert read_task(_written(tmp_path / "t.json", json.dumps(record))).uses == ("half", "third@2")
    assert read_task(_written(tmp_path / "t.toml", TOML)).uses == ()
    for wrong, problem in (("half", "is no list of texts"), ([1], "is no list of texts"), (["half", "half"], "again")):
        path = _written(tmp_path / "t.json", json.dumps(record | {"uses": wrong}))
        with pytest.raises(InvalidInput, match=problem) as refused:
            read_task(path)
        assert str(refused.value).startswith(f"{path}: uses")
