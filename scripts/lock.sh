#!/usr/bin/env bash
# Writes all lock files anew from pyproject.toml, for all platforms and Python versions, with hashes. Needs uv.
set -euo pipefail
cd "$(dirname "$0")/.."
options=(--universal --python-version 3.11 --generate-hashes --no-header --quiet --upgrade)
uv pip compile pyproject.toml "${options[@]}" -o requirements.lock
uv pip compile pyproject.toml --group dev "${options[@]}" --constraint requirements.lock -o requirements-dev.lock
# Of the group alone: it is installed beside what the other two name.
uv pip compile --group fuzz "${options[@]}" -o requirements-fuzz.lock
# Apart from everything: these servers have needs of their own, which may contradict ours.
uv pip compile --group third-party-servers "${options[@]}" -o requirements-third-party-servers.txt
