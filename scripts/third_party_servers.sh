#!/usr/bin/env bash
# Says on stdout which Python has the OpenAI-compatible servers of others that tests ask; makes it from its hash lock the
# first time (two minutes). In build/ and apart from .venv: these servers have needs of their own.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

lock=requirements-third-party-servers.txt
python=.venv/bin/python
[ -x "$python" ] || die "there is no .venv yet: run make setup."
place=$PWD/build/third-party-servers-$("$python" -c 'import sys; print(sys.implementation.cache_tag)')
wanted=$(sha256sum <"$lock")

mkdir -p build
if command -v flock >/dev/null 2>&1; then
    exec 9>build/third-party-servers.lock
    flock 9
fi
if [ "$(cat "$place/stamp" 2>/dev/null)" != "$wanted" ]; then
    say "installing the servers of others into $place"
    rm -rf "$place"
    log=build/third-party-servers.log
    if ! { "$python" -m venv "$place" && "$place/bin/python" -m pip install --quiet --disable-pip-version-check \
        --no-input --retries 1 --require-hashes --only-binary :all: -r "$lock"; } >"$log" 2>&1; then
        tail -n 5 "$log" >&2
        die "the servers of others cannot be installed for $("$python" --version) on $(uname -m); pip's words are above."
    fi
    printf '%s\n' "$wanted" >"$place/stamp"
fi
printf '%s\n' "$place/bin/python"
