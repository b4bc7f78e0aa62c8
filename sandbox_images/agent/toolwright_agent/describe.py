"""Describes a function by its signature, annotations and docstring: JSON Schema of its arguments.

Runs in the call, after its rights are gone: annotations are code, and introspection of hostile
objects may lie, hang or crash. The controller treats the result as data.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from toolwright_agent.spelling import NotLoaded

_SIMPLE: dict[object, dict[str, Any]] = {
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    None: {"type": "null"},
    type(None): {"type": "null"},
    Any: {},
    object: {},
    list: {"type": "array"},
    tuple: {"type": "array"},
    dict: {"type": "object"},
}
_LISTS = (list, Sequence, Iterable, Collection)
_MAPPINGS = (dict, Mapping)
_MAX_DEPTH = 16


def describe(function: Callable[..., Any]) -> dict[str, Any]:
    """Return `summary`, `signature` and `parameters` of `function`.

    Raises:
        NotLoaded: a parameter cannot be given by keyword as JSON.
    """
    signature = inspect.signature(function)
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except Exception as fault:  # noqa: BLE001 - evaluating annotations runs code
        raise NotLoaded(f"the annotations cannot be evaluated: {type(fault).__name__}: {fault}") from None
    properties: dict[str, Any] = {}
    required = []
    for name, parameter in signature.parameters.items():
        if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
            raise NotLoaded(f"the parameter {name!r} cannot be given by keyword; use plain named parameters")
        if name not in hints:
            raise NotLoaded(f"the parameter {name!r} has no type annotation")
        properties[name] = _schema(hints[name], name, 0)
        if parameter.default is parameter.empty:
            required.append(name)
    return {
        "summary": inspect.getdoc(function) or "",
        # Without the name that the module happens to have here.
        "signature": f"{getattr(function, '__name__', 'function')}{signature}".replace(f"{function.__module__}.", ""),
        "parameters": {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        },
    }


def _schema(hint: Any, path: str, depth: int) -> dict[str, Any]:  # noqa: ANN401, C901 - any annotation; a flat table
    if depth > _MAX_DEPTH:
        raise NotLoaded(f"the type of {path} is nested deeper than {_MAX_DEPTH} levels")
    try:
        if hint in _SIMPLE:
            return dict(_SIMPLE[hint])
    except TypeError:
        raise NotLoaded(f"the type of {path} has no JSON form") from None
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    inner = depth + 1
    if origin is typing.Annotated:
        schema = _schema(arguments[0], path, inner)
        notes = [note for note in arguments[1:] if type(note) is str]
        return schema | ({"description": notes[0]} if notes else {})
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin is typing.Union or origin is types.UnionType:
        return {"anyOf": [_schema(option, path, inner) for option in arguments]}
    if origin in _LISTS:
        return {"type": "array", "items": _schema(arguments[0], f"{path}[]", inner)}
    if origin is tuple:
        return _tuple(arguments, path, inner)
    if origin in _MAPPINGS:
        if arguments[0] is not str:
            raise NotLoaded(f"the keys of {path} are not str, so it has no JSON form")
        return {"type": "object", "additionalProperties": _schema(arguments[1], f"{path}.*", inner)}
    if typing.is_typeddict(hint):
        return _typed_dict(hint, path, inner)
    raise NotLoaded(
        f"the type {hint!r} of {path} has no JSON form; use int, float, str, bool, list, dict, Literal or None"
    )


def _tuple(arguments: tuple[Any, ...], path: str, depth: int) -> dict[str, Any]:
    if len(arguments) == 2 and arguments[1] is Ellipsis:  # noqa: PLR2004 - tuple[X, ...]
        return {"type": "array", "items": _schema(arguments[0], f"{path}[]", depth)}
    items = [_schema(item, f"{path}[{index}]", depth) for index, item in enumerate(arguments)]
    return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}


def _typed_dict(hint: Any, path: str, depth: int) -> dict[str, Any]:  # noqa: ANN401 - a TypedDict class
    hints = typing.get_type_hints(hint)
    return {
        "type": "object",
        "properties": {name: _schema(kind, f"{path}.{name}", depth) for name, kind in hints.items()},
        "required": sorted(hint.__required_keys__),
        "additionalProperties": False,
    }
