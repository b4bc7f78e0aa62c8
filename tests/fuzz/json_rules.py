"""Target: strict JSON. The first byte chooses the rules, the rest is the text."""

from __future__ import annotations

from typing import Final

from tests.fuzz import json_oracle
from toolwright.domain.json_rules import JsonRules

RULES: Final = (
    JsonRules(max_bytes=1 << 20),
    JsonRules(max_bytes=60, max_depth=3, max_items=5, max_number_chars=4),
    JsonRules(max_bytes=4_096, max_depth=2, max_items=32, max_number_chars=32),  # as for an agent's reports
)


def check(data: bytes) -> None:
    """Parse, and compare with `json.loads`; see `json_oracle`."""
    if data:
        json_oracle.check(data[1:], RULES[data[0] % len(RULES)])
