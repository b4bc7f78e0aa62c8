"""Where models answer: what is refused before the first request."""

from __future__ import annotations

import pytest

from toolwright.errors import InvalidInput
from toolwright.llm.endpoint import Endpoint


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.openai.com/v1",
        "ftp://host/v1",
        "http://",
        "http:///v1",
        "https://user:pass@host/v1",
        "https://host:99999/v1",
        "https://host:0/v1",
        "https://host/v 1",
        "https://host/\nv1",
        "https://[::1/v1",
    ],
)
def test_address_that_is_none_is_refused(url: str) -> None:
    """The field is named; the address is not repeated, as it may hold a password."""
    with pytest.raises(InvalidInput, match=r"models\.base_url") as caught:
        Endpoint(url)

    assert "pass" not in str(caught.value).replace("password", "")


@pytest.mark.parametrize("key", ["two words", "line\nend", "schlüssel", "\x00"])
def test_key_that_no_header_can_hold_is_refused(key: str) -> None:
    """Such a key would fail at the first request, with the key in the text."""
    with pytest.raises(InvalidInput, match=r"models\.api_key") as caught:
        Endpoint("http://host/v1", key)

    assert key not in str(caught.value)


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan"), float("inf"), 3601])
def test_patience_has_bounds(timeout_s: float) -> None:
    """A time-out is a real number of seconds."""
    with pytest.raises(InvalidInput, match=r"models\.timeout_s"):
        Endpoint("http://host/v1", timeout_s=timeout_s)


@pytest.mark.parametrize("max_retries", [-1, 11])
def test_retries_have_bounds(max_retries: int) -> None:
    """Neither none less than none, nor for ever."""
    with pytest.raises(InvalidInput, match=r"models\.max_retries"):
        Endpoint("http://host/v1", max_retries=max_retries)


def test_key_is_not_in_the_repr() -> None:
    """Printing an endpoint, in a log or a traceback, does not show its key."""
    assert "sk-1" not in repr(Endpoint("http://host/v1", "sk-1"))


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:80/v1", True),
        ("http://127.9.9.9/v1", True),
        ("http://[::1]:80/v1", True),
        ("http://localhost/v1", True),
        ("http://10.0.0.1/v1", False),
        ("https://localhost.example.org/v1", False),
    ],
)
def test_loopback_is_told_from_elsewhere(url: str, loopback: bool) -> None:  # noqa: FBT001 - a column of the table
    """Only this machine is reached without the environment's proxies."""
    assert Endpoint(url).is_loopback is loopback
