"""Writes a sandbox image to standard output, for `docker load`; `sandbox_images/python/Dockerfile` runs it.

python3 -m toolwright.images.export NAME

Needs Python, mmdebstrap and Debian's keys, and none of Toolwright's dependencies.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from toolwright.errors import ToolwrightError
from toolwright.images.assemble import assemble
from toolwright.images.labels import Platform
from toolwright.images.mirror import candidate_mirrors
from toolwright.images.recipe import load_recipe


def main(name: str) -> int:
    """Write the image; say on standard error what happens. Returns the exit status."""
    try:
        with assemble(load_recipe(name), _platform(), candidate_mirrors(os.environ), _say) as archive:
            shutil.copyfileobj(archive, sys.stdout.buffer)
    except ToolwrightError as error:
        _say(str(error))
        return 3
    return 0


def _platform() -> Platform:
    answer = subprocess.run(["/usr/bin/dpkg", "--print-architecture"], capture_output=True, text=True, check=True)
    return Platform.of_debian(answer.stdout.strip())


def _say(line: str) -> None:
    sys.stderr.write(f"toolwright: {line}\n")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
