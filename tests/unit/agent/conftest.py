"""The agent is no package of ours in the image; its modules are made importable here, and nothing of it is run."""

from __future__ import annotations

import sys
from pathlib import Path

AGENT_ROOT = str(Path(__file__).resolve().parents[3] / "sandbox_images" / "agent")
if AGENT_ROOT not in sys.path:
    sys.path.insert(0, AGENT_ROOT)
