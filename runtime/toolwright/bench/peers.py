"""Other sandboxes on the same engine, with the same work. One that is absent is told as such, never made up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from toolwright.bench.ground import Ground, SkippedSection
from toolwright.bench.plan import Plan
from toolwright.bench.spread import Spread, rounded

PEERS: Final = {"llm-sandbox": "llm_sandbox", "epicbox": "epicbox", "autogen-ext": "autogen_ext"}
"""Distribution → module."""
_PROGRAM: Final = Path(__file__).with_name("peer_program.py")
_LAST_WORDS: Final = 300


def measure_peers(ground: Ground, plan: Plan) -> dict[str, Any]:
    """Measure each peer in a process of its own, in the environment that has it.

    Raises:
        SkippedSection: there is no image that peers can use.
    """
    if not ground.peers_image:
        raise SkippedSection("no image for peers was named: they need one with Python and a shell (--peers-image)")
    rounds = 5 if plan.quick else 20
    return {
        "unit": "ms",
        "image": ground.peers_image,
        "peers": {name: _peer(ground, name, module, rounds) for name, module in PEERS.items()},
    }


def _peer(ground: Ground, name: str, module: str, rounds: int) -> dict[str, Any]:
    """Measure one in the first environment that has it."""
    ground.tell(f"Measuring {name}")
    found: dict[str, Any] = {"state": "not installed"}
    for python in ground.peers_pythons or (sys.executable,):
        found = _in_environment(ground, python, module, rounds)
        if found["state"] != "not installed":
            break
    return found


def _in_environment(ground: Ground, python: str, module: str, rounds: int) -> dict[str, Any]:
    try:
        ran = subprocess.run(  # noqa: S603 - our own program
            [python, str(_PROGRAM), module, ground.peers_image, str(rounds)],
            check=False,
            capture_output=True,
            text=True,
            env=dict(ground.environment),
            timeout=300,
        )
    except (OSError, subprocess.TimeoutExpired) as fault:
        return {"state": "failed", "why": str(fault)}
    if ran.returncode:
        return {"state": "failed", "why": ran.stderr.strip()[-_LAST_WORDS:]}
    found = json.loads(ran.stdout.splitlines()[-1])
    if found["version"] is None:
        return {"state": "not installed"}
    return {
        "state": "measured",
        "version": found["version"],
        "cold_ms": rounded(found["times"][0]),
        "warm": Spread.of(found["times"][1:]).document(),
    }
