#!/usr/bin/env bash
# Removes what building and testing put on the machine: containers and images with its label, the environment, caches.
# Registries stay, wherever they are: the tools in them cost money to make.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

if DOCKER_HOST=$(scripts/engine.sh --find 2>/dev/null); then
    python3 scripts/engine_api.py clean "$DOCKER_HOST" || say "some could not be removed: is a server of Toolwright running?"
else
    say "no container engine answers, so there was nothing to remove in one"
fi
rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage .coverage.* build dist
find . -name __pycache__ -type d -prune -exec rm -rf {} +
say "removed .venv, build and caches. Kept: the container engine, Debian packages, and your registries (~/.local/share/toolwright, and each directory that you named by --state-dir)"
