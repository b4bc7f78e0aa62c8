"""The seam between what is asked and how it travels: a request's body out, a completion's body back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Exchange(Protocol):
    """Sends requests to one endpoint. Adapting, recording and replaying are added to one, or stand in its place."""

    def send(self, body: Mapping[str, Any]) -> bytes:
        """Send the body of a chat completion request, and return that of the completion as it came.

        Raises:
            ModelUnavailable: no answer, or 429 or 5xx, after all retries.
            ModelRejected: the endpoint refused the request.
            ModelContextExceeded: it refused it as too long for the model.
            ModelRefused: its content filter stopped it.
            ModelReplyInvalid: the reply is too large.
            ModelExchangeMissing: it is replayed, and the recording does not hold it.
        """

    def close(self) -> None:
        """Close the connections. Nothing can be sent after this."""
