#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Run bats files and end with "N passed, N failed, N skipped".
# usage: run-bats.sh FOLDER|FILE...
set -eu
cd "$(dirname "$0")/.."
out=$(mktemp)
trap 'rm -f "$out"' EXIT
status=0
bats --formatter tap --timing "$@" >"$out" 2>&1 || status=$?
# Why a test failed stands right below its line, and once more at the end.
grep -E '^((not )?ok |#)' "$out" || true
if [ "$status" -ne 0 ]; then
  echo "failed:"
  grep -vE '^(ok |1\.\.)' "$out" || true
fi
ok=$(grep -c '^ok ' "$out" || true)
skipped=$(grep -c '^ok .*# skip' "$out" || true)
failed=$(grep -c '^not ok ' "$out" || true)
[ "$status" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
[ -z "${RESULTS:-}" ] || echo "$((ok - skipped)) $failed $skipped" >>"$RESULTS"
echo "$((ok - skipped)) passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
