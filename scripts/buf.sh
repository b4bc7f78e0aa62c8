#!/usr/bin/env bash
# Lints the protos, and compares them with those of the main branch: a change that breaks clients fails.
set -euo pipefail
cd "$(dirname "$0")/.."

buf=.venv/bin/buf
"$buf" lint
for base in origin/main main; do
    git rev-parse --verify --quiet "$base^{commit}" >/dev/null 2>&1 || continue
    git cat-file -e "$base:proto" 2>/dev/null || continue
    before=$(mktemp -d)
    trap 'rm -rf "$before"' EXIT
    # From the files and not from the repository: a shallow clone has all that is needed.
    git archive "$base" proto buf.yaml | tar -x -C "$before"
    "$buf" breaking --against "$before"
    exit 0
done
echo "toolwright: no main branch with protos here, so nothing to compare with" >&2
