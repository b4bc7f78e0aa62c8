"""Requests that are nearly right: of any message type, from its descriptor, in bytes that no honest library writes.

All chance comes from a `random.Random` of the caller's, so that a seed, or hypothesis, decides.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor

HOSTILE_TEXTS: Final = {
    "nothing": "",
    "NUL": "add\x00",
    "terminal": "\x1b]0;owned\x07\x1b[2J",
    "right to left": "\u202egnp.dda",
    "isolates": "\u2066add\u2069",
    "zero width": "a\u200bdd",
    "full width": "\uff41\uff44\uff44",
    "look-alike": "\u0430dd",
    "combining": "e\u0301",
    "beyond the BMP": "\U0001f600\U000e0041",
    "line ends": 'add\r\n{"event": "forged"}\n',
    "line separators": "add\u2028\u2029\x85",
    "path": "../../../../etc/passwd",
    "absolute path": "/etc/passwd",
    "Windows path": "C:\\..\\x",
    "URL": "file:///etc/passwd",
    "format": "{0.__class__.__init__.__globals__}",
    "old format": "%s%s%n%x",
    "template": "${jndi:ldap://x}{{7*7}}",
    "SQL": "add'; DROP TABLE tools; --",
    "SQL wildcard": "%",
    "SQL comment": "add' OR '1'='1",
    "HTML": "<script>alert(1)</script>",
    "shell": "$(id) `id` ; id",
    "own separators": "add@1@2",
    "version 0": "add@0",
    "huge version": "add@" + "9" * 40,
    "digest": "sha256:" + "0" * 64,
    "bad digest": "sha256:../../x",
    "dunder": "__class__",
    "long": "a" * 5_000,
    "wide": "\u4e16" * 3_000,
}
"""Text that something on the way might take for more than text."""

_FITTING: Final = {
    "answer": ("3", "4", "(A)"),
    "arguments_json": ("{}", '{"a": 1, "b": 2}'),
    "code": ("def add(a: int, b: int) -> int:\n    return a + b\n",),
    "function": ("add",),
    "id": ("t1", "t2", "t3", "h1", "h2", "h3"),
    "name": ("add", "sums"),
    "question": ("What is 1 + 2?", "What is 2 + 2?", "What is 7 + 5?", "Who is it?"),
    "tool": ("add", "add@1"),
}
"""What an honest caller puts into fields of these names: a mutant gets further with them."""


def fitting(name: str, which: int = 0) -> str:
    """Return what an honest caller puts into a text field of this name; `which` gives another one."""
    choices = _FITTING.get(name, ("x",))
    return choices[which % len(choices)]


_JSON: Final = ("[" * 70, '{"a":1,"a":2}', '{"a":NaN,"b":1}', '{"a":"\\ud800","b":1}', "9" * 500, '{"a":1e999,"b":1}')
_INTEGERS: Final = (
    0,
    1,
    2,
    3,
    7,
    127,
    128,
    1_001,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**32,
    2**53 + 1,
    2**63 - 1,
    2**63,
    2**64 - 1,
)
_DOUBLES: Final = (0.0, -0.0, 1e-3, 1.0, 1e9, -1.0, float("nan"), float("inf"), float("-inf"), 5e-324, 1.7e308)
_VARINT, _FIXED64, _BYTES, _GROUP, _GROUP_END, _FIXED32 = range(6)
_NUMBERS: Final = (0, 1, 15, 16, 100, 2_047, 18_999, 19_000, 19_999, 2**29 - 1, 2**29)
_DEEPEST: Final = 5
_TYPE: Final = FieldDescriptor


def varint(value: int) -> bytes:
    """Return an unsigned number as protobuf writes it; a negative one as its two's complement."""
    value &= 2**64 - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


def tagged(number: int, wire_type: int, payload: bytes) -> bytes:
    """Return a field: its tag, and its payload, with its length if the type has one."""
    head = varint(number << 3 | wire_type)
    return head + (varint(len(payload)) if wire_type == _BYTES else b"") + payload


