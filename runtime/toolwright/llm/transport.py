"""Bounds on what comes back over HTTP: how large a reply may be, and how long it may trickle in.

The SDK's time-out is for each read, so an endpoint or proxy that sends a space now and then would
hold a call for ever; and the SDK reads a reply of any size.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress

import httpx2
from openai import DefaultHttpxClient, OpenAIError

MAX_REPLY_BYTES = 16 * 1024 * 1024
_CONNECT_TIMEOUT_S = 5.0


class ReplyTooLarge(OpenAIError):
    """The reply has more bytes than are read. An `OpenAIError`, as the SDK does not try again after those."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"the reply has more than {max_bytes} bytes")


def patience(timeout_s: float) -> httpx2.Timeout:
    """Return time-outs for one request: a dead address shows sooner than a slow model."""
    return httpx2.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_TIMEOUT_S))


def bounded_client(timeout_s: float, *, use_proxies: bool, max_bytes: int = MAX_REPLY_BYTES) -> httpx2.Client:
    """Return an HTTP client with the SDK's defaults whose replies are bounded.

    Args:
        timeout_s: seconds in which a reply's body must be complete, counted from its head.
        use_proxies: whether proxies of the environment (`HTTPS_PROXY`, …) are used.
        max_bytes: largest reply, as sent.
    """

    def bound(response: httpx2.Response) -> None:
        if isinstance(response.stream, httpx2.SyncByteStream):
            response.stream = _BoundedStream(response.stream, max_bytes, time.monotonic() + timeout_s)

    return DefaultHttpxClient(timeout=patience(timeout_s), trust_env=use_proxies, event_hooks={"response": [bound]})


class _BoundedStream(httpx2.SyncByteStream):
    """Adds to a reply's body: stop at a size and at a time."""

    def __init__(self, base: httpx2.SyncByteStream, max_bytes: int, deadline: float) -> None:
        self._base, self._max_bytes, self._deadline = base, max_bytes, deadline

    def __iter__(self) -> Iterator[bytes]:
        read = 0
        for chunk in self._base:
            read += len(chunk)
            if read > self._max_bytes:
                raise ReplyTooLarge(self._max_bytes)
            if time.monotonic() > self._deadline:
                raise httpx2.ReadTimeout("the reply was not complete in time")
            yield chunk

    def close(self) -> None:
        with suppress(httpx2.HTTPError):  # the reply's own fault is already on its way
            self._base.close()
