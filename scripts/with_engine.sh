#!/usr/bin/env bash
# Runs a command with DOCKER_HOST set to an engine that answers: scripts/with_engine.sh COMMAND…
set -euo pipefail
DOCKER_HOST=$("$(dirname "$0")/engine.sh")
export DOCKER_HOST
exec "$@"
