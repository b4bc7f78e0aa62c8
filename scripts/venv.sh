#!/usr/bin/env bash
# Makes .venv from the hash lock, with Toolwright itself in it. A second run with nothing changed does nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

lock=requirements-dev.lock
stamp=.venv/.toolwright-stamp

# What the environment depends on; the place counts too, since its programs name it.
state() { { pwd; cat "$lock" pyproject.toml; } | sha256sum; }

find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.14; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

# Debian keeps venv and pip's wheel in a package of their own, named for the version.
ensure_venv_module() {
    local python=$1 package
    "$python" -c 'import venv, ensurepip' 2>/dev/null && return 0
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if has_apt && can_be_root; then
        apt_install "Python's venv module is missing" "$package" || apt_install "trying the default" python3-venv || true
    fi
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        die "$python has no venv module: install it (on Debian and Ubuntu: apt-get install $package) and try again."
}

# Beside .venv, which is made anew under the lock.
mkdir -p build
if command -v flock >/dev/null 2>&1; then
    exec 9>build/venv.lock
    flock 9
fi

wanted=$(state)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && .venv/bin/python -c '' 2>/dev/null; then
    exit 0
fi

if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    python=$(find_python) || die "Toolwright needs Python 3.11 or newer, and finds $(python3 --version 2>&1 || echo none)." \
        "Install one (Debian 12 and Ubuntu 24.04 have one: apt-get install python3 python3-venv) or name it: make PYTHON=/path/to/python3.12"
    ensure_venv_module "$python"
    say "making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
fi

rm -f "$stamp"
say "installing the locked dependencies into .venv (half a minute the first time)"
log=build/pip.log
install() { .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input "$@" >"$log" 2>&1; }
if ! { install --require-hashes --only-binary :all: -r "$lock" && install --no-deps --no-build-isolation --editable . && .venv/bin/python -m pip check >>"$log" 2>&1; }; then
    tail -n 20 "$log" >&2
    die "the dependencies could not be installed; pip's words are above and in $log. Check that PyPI or your mirror of it can be reached (pip config list), then try again."
fi
printf '%s\n' "$wanted" >"$stamp"
