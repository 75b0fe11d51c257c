#!/bin/sh
# Compiles src/ to dist/, or to the folder given. `deploy/test` fails where what is committed differs.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
target=${1:-$here/dist}
[ $# -gt 0 ] || rm -rf "$target"
tsc --project "$here" --outDir "$target"
