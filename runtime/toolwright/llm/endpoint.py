"""Where models answer: address, key, patience. Checked once, before the first request."""

from __future__ import annotations

import ipaddress
import math
import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from toolwright.errors import InvalidInput

MAX_TIMEOUT_S = 3_600.0
MAX_RETRIES = 10

_KEY = re.compile(r"[\x21-\x7e]*\Z")
_NO_KEY = "no-key"  # servers on one's own machine ask for none, but the SDK wants some text


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An OpenAI-compatible endpoint. Its key is in no text that this package writes."""

    base_url: str
    """As the SDK takes it: usually ends in `/v1`."""
    api_key: str = field(default="", repr=False)
    """Empty where the endpoint asks for none."""
    timeout_s: float = 60.0
    """Seconds to wait for the reply's first byte, and again for its last one."""
    max_retries: int = 2
    """Further tries after a broken connection, a time-out, 408, 409, 429 and 5xx, with back-off."""

    def __post_init__(self) -> None:
        """Refuse what would fail at the first request with a worse text.

        Raises:
            InvalidInput: names the field and what is allowed.
        """
        _check_url(self.base_url)
        if not _KEY.match(self.api_key):
            raise InvalidInput("models.api_key", "holds a space, line end or other sign no key has", "printable ASCII")
        if not (math.isfinite(self.timeout_s) and 0 < self.timeout_s <= MAX_TIMEOUT_S):
            raise InvalidInput("models.timeout_s", f"is {self.timeout_s}", f"above 0, at most {MAX_TIMEOUT_S:g}")
        if not 0 <= self.max_retries <= MAX_RETRIES:
            raise InvalidInput("models.max_retries", f"is {self.max_retries}", f"0 to {MAX_RETRIES}")

    @property
    def host(self) -> str:
        """Host and port, for messages."""
        return urlsplit(self.base_url).netloc

    @property
    def bearer(self) -> str:
        """What to send as key."""
        return self.api_key or _NO_KEY

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine, where a proxy of the environment must not come between."""
        name = urlsplit(self.base_url).hostname or ""
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return name == "localhost"

    def without_key(self, text: str) -> str:
        """Return `text` with the key struck out: endpoints and libraries may echo it."""
        return text.replace(self.api_key, "[key]") if self.api_key else text


def _check_url(url: str) -> None:
    allowed = "http:// or https://, a host, and no user name or password"
    try:
        parts = urlsplit(url)
        usable = _is_usable(parts)
    except ValueError:
        usable = False
    if not usable or not url.isprintable() or " " in url:
        # the text is not repeated: it may hold a password
        raise InvalidInput("models.base_url", "is not the address of an endpoint", allowed)


def _is_usable(parts: SplitResult) -> bool:
    """Raises ValueError where the port is none."""
    port_fits = parts.port is None or parts.port > 0
    return port_fits and parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
