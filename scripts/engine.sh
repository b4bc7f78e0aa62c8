#!/usr/bin/env bash
# Finds a container engine, installs and starts Debian's where none answers, and prints its address.
#
#   DOCKER_HOST=$(scripts/engine.sh)
#   scripts/engine.sh --find       only looks: exit status 3 where none answers
#
# TOOLWRIGHT_ENGINE_RUN and TOOLWRIGHT_ENGINE_DATA give the engine that it starts a directory of its own for sockets and
# for images, beside one that may be running already; tests use them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

only_find=${1:-}
run=${TOOLWRIGHT_ENGINE_RUN:-/var/run}
log=${TOOLWRIGHT_ENGINE_LOG:-/var/log/toolwright-dockerd.log}
wait_s=${TOOLWRIGHT_ENGINE_WAIT_S:-60}
own=unix://$run/docker.sock
python=$here/../.venv/bin/python
[ -x "$python" ] || python=python3

# 0: an engine answers; 13: one is there and not for this user; else: none.
ping_engine() { "$python" "$here/engine_api.py" ping "$1" 2>/dev/null; }

found() {
    printf '%s\n' "$1"
    exit 0
}

# --- look -----------------------------------------------------------------------------------------------------------------

# A person who names an engine means that one: another in its place would be a surprise.
if [ -n "${DOCKER_HOST:-}" ]; then
    ping_engine "$DOCKER_HOST" && found "$DOCKER_HOST"
    die "DOCKER_HOST is $DOCKER_HOST, and no engine answers there$("$python" "$here/engine_api.py" ping "$DOCKER_HOST" 2>&1 |
        sed 's/^/ (/; s/$/)/'). Start it, or unset DOCKER_HOST to use this machine's own."
fi

places=("$run/docker.sock")
if [ -z "${TOOLWRIGHT_ENGINE_RUN:-}" ]; then
    places+=("${XDG_RUNTIME_DIR:-/run/user/$(id -u)}/docker.sock" "$HOME/.docker/run/docker.sock"
        /run/podman/podman.sock "${XDG_RUNTIME_DIR:-/run/user/$(id -u)}/podman/podman.sock")
fi
refused=
for place in "${places[@]}"; do
    [ -S "$place" ] || continue
    status=0
    ping_engine "unix://$place" || status=$?
    [ "$status" -ne 0 ] || found "unix://$place"
    [ "$status" -ne 13 ] || refused=$place
done

# --- make use of one that is there and not for us -------------------------------------------------------------------------

open_to_me() {
    say "giving $(id -un) the use of $1 until the engine restarts; \`sudo usermod -aG docker $(id -un)\` makes it last"
    if command -v setfacl >/dev/null 2>&1; then
        as_root setfacl -m "u:$(id -u):rw" "$1"
    else
        as_root chown "$(id -u)" "$1"
    fi
}

if [ -n "$refused" ] && [ -z "$only_find" ] && can_be_root; then
    open_to_me "$refused"
    ping_engine "unix://$refused" && found "unix://$refused"
fi
[ -z "$refused" ] ||
    die "a container engine listens at $refused, and user $(id -un) may not use it: run \`sudo usermod -aG docker $(id -un)\`, log in anew, and try again."
[ -z "$only_find" ] || die "no container engine answers at ${places[*]}. Start Docker or Podman's service (\`systemctl --user start podman.socket\`), or name one by DOCKER_HOST."

# --- install --------------------------------------------------------------------------------------------------------------

say "no container engine answers at ${places[*]}"
needs="Toolwright runs tools only in containers. Start Docker, or Podman's service (\`systemctl --user start podman.socket\`), or set DOCKER_HOST to an engine elsewhere, and try again."
# Users other than root seldom have it on their path.
PATH=$PATH:${TOOLWRIGHT_SBIN-/usr/sbin:/sbin}
if ! command -v dockerd >/dev/null 2>&1; then
    has_apt || die "No container engine is running, and this is not Debian or Ubuntu, so none can be installed from here. $needs"
    can_be_root || die "No container engine is installed, and installing one needs root: run \`sudo apt-get install docker.io\`, or this command as root. $needs"
    packages=(docker.io)
    # With AppArmor in the kernel, the engine starts no container unless it can load a profile.
    [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" != Y ] || packages+=(apparmor)
    apt_install "no container engine is installed" "${packages[@]}" ||
        die "Debian's container engine could not be installed; apt's words are above. $needs"
    command -v dockerd >/dev/null 2>&1 || die "docker.io is installed and brought no dockerd. $needs"
fi
can_be_root || die "The container engine is installed and not running, and starting it needs root: run \`sudo systemctl start docker\`, or this command as root. $needs"

# --- clear away what a killed engine left ---------------------------------------------------------------------------------

# Whether the process that a pid file names lives and is the program that it should be.
lives() {
    local pid
    pid=$(as_root cat "$1" 2>/dev/null) || return 1
    case $pid in '' | *[!0-9]*) return 1 ;; esac
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ]
}

