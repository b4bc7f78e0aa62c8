"""PostgreSQL: for more than one server. The one module that knows its driver, settings and locks."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Connection, create_engine, event, text
from sqlalchemy.exc import NoSuchModuleError

from toolwright.errors import StoreUnavailable
from toolwright.registry.database import Backend

_CONNECTIONS = 16
_SCHEMA_LOCK = 0x746F6F6C77726967
"""Any number, the same for all servers: "toolwrig"."""


def postgres_backend(url: URL, *, wait_s: float = 5.0) -> Backend:
    """Return a backend for the database at `url`. Waits for connections and locks end after `wait_s` each.

    Raises:
        StoreUnavailable: the driver is not installed.
    """
    label = url.render_as_string(hide_password=True)
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    try:
        engine = create_engine(
            url,
            pool_pre_ping=True,  # a restarted database must not cost a request
            pool_size=_CONNECTIONS,
            max_overflow=0,
            pool_timeout=wait_s,
            connect_args={"connect_timeout": max(1, round(wait_s))},
        )
    except (ImportError, NoSuchModuleError) as fault:
        raise StoreUnavailable(
            f"the registry {label} needs a PostgreSQL driver ({fault}); install psycopg, or use a file"
        ) from fault

    @event.listens_for(engine, "connect")
    def limit_waiting(connection: Any, _: object) -> None:  # noqa: ANN401 - any driver's connection
        with connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = {round(wait_s * 1000)}")
        connection.commit()

    return Backend(label=label, writer=engine, reader=engine, lock_schema=_lock_schema)


def _lock_schema(connection: Connection) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SCHEMA_LOCK})
