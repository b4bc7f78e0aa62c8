"""Draws what share of calls a call belongs to."""

from __future__ import annotations

import hashlib
import secrets

from toolwright.domain.call import ExecutionRequest


def lot_of(request: ExecutionRequest) -> float:
    """Return a number from 0 to 1 for a call: the same for the same tenant's idempotency key, else a new one."""
    if not request.idempotency_key:
        return draw()
    key = hashlib.sha256(f"{request.tenant}\0{request.idempotency_key}".encode(errors="surrogatepass")).digest()
    return int.from_bytes(key[:6]) / 2**48


def draw() -> float:
    """Return a number from 0 to 1."""
    return secrets.randbits(48) / 2**48
