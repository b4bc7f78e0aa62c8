#!/usr/bin/env bash
# All checks that need no engine. Runs all of them, then fails if one did.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

bin=.venv/bin
failed=()
check() {
    local name=$1
    shift
    printf '%-14s' "$name" >&2
    local output
    if output=$("$@" 2>&1); then
        echo ok >&2
    else
        printf 'FAILED: %s\n%s\n' "$*" "$output" >&2
        failed+=("$name")
    fi
}

check ruff "$bin/ruff" check --quiet --output-format concise runtime tests scripts sandbox_images
check format "$bin/ruff" format --check --output-format concise runtime tests scripts sandbox_images
check mypy "$bin/mypy"
check layers "$bin/lint-imports" --no-cache
check gate "$bin/python" scripts/lint_gate.py
check protos scripts/buf.sh
check generated scripts/proto.sh --check

[ "${#failed[@]}" -eq 0 ] || {
    echo "toolwright: lint failed: ${failed[*]}" >&2
    exit 1
}
