# shellcheck shell=bash
# Shared by the scripts beside it; sourced, not run. Everything it says goes to stderr: stdout is for answers.

say() { printf 'toolwright: %s\n' "$*" >&2; }

# A service or program is missing: one paragraph, exit status 3.
die() {
    printf '\ntoolwright: %s\n\n' "$*" >&2
    exit 3
}

is_root() { [ "$(id -u)" -eq 0 ]; }

# Whether commands can be run as root without a question that nobody is there to answer.
can_be_root() {
    is_root && return 0
    command -v sudo >/dev/null 2>&1 || return 1
    sudo -n true 2>/dev/null || [ -t 0 ]
}

as_root() {
    if is_root; then "$@"; else sudo "$@"; fi
}

# Whether this is Debian, Ubuntu or one of theirs: its packages have the names that we install by.
has_apt() { command -v apt-get >/dev/null 2>&1 && [ -e "${TOOLWRIGHT_ETC:-/etc}/debian_version" ]; }

apt_run() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=180 -o Acquire::Retries=3 "$@" >&2
}

# apt_install REASON PACKAGE…: install Debian packages, saying so first.
apt_install() {
    local reason=$1
    shift
    say "$reason: installing $* by apt"
    # An index that is missing or a day old names archives that the mirror may have dropped.
    if [ -z "$(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -mtime -1 -print -quit 2>/dev/null)" ]; then
        apt_run update || say "the package index could not be brought up to date; trying with the old one"
    fi
    apt_run install -y --no-install-recommends "$@" && return 0
    apt_run update && apt_run install -y --no-install-recommends "$@"
}
