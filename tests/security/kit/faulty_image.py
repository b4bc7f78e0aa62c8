"""Images like ours whose agent is at fault."""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from toolwright.attacks.sabotage import agent_with
from toolwright.sandbox.engine import Engine

CRASHING: Final = ["/usr/bin/python3.13", "-I", "-S", "-c", "raise SystemExit('the agent broke at once')"]


def speaking(protocol: int) -> list[str]:
    """Return an entrypoint whose agent says that it speaks `protocol`."""
    return agent_with(f"from toolwright_agent import relay; relay.PROTOCOL_VERSION = {protocol}\n")


@contextmanager
def derived(engine: Engine, base: str, entrypoint: Sequence[str]) -> Iterator[str]:
    """Make an image that differs from `base` in its entrypoint alone; yield its id, and remove it at the end."""
    # A label of its own: the engine would give two runs the same image, and one would remove the other's.
    recipe = f"FROM {base}\nENTRYPOINT {json.dumps(list(entrypoint))}\nLABEL run={secrets.token_hex(8)}\n"
    image, _ = engine.client.images.build(fileobj=io.BytesIO(recipe.encode()), rm=True, forcerm=True)
    try:
        yield str(image.id)
    finally:
        engine.client.images.remove(str(image.id), force=True)
