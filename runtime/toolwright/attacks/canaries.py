"""Secrets planted where a tool must not find them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SERVER_VARIABLE: Final = "TOOLWRIGHT_TEST_CANARY"
"""Environment variable of this process, which is the server's here."""


@dataclass(frozen=True, slots=True)
class Canaries:
    """Secrets planted where a tool must not find them."""

    server_variable: str
    earlier_argument: str
    neighbours_source: str
    host_file: Path
    """Both its name and its content are secret."""

    def found_in(self, *texts: str | bytes) -> list[str]:
        """Return which of them occur in `texts`."""
        raw = b"\n".join(text.encode() if isinstance(text, str) else text for text in texts)
        values = {
            "server's environment": self.server_variable,
            "an earlier call's argument": self.earlier_argument,
            "a neighbour's source": self.neighbours_source,
            "a file of the host": self.host_file.name,
        }
        return [name for name, value in values.items() if value.encode() in raw]


@contextmanager
def planted(directory: Path) -> Iterator[Canaries]:
    """Make new secrets, and put those of the server and the host in place until the end."""
    one, two, three, four = (f"canary-{secrets.token_hex(12)}" for _ in range(4))
    host_file = directory / four
    host_file.write_text(four, encoding="ascii")
    before = os.environ.get(SERVER_VARIABLE)
    os.environ[SERVER_VARIABLE] = one
    try:
        yield Canaries(one, two, three, host_file)
    finally:
        os.environ.pop(SERVER_VARIABLE)
        if before is not None:
            os.environ[SERVER_VARIABLE] = before
        host_file.unlink(missing_ok=True)
