"""From a URL to the kind of database that it names."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from toolwright.errors import InvalidInput
from toolwright.registry.database import Backend
from toolwright.registry.postgres import postgres_backend
from toolwright.registry.sqlite import Durability, sqlite_backend

_ALLOWED = "a path, sqlite:///path, postgresql://user:password@host/database or memory:"


def open_backend(url: str | URL, *, durability: Durability, wait_s: float) -> Backend:
    """Return the backend for the database that `url` names.

    Raises:
        InvalidInput: it names none, or one of a kind that is not known here.
        StoreUnavailable: it cannot be made, or its driver is not installed.
    """
    parsed = _parse(url)
    kind = parsed.get_backend_name()
    if kind == "postgresql":
        return postgres_backend(parsed, wait_s=wait_s)
    if kind != "sqlite":
        raise InvalidInput("registry", f"{kind!r} is no kind of database that can be used", _ALLOWED)
    # A database in memory would be another one for each connection, and options could undo what is promised.
    if not parsed.database or parsed.database == ":memory:" or parsed.query or parsed.host or "\0" in parsed.database:
        raise InvalidInput("registry", "an SQLite URL has a path and nothing else", _ALLOWED)
    return sqlite_backend(Path(parsed.database).absolute(), durability=durability, wait_s=wait_s)


def _parse(url: str | URL) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        # The text may hold a password: it is not repeated.
        raise InvalidInput("registry", "is no database URL", _ALLOWED) from None
