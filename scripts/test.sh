#!/usr/bin/env bash
# All tiers of tests, with coverage of the runtime. Arguments go to pytest. Run through scripts/with_engine.sh.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

bin=.venv/bin
"$bin/coverage" erase
"$bin/coverage" run -m pytest "$@" tests
status=$?
"$bin/coverage" combine --quiet
"$bin/coverage" report --skip-covered --skip-empty | tail -n 40
exit "$status"
