#!/usr/bin/env bash
# All tiers of tests; with --coverage first, measured as well, which takes a tenth longer. Other arguments go to pytest.
# Run through scripts/with_engine.sh.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

bin=.venv/bin
if [ "${1:-}" != "--coverage" ]; then
    exec "$bin/python" -m pytest "$@" tests
fi
shift
"$bin/coverage" erase
"$bin/coverage" run -m pytest "$@" tests
status=$?
"$bin/coverage" combine --quiet
"$bin/coverage" report --skip-covered --skip-empty | tail -n 40
exit "$status"
