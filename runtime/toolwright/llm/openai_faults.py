"""Faults of the `openai` SDK as ours: by what the caller should do, and in words for an operator."""

from __future__ import annotations

import openai

from toolwright.errors import ModelError, ModelRejected, ModelReplyInvalid, ModelUnavailable
from toolwright.llm.endpoint import Endpoint
from toolwright.llm.reply import NoReply, shown
from toolwright.llm.transport import ReplyTooLarge

_TRANSIENT = frozenset({408, 409, 425, 429})
_SERVER_FAULT = 500

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


def explain(fault: openai.OpenAIError | NoReply, endpoint: Endpoint, model: str) -> ModelError:
    """Return the error to raise for `fault`. Its text names host, model, status and what to do, never the key."""
    place = f"model {model!r} at {endpoint.host}"
    match fault:
        case NoReply() | ReplyTooLarge():
            kind: type[ModelError] = ModelReplyInvalid
            quote = _quoted(fault.quote, endpoint) if isinstance(fault, NoReply) else ""
            text = f"gave no usable reply: {fault}{quote}"
        case openai.APITimeoutError():
            kind = ModelUnavailable
            text = (
                f"did not answer within {endpoint.timeout_s:g} s{_tries(fault)}; "
                "see whether it is overloaded, or raise the time-out"
            )
        case openai.APIConnectionError():
            kind = ModelUnavailable
            text = (
                f"cannot be reached{_quoted(str(fault.__cause__ or fault), endpoint)}{_tries(fault)}; "
                "check the base URL and that the endpoint runs"
            )
        case openai.APIStatusError():
            kind, text = _status(fault, endpoint)
        case _:
            kind = ModelRejected
            text = f"cannot be asked{_quoted(str(fault), endpoint)}"
    return kind(f"{place} {text}")


def _status(fault: openai.APIStatusError, endpoint: Endpoint) -> tuple[type[ModelError], str]:
    status = fault.status_code
    passing = status in _TRANSIENT or status >= _SERVER_FAULT
    advice = _ADVICE.get(status, "try again later" if passing else "correct the base URL or the request")
    said = _quoted(_said(fault), endpoint)
    text = f"answered HTTP {status}{_tries(fault) if passing else ''}{said}; {advice}"
    wait = fault.response.headers.get("retry-after", "")
    if passing and wait.isdecimal():
        text += f" (it asks to wait for {wait[:10]} s)"
    return (ModelUnavailable if passing else ModelRejected), text


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


def _tries(fault: openai.APIError) -> str:
    """How often it was tried: fewer than allowed where the endpoint asked for too long a pause."""
    retries = fault.request.headers.get("x-stainless-retry-count", "0")
    return f" in {int(retries) + 1} tries" if retries.isdecimal() and retries != "0" else ""
