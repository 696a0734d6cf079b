#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Debian's programs on a virtual network: run tests/compat/, write docs/COMPATIBILITY.md, end with
# "N passed, N failed".
# usage: compat.sh [FILE.bats...]
# As root it installs what is missing. Without root, or when packages are missing, tests are skipped (failures if
# COMPAT_STRICT or CI is set) and the table goes to build/COMPATIBILITY.md, as it does when FILEs are named.
set -eu
cd "$(dirname "$0")/.."
case ${1:-} in -h | --help)
  sed -n '3,7s/^# //p' "$0"
  exit 0
  ;;
esac
table=docs/COMPATIBILITY.md
[ $# -eq 0 ] || table=build/COMPATIBILITY.md
[ $# -gt 0 ] || set -- tests/compat/*.bats
scripts/install-packages.sh compat || echo "compat: packages are missing, their tests are skipped" >&2
COMPAT_RESULTS=$(mktemp)
RESULTS=$(mktemp)
export COMPAT_RESULTS RESULTS
trap 'rm -f "$COMPAT_RESULTS" "$RESULTS"' EXIT
scripts/run-bats.sh "$@" || true
read -r passed failed skipped <"$RESULTS"
if [ "$skipped" -gt 0 ]; then
  table=build/COMPATIBILITY.md
  echo "skipped: $skipped"
fi
scripts/compat-matrix.sh "$COMPAT_RESULTS" >"$table"
echo "the table is $table"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
