#!/usr/bin/env bash
# Builds a sandbox image (default: python) if the engine does not hold the one of this checkout.
# Run through scripts/with_engine.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

name=${1:-python}

present() {
    .venv/bin/python - "$name" <<'PYTHON'
import sys
import docker
from toolwright.errors import ImageMissing
from toolwright.images.catalog import find_image
try:
    find_image(docker.from_env(), sys.argv[1])
except ImageMissing:
    sys.exit(1)
PYTHON
}

present && exit 0
missing=()
command -v mmdebstrap >/dev/null 2>&1 || missing+=(mmdebstrap)
[ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || [ -e /usr/share/keyrings/debian-archive-keyring.pgp ] ||
    missing+=(debian-archive-keyring)
# Without root mmdebstrap works in a user namespace, for which it needs a range of users.
is_root || command -v newuidmap >/dev/null 2>&1 || missing+=(uidmap)
if [ "${#missing[@]}" -gt 0 ] && has_apt && can_be_root; then
    apt_install "the sandbox image is built from Debian packages" "${missing[@]}" || true
fi
.venv/bin/toolwright images build "$name" && exit 0
status=$?
# Some hosts forbid user namespaces; root needs none. Root's bytecode would stay in this user's environment.
if ! is_root && can_be_root && command -v mmdebstrap >/dev/null 2>&1; then
    say "building the image as root"
    as_root env DOCKER_HOST="$DOCKER_HOST" PYTHONDONTWRITEBYTECODE=1 "$PWD/.venv/bin/toolwright" images build "$name"
    exit
fi
exit "$status"
