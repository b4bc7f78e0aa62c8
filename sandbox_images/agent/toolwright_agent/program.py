"""Runs one payload: load the source, call or describe the function, send the result.

Everything here is in the hands of the tool as soon as its first line runs. So nothing here decides
anything: the controller does, from the exit status and from what the relay saw.
"""

from __future__ import annotations

import inspect
import json
import linecache
import math
import os
import struct
import sys
import types
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NoReturn

from toolwright_agent import parts
from toolwright_agent.spelling import NotLoaded

PAYLOAD = struct.Struct(">III")
"""Lengths of the JSON header, the source and the arguments that follow. After those come the texts of the tools that
the source is made from, if any; the header says how many bytes each has."""
LOADED = b"L"
"""Written before the result once the source is loaded. A hint, for the text of a verdict and the limit of
loading: a tool that writes it itself deceives nobody but its own caller about when it failed."""
RESULT = struct.Struct(">BI")
"""`Kind` and length of the body that follows."""

FILE_NAME = "<tool>"
parts.TITLES[FILE_NAME] = ""
MAX_DEPTH = 64
MAX_ITEMS = 100_000
MAX_INTEGER_BITS = 1_328
"""Every integer of 400 digits or fewer has at most this many bits; the digits are counted beyond it."""
MAX_DIGITS = 400
_SUSPENDS = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR | inspect.CO_GENERATOR | inspect.CO_ITERABLE_COROUTINE
_ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"))
_READ_BYTES = 65_536
_MAX_MESSAGE, _MAX_TYPE, _MAX_FRAMES, _MAX_CAUSES = 8_192, 200, 20, 3


class Kind(IntEnum):
    """What a result frame holds."""

    VALUE = 0
    """The JSON text of what the function returned."""
    RAISED = 1
    NOT_LOADED = 2
    NOT_JSON = 3
    """For these three: JSON with `type`, `message`, `traceback`."""


class NotJson(Exception):
    """The result has no JSON form."""


@dataclass(frozen=True)
class Speaker:
    """The process of the call: only it sends the result, not a process that the tool forked from it."""

    fd: int
    pid: int

    def say(self, mark: bytes) -> None:
        """Send `mark`, if this is still the process of the call."""
        if os.getpid() == self.pid:
            with suppress(OSError):  # the tool closed it; then there will be no result either
                os.write(self.fd, mark)

    def finish(self, kind: Kind, body: bytes) -> NoReturn:
        """Send the result and end this process."""
        for stream in (sys.__stdout__, sys.__stderr__):
            # What the tool did to its own streams is its own loss.
            with suppress(BaseException):
                stream.flush()  # type: ignore[union-attr]  # None is suppressed as well
        if os.getpid() != self.pid:
            os._exit(1)
        view = memoryview(RESULT.pack(kind, len(body)) + body)
        while view:
            view = view[os.write(self.fd, view) :]
        os._exit(0)


def run(payload_fd: int, result_fd: int) -> NoReturn:
    """Read the payload, run it, send its result and end the process."""
    header, code, arguments, texts = _read_payload(payload_fd)
    sys.argv = [FILE_NAME]
    call = Speaker(result_fd, os.getpid())
    try:
        function = _load(code, header, texts)
    except BaseException as fault:  # noqa: BLE001 - SystemExit at import is a failed load as well
        call.finish(Kind.NOT_LOADED, _explain(fault))
    call.say(LOADED)
    try:
        if header["operation"] == "describe":
            from toolwright_agent import describe  # noqa: PLC0415 - no call needs it

            value = describe.describe(function)
        else:
            value = function(**json.loads(arguments))
    except NotLoaded as fault:
        call.finish(Kind.NOT_LOADED, _explain(fault))
    except BaseException as fault:  # noqa: BLE001 - SystemExit and KeyboardInterrupt are errors of the tool
        call.finish(Kind.RAISED, _explain(fault))
    try:
        body = encode(value)
    except BaseException as fault:  # noqa: BLE001 - hostile objects may raise anything
        call.finish(Kind.NOT_JSON, _explain(fault))
    call.finish(Kind.VALUE, body)


def _read_payload(fd: int) -> tuple[dict[str, Any], str, str, memoryview]:
    pieces = []
    while piece := os.read(fd, _READ_BYTES):
        pieces.append(piece)
    os.close(fd)
    payload = b"".join(pieces)
    header, code, arguments = PAYLOAD.unpack_from(payload)
    code_at = PAYLOAD.size + header
    arguments_at = code_at + code
    end = arguments_at + arguments
    said = json.loads(payload[PAYLOAD.size : code_at])
    if len(payload) != end + sum(part["bytes"] for part in said.get("parts", ())):
        raise EOFError("the payload is not whole")
    return said, payload[code_at:arguments_at].decode(), payload[arguments_at:end].decode(), memoryview(payload)[end:]


