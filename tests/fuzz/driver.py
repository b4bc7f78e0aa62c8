"""Runs one target under atheris, which follows what the code does with inputs and keeps those that do something new.

python -m tests.fuzz.driver MODULE[:FUNCTION] [libFuzzer options and corpus directories]
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Final

import atheris

ROOT: Final = Path(__file__).resolve().parents[2]
INSTRUMENTED: Final = ["toolwright", "toolwright_agent", "tests.fuzz"]


def main() -> None:
    """Load the target with instrumentation, and fuzz it until libFuzzer's options say that it is enough."""
    module, _, function = sys.argv.pop(1).partition(":")
    sys.path.insert(0, str(ROOT / "sandbox_images" / "agent"))
    with atheris.instrument_imports(include=INSTRUMENTED):
        target = getattr(importlib.import_module(module), function or "check")
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