remove_stale() {
    if ! lives "$run/docker.pid" dockerd; then
        local leftover
        for leftover in "$run/docker.pid" "$run/docker.sock"; do
            if [ -e "$leftover" ]; then
                say "removing $leftover, which a killed engine left"
                as_root rm -f "$leftover"
            fi
        done
    fi
    # dockerd trusts this file: a number that another program has now makes it wait for a containerd that is not there.
    if as_root test -e "$run/docker/containerd/containerd.pid" && ! lives "$run/docker/containerd/containerd.pid" containerd; then
        say "removing what a killed containerd left in $run/docker/containerd"
        as_root find "$run/docker/containerd" -maxdepth 1 \( -name '*.pid' -o -name '*.sock*' \) -delete
    fi
}

# --- start ----------------------------------------------------------------------------------------------------------------

pid=
start_dockerd() {
    local flags=("$@")
    if [ -n "${TOOLWRIGHT_ENGINE_RUN:-}" ]; then
        flags+=(--host "$own" --pidfile "$run/docker.pid" --exec-root "$run/docker"
            --data-root "${TOOLWRIGHT_ENGINE_DATA:-$run/data}" --bridge none --iptables=false)
    fi
    # The engine outlives this script, its terminal and its locks.
    # shellcheck disable=SC2016 # expanded by the inner shell
    pid=$(as_root sh -c 'log=$1; shift; : >"$log"; setsid nohup "$@" >>"$log" 2>&1 </dev/null 9>&- & echo $!' \
        sh "$log" dockerd "${flags[@]}")
}

# Wait until it answers; fail as soon as it has ended, or when the time is up.
wait_for_engine() {
    local status deadline=$((SECONDS + wait_s))
    while [ "$SECONDS" -lt "$deadline" ]; do
        status=0
        ping_engine "$own" || status=$?
        [ "$status" -ne 13 ] || { open_to_me "$run/docker.sock" && ping_engine "$own" && status=0; }
        [ "$status" -ne 0 ] || return 0
        [ -z "$pid" ] || [ -d "/proc/$pid" ] || return 1
        sleep 0.2
    done
    return 1
}

last_words() { as_root tail -n 15 "$log" 2>/dev/null | sed 's/^/    /' >&2; }

if [ -d /run/systemd/system ] && [ -z "${TOOLWRIGHT_ENGINE_RUN:-}" ]; then
    say "starting the container engine (systemctl start docker)"
    as_root systemctl start docker || true
    wait_for_engine && found "$own"
    as_root journalctl -u docker -n 15 --no-pager >&2 || true
    die "The container engine did not come up within $wait_s s; its last words are above (journalctl -u docker). $needs"
fi

if lives "$run/docker.pid" dockerd; then
    say "an engine is running and does not answer yet; waiting for it"
    wait_for_engine && found "$own"
    die "dockerd (process $(as_root cat "$run/docker.pid")) runs and did not answer within $wait_s s. Look at its log, or end it and try again."
fi

remove_stale
say "starting the container engine; its log is $log"
start_dockerd
wait_for_engine && found "$own"
if as_root grep -qiE 'iptables|nf_tables|network controller|docker0' "$log"; then
    say "the engine cannot set up a network here; sandboxes have none anyway, so starting it without"
    remove_stale
    start_dockerd --bridge=none --iptables=false --ip6tables=false
    wait_for_engine && found "$own"
fi
last_words
die "The container engine did not come up within $wait_s s; its last words are above (all of them: $log). $needs"
