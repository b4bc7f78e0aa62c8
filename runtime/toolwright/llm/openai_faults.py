"""Faults of the `openai` SDK as ours: by what the caller should do, and in words for an operator."""

from __future__ import annotations

import re

import httpx2
import openai

from toolwright.errors import (
    ModelContextExceeded,
    ModelError,
    ModelRefused,
    ModelRejected,
    ModelReplyInvalid,
    ModelUnavailable,
)
from toolwright.llm.endpoint import Endpoint
from toolwright.llm.reply import NoReply, RefusedReply, shown
from toolwright.llm.streaming import BrokenStream
from toolwright.llm.transport import ReplyTooLarge

_TRANSIENT = frozenset({408, 409, 425, 429})
_TOO_MANY = 429
_SERVER_FAULT = 500
_MAX_SUBJECT_CHARS = 4_000

# Each server has words of its own; OpenAI and llama.cpp have a code as well.
_TOO_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size|context (length|window|size)|string_above_max_length"
    r"|prompt is too long|too many (input |prompt )?tokens|(prompt|input) (tokens? )?exceeds",
    re.IGNORECASE,
)
_FILTERED = re.compile(r"content_filter|content_policy_violation|content management policy|ResponsibleAIPolicy")

_ADVICE = {
    400: "the endpoint does not take this request; its message says why",
    401: "set a valid API key",
    403: "the key may not use this model; use another key or model",
    404: "correct the model name or the base URL, which usually ends in /v1",
    408: "try again later, or raise the time-out",
    413: "the request is too large for the endpoint; shorten the question or the examples",
    422: "the endpoint does not take this request; its message says why",
    429: "wait and try again, send less at a time, or check the account's quota",
}


def explain(
    fault: openai.OpenAIError | NoReply | BrokenStream | httpx2.HTTPError, endpoint: Endpoint, model: str
) -> ModelError:
    """Return the error to raise for `fault`. Its text names host, model, status and what to do, never the key."""
    place = f"model {model!r} at {endpoint.host}"
    match fault:
        case RefusedReply():
            quote = endpoint.without_key(fault.quote)
            text = f"{place} declined: {fault}{_quoted(quote, endpoint)}"
            counts = {"prompt_tokens": fault.prompt_tokens, "completion_tokens": fault.completion_tokens}
            refusal = ModelRefused(text, quote=quote, **counts)
            refusal.asked = model
            return refusal
        case NoReply() | ReplyTooLarge():
            quote = _quoted(fault.quote, endpoint) if isinstance(fault, NoReply) else ""
            return ModelReplyInvalid(f"{place} gave no usable reply: {fault}{quote}")
        case openai.APITimeoutError() | httpx2.TimeoutException():
            text = f"did not answer within {endpoint.timeout_s:g} s{_tries(fault)}"
            return ModelUnavailable(f"{place} {text}; see whether it is overloaded, or raise the time-out")
        case BrokenStream():
            return ModelUnavailable(f"{place} broke off: {fault}{_quoted(fault.quote, endpoint)}; try again later")
        case openai.APIConnectionError() | httpx2.HTTPError():
            text = f"cannot be reached{_quoted(str(fault.__cause__ or fault), endpoint)}{_tries(fault)}"
            return ModelUnavailable(f"{place} {text}; check the base URL and that the endpoint runs")
        case openai.APIStatusError():
            return _status(fault, endpoint, place)
        case _:
            return ModelRejected(f"{place} cannot be asked{_quoted(str(fault), endpoint)}")


def _status(fault: openai.APIStatusError, endpoint: Endpoint, place: str) -> ModelError:
    status = fault.status_code
    passing = status in _TRANSIENT or status >= _SERVER_FAULT
    subject = _subject(fault, endpoint)
    said = _quoted(_said(fault), endpoint)
    if status != _TOO_MANY and _TOO_LONG.search(subject):
        return ModelContextExceeded(f"{place} takes no prompt of this length{said}; shorten the question or examples")
    if _FILTERED.search(subject):
        return ModelRefused(f"{place} declined: the endpoint's content filter stopped the request{said}")
    advice = _ADVICE.get(status, "try again later" if passing else "correct the base URL or the request")
    text = f"{place} answered HTTP {status}{_tries(fault) if passing else ''}{said}; {advice}"
    wait = fault.response.headers.get("retry-after", "")
    if passing and wait.isdecimal():
        text += f" (it asks to wait for {wait[:10]} s)"
    return ModelUnavailable(text) if passing else ModelRejected(text, status=status, subject=subject)


def _subject(fault: openai.APIStatusError, endpoint: Endpoint) -> str:
    """What the endpoint refused, in all the words that it has for it."""
    body = fault.body if isinstance(fault.body, dict) else {}
    codes = [str(body[name]) for name in ("param", "code", "type") if body.get(name)]
    text = " ".join([*codes, _said(fault)])
    return endpoint.without_key(text)[:_MAX_SUBJECT_CHARS]


def _said(fault: openai.APIStatusError) -> str:
    """What the endpoint itself gave as reason; empty where it sent a page."""
    body = fault.body
    message = body.get("message") if isinstance(body, dict) else None
    if isinstance(message, str):
        return message
    return "" if "<" in fault.response.text[:500] else fault.response.text


def _quoted(text: str, endpoint: Endpoint) -> str:
    """Untrusted text for a message: the key goes before the cut, which could leave a part of it."""
    return f" ({quote})" if (quote := shown(endpoint.without_key(text))) else ""


def _tries(fault: openai.APIError | httpx2.HTTPError) -> str:
    """How often it was tried: fewer than allowed where the endpoint asked for too long a pause."""
    if isinstance(fault, httpx2.HTTPError):  # of a stream that had begun; these tries are not the SDK's
        return ""
    retries = fault.request.headers.get("x-stainless-retry-count", "0")
    return f" in {int(retries) + 1} tries" if retries.isdecimal() and retries != "0" else ""
