"""A version as one signed file: it, its task, its record, the signature of that, and the public key.

The record is signed and names the digests of version and task, so the signature holds for all that is in the file. A
tool that is made from tools brings them along, each with task, record, signature and key of its own; the version names
them by digest, so its signature holds for their code too.
There is one way to write a file; one that is written in another way is not read, so that no byte can be changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from toolwright.domain.json_rules import JsonRefused, JsonRules
from toolwright.domain.record import VerificationRecord
from toolwright.domain.source import MAX_PARTS
from toolwright.domain.task import Task
from toolwright.domain.tool import ToolVersion
from toolwright.errors import InvalidInput
from toolwright.registry import tool_rows
from toolwright.registry.closure import check_closure
from toolwright.registry.rows import DamagedRow, Row
from toolwright.registry.signing import PublicKey, is_signed

MAX_FILE_BYTES: Final = 3 * 1024 * 1024
SUFFIX: Final = ".tool.json"

_FORMAT: Final = "toolwright.tool-file.v1"
_RULES: Final = JsonRules(max_bytes=MAX_FILE_BYTES)
_ENTRY_KEYS: Final = {"version", "task", "record", "signature", "public_key"}
_KEYS: Final = {"format", *_ENTRY_KEYS}
_VERSION_KEYS: Final = {"name", "function", "code", "definition"}
_FIELD: Final = "file"

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class ToolFile:
    """What is in a file."""

    version: ToolVersion
    task: Task
    record: VerificationRecord
    """With its signature."""
    key: PublicKey
    parts: tuple[ToolFile, ...] = ()
    """All that the version is made from, each once and without parts of its own, parts before their users."""


def write_tool_file(content: ToolFile) -> bytes:
    """Return the bytes of a file.

    Raises:
        InvalidInput: it would be too large.
    """
    document = {"format": _FORMAT, **_entry(content)}
    if content.parts:
        document["parts"] = [_entry(part) for part in content.parts]
    raw = json.dumps(document, sort_keys=True, indent=1, ensure_ascii=True, allow_nan=False).encode() + b"\n"
    if len(raw) > MAX_FILE_BYTES:
        raise InvalidInput(_FIELD, f"would have {len(raw)} bytes", f"at most {MAX_FILE_BYTES}")
    return raw


def read_tool_file(raw: bytes) -> ToolFile:
    """Return what is in a file, whose signature is by the key in it, whoever that belongs to.

    Raises:
        InvalidInput: it is no such file, or anything in it was changed.
    """
    document = _document(raw)
    content = _content(document)
    parts = document.get("parts", [])
    if not isinstance(parts, list) or len(parts) > MAX_PARTS:
        raise InvalidInput(f"{_FIELD}.parts", "is no list of parts", f"at most {MAX_PARTS}")
    found = {part.version.digest: part for part in map(_part_content, parts)}
    closure = check_closure(content.version, [part.version for part in found.values()])
    content = replace(content, parts=tuple(found[version.digest] for version in closure))
    if write_tool_file(content) != raw:
        raise InvalidInput(_FIELD, "is not as it was exported", "the same bytes")
    return content


def _entry(content: ToolFile) -> Row:
    row = tool_rows.version_row(content.version)
    return {
        "version": {
            "name": row["name"],
            "function": row["function"],
            "code": content.version.source.code,
            "definition": json.loads(row["definition"]),
        },
        "task": json.loads(tool_rows.task_row(content.task)["body"]),
        "record": json.loads(tool_rows.record_body(content.record)),
        "signature": content.record.signature,
        "public_key": content.key.text,
    }


def _content(document: Row) -> ToolFile:
    key = PublicKey.parse(_text(document, "public_key"), f"{_FIELD}.public_key")
    record = _part("record", lambda: _record(document, key))
    version = _part("version", lambda: _version(document["version"], record))
    task = _part("task", lambda: _task(document["task"], record))
    if not is_signed(record, key):
        raise InvalidInput(_FIELD, "is not what was signed", "a file as it was exported")
    return ToolFile(version, task, record, key)


def _part_content(entry: object) -> ToolFile:
    if not isinstance(entry, dict) or set(entry) != _ENTRY_KEYS:
        raise InvalidInput(f"{_FIELD}.parts", "holds no exported tool", f"objects of {', '.join(sorted(_ENTRY_KEYS))}")
    return _content(entry)


def _document(raw: bytes) -> Row:
    try:
        document = _RULES.parse(raw)
    except JsonRefused as fault:
        raise InvalidInput(_FIELD, str(fault), f"JSON of at most {MAX_FILE_BYTES} bytes") from None
    if not isinstance(document, dict) or set(document) - {"parts"} != _KEYS:
        raise InvalidInput(_FIELD, "is no exported tool", f"an object of {', '.join(sorted(_KEYS))}")
    if document["format"] != _FORMAT:
        raise InvalidInput(f"{_FIELD}.format", f"is {str(document['format'])[:80]!r}", _FORMAT)
    return document


def _text(document: Row, name: str) -> str:
    text = document[name]
    if not isinstance(text, str):
        raise InvalidInput(f"{_FIELD}.{name}", "is no text")
    return text


def _part(name: str, read: Callable[[], Value]) -> Value:
    """Read a part; however that fails, the part is not what was exported."""
    try:
        return read()
    except (DamagedRow, InvalidInput, TypeError, KeyError, AttributeError, ValueError) as fault:
        raise InvalidInput(f"{_FIELD}.{name}", f"is not what was exported: {str(fault)[:300]}") from None


def _record(document: Row, key: PublicKey) -> VerificationRecord:
    body = _dump(document["record"])
    record = tool_rows.verification_from(
        {
            "verification_id": document["record"]["verification_id"],
            "tool_digest": document["record"]["tool_digest"],
            "task_digest": document["record"]["task_digest"],
            "body": body,
            "digest": "sha256:" + hashlib.sha256(body.encode()).hexdigest(),
            "signature": "",
            "key_id": "",
        }
    )
    return replace(record, signature=_text(document, "signature"), key_id=key.key_id)


def _version(part: Row, record: VerificationRecord) -> ToolVersion:
    if set(part) != _VERSION_KEYS:
        raise ValueError(f"it has other fields than {', '.join(sorted(_VERSION_KEYS))}")
    row = {
        "digest": record.tool_digest,
        "name": part["name"],
        "function": part["function"],
        "code": part["code"].encode(),
        "definition": _dump(part["definition"]),
        "number": 1,
        "state": "draft",
        "verification_id": record.verification_id,
        "created_at": 0.0,
    }
    return tool_rows.registered_from(row).version


def _task(part: Row, record: VerificationRecord) -> Task:
    return tool_rows.task_from({"name": part["name"], "digest": record.task_digest, "body": _dump(part)})


def _dump(value: Any) -> str:  # noqa: ANN401 - the type of a JSON value
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
