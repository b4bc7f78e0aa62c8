"""Entry point of the command `toolwright`. Loads nothing by itself, so that it can answer for what happens later."""

from __future__ import annotations

import sys

_INTERRUPTED = 130


def main() -> None:
    """Run the command; Ctrl-C ends it quietly, also while it is being loaded."""
    try:
        from toolwright.cli.application import run_process  # noqa: PLC0415 - under the handler, and not before it

        status = int(run_process())
    except KeyboardInterrupt:
        sys.stderr.write("toolwright: interrupted\n")
        status = _INTERRUPTED
    sys.exit(status)
