#!/usr/bin/env bash
# Says on stdout where atheris is, which fuzzes by coverage; installs it into build/ from its hash lock the first time.
# Apart from .venv: there are wheels of it for fewer machines than Toolwright runs on.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

lock=requirements-fuzz.lock
python=.venv/bin/python
[ -x "$python" ] || die "there is no .venv yet: run make setup."
place=$PWD/build/fuzzer-$("$python" -c 'import sys; print(sys.implementation.cache_tag)')
wanted=$(sha256sum <"$lock")

mkdir -p build
if command -v flock >/dev/null 2>&1; then
    exec 9>build/fuzzer.lock
    flock 9
fi
if [ "$(cat "$place/stamp" 2>/dev/null)" != "$wanted" ]; then
    say "installing the fuzzer into $place"
    rm -rf "$place"
    log=build/fuzzer.log
    if ! "$python" -m pip install --quiet --disable-pip-version-check --no-input --require-hashes --only-binary :all: \
        --no-deps --target "$place" -r "$lock" >"$log" 2>&1; then
        tail -n 5 "$log" >&2
        die "NOT PROVEN by coverage-guided fuzzing: atheris cannot be installed for $("$python" --version) on $(uname -m); pip's words are above. It has wheels for x86-64 alone."
    fi
    printf '%s\n' "$wanted" >"$place/stamp"
fi
printf '%s\n' "$place"