def _load(code: str, header: dict[str, Any], texts: memoryview) -> Callable[..., Any]:
    package = parts.Parts(header["parts"], texts).package(header["uses"]) if "parts" in header else None
    name = header["function"]
    function = parts.load(code, header["module"], FILE_NAME, package).get(name)
    if function is None:
        raise NotLoaded(f"the source defines no function named {name!r}")
    if isinstance(function, type) or not callable(function):
        raise NotLoaded(f"{name!r} is no function")
    if type(function) is types.FunctionType and not function.__code__.co_flags & _SUSPENDS:
        return function
    for test in (inspect.iscoroutinefunction, inspect.isasyncgenfunction, inspect.isgeneratorfunction):
        if test(function):
            raise NotLoaded(f"{name!r} is no plain function: it has to return its result, not a coroutine or generator")
    return function  # type: ignore[no-any-return]  # callable was just checked


def encode(value: object) -> bytes:
    """Return `value` as strict JSON. Exact types only: a subclass may lie about its content.

    Raises:
        NotJson: names the first place that has no JSON form.
    """
    _check(value)
    return _ENCODER.encode(value).encode()


def _check(root: object) -> None:
    items = 0
    stack: list[tuple[Any, str, int]] = [(root, "result", 0)]
    while stack:
        value, path, depth = stack.pop()
        items += 1
        if items > MAX_ITEMS:
            raise NotJson(f"the result has more than {MAX_ITEMS} items")
        kind = type(value)
        if kind is str:
            _check_text(value, path)
        elif kind is float and not math.isfinite(value):
            raise NotJson(f"{path} is {value}, which JSON does not have")
        elif kind is int and value.bit_length() > MAX_INTEGER_BITS and abs(value) >= 10**MAX_DIGITS:
            raise NotJson(f"{path} is an integer of more than {MAX_DIGITS} digits")
        elif kind is dict or kind is list or kind is tuple:
            if depth >= MAX_DEPTH:
                raise NotJson(f"{path[:200]} is nested deeper than {MAX_DEPTH} levels")
            stack += _children(value, path, depth + 1)
        elif value is not None and kind not in {bool, int, float}:
            raise NotJson(f"{path[:200]} is a {kind.__name__}, which has no JSON form")


def _children(value: Any, path: str, depth: int) -> list[tuple[Any, str, int]]:  # noqa: ANN401 - a dict, list or tuple
    if type(value) is not dict:
        return [(item, f"{path}[{index}]", depth) for index, item in enumerate(value)]
    for key in value:
        if type(key) is not str:
            raise NotJson(f"{path[:200]} has a key that is a {type(key).__name__}; JSON keys are strings")
        _check_text(key, path)
    return [(item, f"{path}.{key}", depth) for key, item in value.items()]


def _check_text(text: Any, path: str) -> None:  # noqa: ANN401 - a str, by exact type
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotJson(f"{path[:200]} holds a lone surrogate, which is no text") from None


def _explain(fault: BaseException) -> bytes:
    """Return type, message and the tool's own frames as JSON. Every step may meet a hostile object."""
    try:
        text = {"type": _type_name(fault), "message": _message(fault), "traceback": _traceback(fault)}
    except BaseException:  # noqa: BLE001 - then say only that
        text = {"type": "Exception", "message": "the exception could not be shown", "traceback": ""}
    return json.dumps(text).encode()


def _type_name(fault: BaseException) -> str:
    return str(type.__getattribute__(type(fault), "__name__"))[:_MAX_TYPE]


def _message(fault: BaseException) -> str:
    try:
        return str.__getitem__(str(fault), slice(_MAX_MESSAGE))
    except BaseException:  # noqa: BLE001 - a hostile __str__
        return "the exception's text could not be made"


def _traceback(fault: BaseException) -> str:
    lines: list[str] = []
    shown: BaseException | None = fault
    for _ in range(_MAX_CAUSES):
        if shown is None:
            break
        frames = _tool_frames(shown.__traceback__)
        if frames:
            lines[:0] = [*frames, f"{_type_name(shown)}: {_message(shown)}"]
        shown = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)
    return "\n".join(lines)[:65_536]


def _tool_frames(trace: types.TracebackType | None) -> list[str]:
    frames: list[str] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        title = parts.TITLES.get(code.co_filename)
        if title is not None:
            source = linecache.getline(code.co_filename, trace.tb_lineno).strip()[:200]
            frames.append(f"  {title}line {trace.tb_lineno}, in {code.co_name[:100]}: {source}")
            if len(frames) > 2 * _MAX_FRAMES:  # keep the outermost and the innermost
                del frames[_MAX_FRAMES]
        trace = trace.tb_next
    return frames
