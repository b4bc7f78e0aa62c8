#!/usr/bin/env bash
# Removes what this project has put on the machine: containers and images with its label, and the environment.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

if DOCKER_HOST=$(scripts/engine.sh --find 2>/dev/null); then
    python3 scripts/engine_api.py clean "$DOCKER_HOST" || say "some could not be removed: is a server of Toolwright running?"
else
    say "no container engine answers, so there was nothing to remove in one"
fi
rm -rf .venv .toolwright .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage .coverage.* build dist
find . -name __pycache__ -type d -prune -exec rm -rf {} +
say "removed .venv and caches. Kept: the container engine, Debian packages, and your registry in ${XDG_DATA_HOME:-$HOME/.local/share}/toolwright"