def mutant(message: Descriptor, chance: random.Random) -> bytes:
    """Return a message of this type, as a rule with something wrong in its values, its fields or its bytes."""
    spite = chance.choice((0.0, 0.0, 0.1, 0.5))
    writer = _Writer(chance, spite=spite, appetite=chance.choice((0.3, 0.6, 0.9)))
    fields = writer.fields(message)
    for _ in range(chance.choice((0, 0, 0, 1, 2))):
        fields.insert(chance.randint(0, len(fields)), chance.choice(_ODD_FIELDS)(chance))
    if chance.random() < 0.2:
        chance.shuffle(fields)
    raw = bytearray(b"".join(fields))
    for _ in range(chance.choice((0, 0, 0, 0, 1, 2))):
        _damage(raw, chance)
    return bytes(raw)


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes fields."""

    chance: random.Random
    spite: float
    """How often a value is one that no honest caller sends, from 0 to 1."""
    appetite: float
    """How often a field is there at all."""

    def fields(self, message: Descriptor, depth: int = 0) -> list[bytes]:
        """Return the fields of a message, each as its bytes."""
        written = []
        for field in message.fields:
            count = self.chance.choice((1, 1, 2)) if field.is_repeated else int(self._draw(self.appetite))
            written += [self._field(field, depth) for _ in range(count)]
        return written

    def _draw(self, likely: float) -> bool:
        return self.chance.random() < likely

    def _field(self, field: FieldDescriptor, depth: int) -> bytes:
        if self._draw(self.spite / 10):
            wire_type = self.chance.choice((_VARINT, _FIXED64, _BYTES, _GROUP, _FIXED32))
            return tagged(field.number, wire_type, self.chance.randbytes(self.chance.randint(0, 9)))
        if field.type == _TYPE.TYPE_MESSAGE:
            inner = (
                b"".join(self.fields(field.message_type, depth + 1)) if field.message_type and depth < _DEEPEST else b""
            )
            return tagged(field.number, _BYTES, inner)
        if field.type in {_TYPE.TYPE_STRING, _TYPE.TYPE_BYTES}:
            return tagged(field.number, _BYTES, self._text(field.name))
        if field.type == _TYPE.TYPE_DOUBLE:
            number = self.chance.choice(_DOUBLES) if self._draw(self.spite) else 1.0
            return tagged(field.number, _FIXED64, struct.pack("<d", number))
        assert field.type in _VARINTS, f"{field.full_name} is of a type that this does not write yet"
        value = self.chance.randint(0, 3)
        if self._draw(self.spite):
            value = self.chance.choice((1, 1, -1)) * self.chance.choice(_INTEGERS)
        return tagged(field.number, _VARINT, varint(value))

    def _text(self, name: str) -> bytes:
        if not self._draw(self.spite):
            return self.chance.choice(_FITTING.get(name, ("x",))).encode()
        kind = self.chance.random()
        if kind < 0.3:
            return self.chance.choice(_JSON).encode()
        if kind < 0.9:
            return self.chance.choice(tuple(HOSTILE_TEXTS.values())).encode()
        return self.chance.randbytes(self.chance.randint(0, 40))


_VARINTS: Final = {
    _TYPE.TYPE_BOOL,
    _TYPE.TYPE_ENUM,
    _TYPE.TYPE_INT32,
    _TYPE.TYPE_INT64,
    _TYPE.TYPE_UINT32,
    _TYPE.TYPE_UINT64,
}


def nested_groups(depth: int) -> bytes:
    """Return an unknown field of groups within groups."""
    return varint(900 << 3 | _GROUP) * depth + varint(900 << 3 | _GROUP_END) * depth


def nested_struct(depth: int) -> bytes:
    """Return an unknown field that holds a `google.protobuf.Struct` of this depth, as a reader of it would see it."""
    inner = b""
    for _ in range(depth):  # Struct.fields["a"] = Value(struct_value=…)
        entry = tagged(1, _BYTES, b"a") + tagged(2, _BYTES, tagged(5, _BYTES, inner))
        inner = tagged(1, _BYTES, entry)
    return tagged(901, _BYTES, inner)


def unknown_any() -> bytes:
    """Return an unknown field that holds a `google.protobuf.Any` of a type that nobody has."""
    return tagged(902, _BYTES, tagged(1, _BYTES, b"type.googleapis.com/evil.Type") + tagged(2, _BYTES, b"\xff" * 20))


_ODD_FIELDS: Final[tuple[Callable[[random.Random], bytes], ...]] = (
    lambda chance: tagged(chance.choice(_NUMBERS), _VARINT, varint(chance.choice(_INTEGERS))),
    lambda chance: tagged(chance.choice(_NUMBERS), _BYTES, chance.randbytes(chance.randint(0, 300))),
    lambda chance: tagged(chance.choice(_NUMBERS), chance.choice((6, 7)), chance.randbytes(3)),
    lambda chance: tagged(chance.randint(1, 6), _GROUP_END, b""),
    lambda chance: varint(chance.randint(1, 6) << 3) + b"\xff" * chance.choice((9, 10, 11)) + b"\x01",
    lambda chance: varint(chance.randint(1, 6) << 3 | _BYTES) + varint(chance.choice(_INTEGERS)),
    lambda chance: nested_groups(chance.choice((1, 50, 99, 101, 1_000, 10_000))),
    lambda chance: nested_struct(chance.choice((1, 99, 101, 1_000))),
    lambda _: unknown_any(),
)


def _damage(raw: bytearray, chance: random.Random) -> None:
    """Change, leave out, double or cut off a few bytes."""
    place, length = chance.randint(0, len(raw)), chance.randint(1, 8)
    match chance.randrange(4):
        case 0:
            raw[place : place + length] = chance.randbytes(length)
        case 1:
            del raw[place : place + length]
        case 2:
            raw[place:place] = raw[place : place + length]
        case _:
            del raw[place:]
