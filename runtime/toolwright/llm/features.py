"""What endpoints differ in: optional parts of a request, and which of them a refusal is about.

Nothing is guessed from names of models or addresses. A part is left out once an endpoint has refused it in
words, and only what then worked without it is remembered; see `llm.learned`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from toolwright.errors import ModelRejected

_REFUSING: Final = frozenset({400, 404, 415, 422, 501})
"""404 as well: a router of many providers says so that none of them takes tools."""


class Feature(StrEnum):
    """A part of a request that some endpoints do not take."""

    STRICT = "strict"
    """Arguments or a reply that keep to their schema exactly."""
    PARALLEL = "parallel_tool_calls"
    """Asking for one call at a time."""
    TOOL_CHOICE = "tool_choice"
    """Asking for a call, not text."""
    SHAPE = "response_format"
    """A reply of text in the form of a JSON Schema."""
    TEMPERATURE = "temperature"
    MAX_TOKENS = "max_completion_tokens"
    """Refused by older servers, which know it as `max_tokens`."""
    EFFORT = "reasoning_effort"
    TOOLS = "tools"
    """Function calling at all."""


REPLACED: Final = frozenset({Feature.SHAPE, Feature.TOOLS})
"""What cannot be left out without asking in another way."""

# The narrowest first: a refusal of `strict` names the tools that it stands in.
_WORDS: Final[Mapping[Feature, re.Pattern[str]]] = {
    feature: re.compile(words, re.IGNORECASE)
    for feature, words in {
        Feature.STRICT: r"\bstrict\b|invalid_function_parameters|invalid schema for (function|response_format)",
        Feature.PARALLEL: r"parallel[_ ]tool[_ ]calls?",
        Feature.TOOL_CHOICE: r"tool[_ ]choice",
        Feature.SHAPE: r"response[_ ]format|json[_ ]schema|structured[_ ]outputs?",
        Feature.TEMPERATURE: r"temperature",
        Feature.MAX_TOKENS: r"max_completion_tokens",
        Feature.EFFORT: r"reasoning[_. ]effort|\breasoning\b",
        Feature.TOOLS: r"\btools\b|\btool[_ -](use|call|choice)|\bfunction[_ -]?call|\bfunctions\b",
    }.items()
}
_CHAT = re.compile(r"^\s*(messages|model)\b|messages\[")


def parts_of(body: Mapping[str, Any]) -> frozenset[Feature]:
    """Return the optional parts that a request holds."""
    parts = {feature for feature in Feature if feature.value in body}
    if any("strict" in tool["function"] for tool in body.get("tools", ())) or _shape(body).get("strict"):
        parts.add(Feature.STRICT)
    return frozenset(parts)


def without(body: Mapping[str, Any], feature: Feature) -> dict[str, Any]:
    """Return the request without `feature`, asked for in the older way where there is one."""
    rest = {name: value for name, value in body.items() if name != feature.value}
    if feature is Feature.MAX_TOKENS and feature.value in body:
        rest["max_tokens"] = body[feature.value]
    if feature is Feature.STRICT:
        if "tools" in body:
            rest["tools"] = [{**tool, "function": _without_key(tool["function"], "strict")} for tool in body["tools"]]
        if shape := _shape(body):
            rest["response_format"] = {**body["response_format"], "json_schema": _without_key(shape, "strict")}
    return rest


def blamed(refusal: ModelRejected, body: Mapping[str, Any]) -> Feature | None:
    """Return which optional part of `body` the endpoint refused; None if it speaks of none."""
    if refusal.status not in _REFUSING or _CHAT.search(refusal.subject):
        return None
    parts = parts_of(body)
    return next((part for part in _WORDS if part in parts and _WORDS[part].search(refusal.subject)), None)


def _shape(body: Mapping[str, Any]) -> Mapping[str, Any]:
    shape: Mapping[str, Any] = body.get("response_format", {}).get("json_schema", {})
    return shape


def _without_key(value: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: item for name, item in value.items() if name != key}
