"""One tree of faults, ordered by what the caller should do. Knows nothing of transport.

`services/status.py` alone maps these to gRPC, and `cli/exit.py` alone to exit statuses.
A tool that raises, hangs or dies is *not* here: that is a normal `Outcome`.
"""

from __future__ import annotations

from collections.abc import Mapping


class ToolwrightError(Exception):
    """Base of all faults. Its text tells the caller what to do."""

    reason = "UNSPECIFIED"
    """Name in `ErrorReason` of error_reason.proto."""

    unanswered: tuple[str, ...] = ()
    """Where this fault ended a batch: ids of the calls that were sent and got no answer."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """Facts for programs, beside the text for people."""
        return {}


# --- the caller must change the request -------------------------------------------------


class CallerError(ToolwrightError):
    """The request cannot be served as it is. Sending it again gives the same answer."""


class InvalidInput(CallerError):
    """A field has a bad value."""

    reason = "INVALID_INPUT"

    def __init__(self, field: str, problem: str, limit: str = "") -> None:
        """Name the `field` (a path such as `examples[2].answer`), its `problem`, and the `limit` that holds."""
        super().__init__(f"{field}: {problem}" + (f" (allowed: {limit})" if limit else ""))
        self.field, self.problem, self.limit = field, problem, limit

    @property
    def metadata(self) -> Mapping[str, str]:
        """The field's path and its limit."""
        return {"field": self.field, "limit": self.limit}


class NotFound(CallerError):
    """There is nothing of that name."""

    reason = "NOT_FOUND"

    def __init__(self, kind: str, name: str, hint: str = "") -> None:
        super().__init__(f"no {kind} named {name!r}" + (f"; {hint}" if hint else ""))
        self.kind, self.name = kind, name

    @property
    def metadata(self) -> Mapping[str, str]:
        """What kind of thing, and its name."""
        return {"kind": self.kind, "name": self.name[:200]}


class AlreadyExists(CallerError):
    """The name is taken by something else."""

    reason = "ALREADY_EXISTS"


class NotReady(CallerError):
    """The thing exists but is not in a state to be used. Change that first."""

    reason = "NOT_READY"


class Unsupported(CallerError):
    """This server does not do that."""

    reason = "UNSUPPORTED"


class PermissionDenied(CallerError):
    """The server's policy does not let this caller do that. Ask for less, or have the operator change the policy."""

    reason = "PERMISSION_DENIED"


class CallCancelled(CallerError):
    """The caller went away or cancelled. The tool was killed, or never started."""

    reason = "CANCELLED"


class DeadlineExceeded(CallerError):
    """The caller's deadline passed. The tool was killed, or never started."""

    reason = "DEADLINE_EXCEEDED"


# --- try again later ----------------------------------------------------------------------


class Overloaded(ToolwrightError):
    """All sandboxes are busy and the queue is full. Retry after the time given; the tool did not run."""

    reason = "OVERLOADED"

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


# --- a service that we need, or we ourselves, are at fault ---------------------------------


class ServiceFault(ToolwrightError):
    """Not the caller's fault. No tool code ran unless the text says so."""


class EngineUnavailable(ServiceFault):
    """No Docker engine answers. Start one, or name it by DOCKER_HOST."""

    reason = "ENGINE_UNAVAILABLE"


class SandboxUnavailable(ServiceFault):
    """No container could be started. Retry with back-off; the tool did not run."""

    reason = "SANDBOX_UNAVAILABLE"


class ImageMissing(ServiceFault):
    """The sandbox image is not in the engine. Build it with `toolwright images build`."""

    reason = "IMAGE_MISSING"


class StoreUnavailable(ServiceFault):
    """The registry cannot be read or written. Nothing was run or kept."""

    reason = "STORE_UNAVAILABLE"


class StoreCorrupt(ServiceFault):
    """What the registry holds does not match its digest. It is not used; restore from a backup."""

    reason = "STORE_CORRUPT"


class RecordLost(ServiceFault):
    """The tool ran, but its end could not be put on record, so its result is not given out.

    Mend the registry. Whether to call again is the caller's to decide: the tool has run once.
    """

    reason = "RECORD_LOST"


class ServerUnavailable(ServiceFault):
    """No Toolwright server answers at the address. Nothing was sent, so nothing ran."""

    reason = "SERVER_UNAVAILABLE"


class ConnectionLost(ServiceFault):
    """The connection broke while the call ran. It may have run; call again only if running it twice does no harm.

    A server that still runs remembers the idempotency key of the first try, and does not run it again.
    """

    reason = "CONNECTION_LOST"


# --- language models -------------------------------------------------------------------------


class ModelError(ServiceFault):
    """A language model gave no usable reply."""


class ModelUnavailable(ModelError):
    """The model's endpoint does not answer, or answers with 429 or 5xx after all retries."""

    reason = "MODEL_UNAVAILABLE"


class ModelRejected(ModelError):
    """The model's endpoint refused the request (key, model name or request form). Correct the settings."""

    reason = "MODEL_REJECTED"

    def __init__(self, message: str = "", *, status: int = 0, subject: str = "") -> None:
        """Say what was refused.

        Args:
            message: what is wrong, for people.
            status: the endpoint's HTTP status; 0 if it was never asked.
            subject: which part of the request the endpoint named, in its own words: untrusted, and for programs only.
        """
        super().__init__(message)
        self.status, self.subject = status, subject
        self.part = ""
        """The part of the request that is not taken and has to be asked for in another way; empty if there is none."""


class ModelReplyInvalid(ModelError):
    """The endpoint's reply is not a chat completion."""

    reason = "MODEL_REPLY_INVALID"


class ModelContextExceeded(ModelError):
    """The prompt is longer than the model can take. Shorten question or examples, or set a model with more context."""

    reason = "MODEL_CONTEXT_EXCEEDED"


class ModelRefused(ModelError):
    """The model, or its endpoint's content filter, declined to answer. Word the task or the question otherwise."""

    reason = "MODEL_REFUSED"

    asked = ""
    """The model's name, as it was asked for."""

    def __init__(
        self, message: str = "", *, quote: str = "", prompt_tokens: int = 0, completion_tokens: int = 0
    ) -> None:
        """Say what was declined; `quote` is the model's own words, untrusted. A refusal is billed, so it has counts."""
        super().__init__(message)
        self.quote, self.prompt_tokens, self.completion_tokens = quote, prompt_tokens, completion_tokens


class ModelExchangeMissing(ModelError):
    """The recording that is replayed holds no such exchange. Record the run anew, or replay it unchanged."""

    reason = "MODEL_EXCHANGE_MISSING"
