"""Faults of settings and requests, told by the flags that were typed."""

from __future__ import annotations

import re

from toolwright.domain.limits import MIB
from toolwright.errors import InvalidInput

_FLAGS = {
    "sandbox.limits.wall_time_s": "--timeout",
    "sandbox.limits.memory_bytes": "--memory",
    "limits.wall_time_s": "--timeout",
    "limits.memory_bytes": "--memory",
    "sandbox.image": "--image",
    "sandbox.runtime": "--runtime",
    "isolation.default": "--isolation",
    "isolation": "--isolation",
}
_ARGUMENTS = "arguments_json"
_NUMBER = re.compile(r"\d{6,}")


def in_flags(fault: InvalidInput) -> InvalidInput:
    """Return `fault` with the setting or field that it names as the flag that was given, and its unit as the flag's."""
    if fault.field == _ARGUMENTS or fault.field.startswith((f"{_ARGUMENTS}.", f"{_ARGUMENTS}[")):
        return InvalidInput("--args" + fault.field.removeprefix(_ARGUMENTS), fault.problem, fault.limit)
    flag = _FLAGS.get(fault.field, fault.field)
    if flag != "--memory":
        return InvalidInput(flag, fault.problem, fault.limit)
    return InvalidInput(flag, _in_mebibytes(fault.problem), _in_mebibytes(fault.limit))


def _in_mebibytes(text: str) -> str:
    """Return `text` with numbers of bytes as MiB, which is what `--memory` counts in."""
    return _NUMBER.sub(lambda number: f"{int(number[0]) / MIB:g} MiB", text)
