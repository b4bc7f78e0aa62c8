"""What a database says when it fails, in words that tell an operator what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from toolwright.errors import StoreCorrupt, StoreUnavailable, ToolwrightError
from toolwright.registry.rows import DamagedRow

# By SQLite's primary result codes (the low byte): https://www.sqlite.org/rescode.html
_SQLITE_ADVICE = {
    sqlite3.SQLITE_BUSY: "is locked by another process; end that process or wait for it",
    sqlite3.SQLITE_LOCKED: "is locked by another connection; try again",
    sqlite3.SQLITE_READONLY: "cannot be written; make the file and its directory writable for this user",
    sqlite3.SQLITE_PERM: "may not be opened; make the file and its directory accessible to this user",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; check that the path is right and accessible to this user",
    sqlite3.SQLITE_FULL: "cannot grow because the disk is full; free some space",
    sqlite3.SQLITE_IOERR: "cannot be read or written: input/output error; check the disk and its free space",
    sqlite3.SQLITE_NOTADB: "is not an SQLite database; name another file, or move this one away",
    sqlite3.SQLITE_NOMEM: "cannot be used because memory ran out",
    sqlite3.SQLITE_TOOBIG: "cannot hold a value of that size",
}
_DAMAGED = "is damaged ({detail}); nothing of it is used. Restore it from a backup"


@contextmanager
def store_faults(label: str) -> Iterator[None]:
    """Turn every failure of the database called `label` into `StoreUnavailable` or `StoreCorrupt`.

    An `IntegrityError` passes: only the statement's author knows what it means.
    """
    try:
        yield
    except exc.IntegrityError:
        raise
    except (exc.SQLAlchemyError, sqlite3.Error, OSError, DamagedRow, UnicodeDecodeError) as fault:
        raise as_store_error(label, fault) from fault


def as_store_error(label: str, fault: BaseException) -> ToolwrightError:
    """Return the error that callers of a store get for `fault`."""
    cause = fault.orig if isinstance(fault, exc.DBAPIError) and fault.orig is not None else fault
    if isinstance(cause, DamagedRow):
        return StoreCorrupt(f"the registry {label}: {cause}; it is not used. Restore the registry from a backup")
    if isinstance(cause, sqlite3.Error):
        return _sqlite_error(label, cause)
    if isinstance(cause, UnicodeDecodeError):  # what SQLite said quotes the damage, so Python could not read it
        return StoreCorrupt(f"the registry {label} " + _DAMAGED.format(detail="it holds text that is no UTF-8"))
    if isinstance(fault, exc.TimeoutError):
        return StoreUnavailable(f"the registry {label} is busy with other requests; try again")
    if isinstance(fault, exc.NoSuchModuleError) or isinstance(cause, ImportError):
        return StoreUnavailable(f"the registry {label} needs a driver that is not installed: {cause}")
    return StoreUnavailable(f"the registry {label} cannot be used: {_first_line(cause)}")


def _sqlite_error(label: str, fault: sqlite3.Error) -> ToolwrightError:
    code = getattr(fault, "sqlite_errorcode", None)
    text = _first_line(fault)
    primary = None if code is None else code & 0xFF
    # Python itself raises for text that is no UTF-8, without a code; a missing table is SQLITE_ERROR.
    lost = primary in {None, sqlite3.SQLITE_ERROR} and any(
        sign in text for sign in ("Could not decode to UTF-8", "no such table", "no such column")
    )
    if primary == sqlite3.SQLITE_CORRUPT or lost:
        return StoreCorrupt(f"the registry {label} " + _DAMAGED.format(detail=text))
    advice = _SQLITE_ADVICE.get(primary, "") if primary is not None else ""
    return StoreUnavailable(f"the registry {label} " + (f"{advice} ({text})" if advice else f"cannot be used: {text}"))


def _first_line(fault: BaseException) -> str:
    lines = str(fault).splitlines()
    return lines[0][:300] if lines else type(fault).__name__
