"""Where the registry is, in one text or path."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path

from sqlalchemy import URL

from toolwright.registry.base import Store
from toolwright.registry.memory import MemoryStore
from toolwright.registry.sql import SqlStore
from toolwright.registry.sqlite import Durability

IN_MEMORY = "memory:"
"""Names a registry that ends with the process."""


def open_store(url_or_path: str | PathLike[str], *, durability: Durability = "process", wait_s: float = 5.0) -> Store:
    """Open the registry in a file, at a database URL, or (`memory:`) nowhere.

    Args:
        url_or_path: a path (of an SQLite file, made if it is not there), a URL as `SqlStore` takes
            it, or `memory:`.
        durability: see `SqlStore`.
        wait_s: see `SqlStore`.

    Raises:
        InvalidInput: it names nothing that can be a registry.
        StoreUnavailable: it cannot be opened, is locked, or has a newer schema.
        StoreCorrupt: it is damaged.
    """
    if url_or_path == IN_MEMORY:
        return MemoryStore()
    if isinstance(url_or_path, str) and "://" in url_or_path:
        return SqlStore(url_or_path, durability=durability, wait_s=wait_s)
    path = Path(fspath(url_or_path)).expanduser().absolute()
    # Not by way of a text: a `?` in a path is no query.
    return SqlStore(URL.create("sqlite", database=str(path)), durability=durability, wait_s=wait_s)
