"""What the process of a call reads: the source, its arguments, and the tools that it is made from."""

from __future__ import annotations

import json
import struct
from typing import Any

from toolwright.domain.call import ToolCall
from toolwright.domain.source import SourceModule, ToolSource, all_parts

PAYLOAD = struct.Struct(">III")
"""Lengths of the JSON header, the source and the arguments that follow; the texts of parts come last."""


def call_payload(call: ToolCall) -> tuple[bytes, ...]:
    """Return the pieces of the payload of `call`, in order."""
    source = call.source
    header: dict[str, Any] = {
        "operation": call.operation.value,
        "function": source.function,
        "module": f"tool_{source.digest[7:19]}",  # as no module of the image is called
    }
    texts: tuple[bytes, ...] = ()
    if source.modules:
        parts = all_parts(source.modules)
        texts = tuple(part.source.code.encode() for part in parts)
        places = {part: place for place, part in enumerate(parts)}
        header["uses"] = _uses(source, places)
        header["parts"] = [_said_of(part, len(text), places) for part, text in zip(parts, texts, strict=True)]
    pieces = json.dumps(header).encode(), source.code.encode(), call.arguments_json.encode()
    return (PAYLOAD.pack(*map(len, pieces)), *pieces, *texts)


def _said_of(part: SourceModule, size: int, places: dict[SourceModule, int]) -> dict[str, Any]:
    return {
        "name": part.name,
        "function": part.source.function,
        "bytes": size,
        "uses": _uses(part.source, places),
    }


def _uses(source: ToolSource, places: dict[SourceModule, int]) -> dict[str, int]:
    return {part.name: places[part] for part in source.modules}
