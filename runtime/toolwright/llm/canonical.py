"""Requests as text of one form, and the hash by which a recording finds them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def canonical(body: Mapping[str, Any]) -> str:
    """Return the same text for equal requests: sorted names, no blanks."""
    return json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def key_of(body: Mapping[str, Any]) -> str:
    """Return the hash of a request."""
    return hashlib.sha256(canonical(body).encode("utf-8", "surrogatepass")).hexdigest()
