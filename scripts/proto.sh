#!/usr/bin/env bash
# Generates runtime/toolwright/v1 from proto/. With --check, changes nothing and fails where the committed code is not current.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=$PWD/.venv/bin
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
mapfile -t sources < <(cd proto && find . -name '*.proto' -printf '%P\n' | LC_ALL=C sort)
PATH="$bin:$PATH" "$bin/python" -m grpc_tools.protoc -I proto \
    --python_out="$fresh" --grpc_python_out="$fresh" --mypy_out="quiet:$fresh" --mypy_grpc_out="quiet:$fresh" "${sources[@]}"
generated=runtime/toolwright/v1
cp "$generated/__init__.py" "$fresh/toolwright/v1/"

if [ "${1:-}" = --check ]; then
    diff -r --exclude __pycache__ "$generated" "$fresh/toolwright/v1" >&2 || {
        echo "toolwright: $generated is not what proto/ gives: run \`make proto\` and commit it" >&2
        exit 1
    }
    exit 0
fi
find "$generated" -name '*_pb2*' -delete
cp "$fresh/toolwright/v1/"* "$generated/"
