#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Run test programs (cmocka, TAP on stdout) one after another and end with "N passed, N failed".
# usage: run-tests.sh PROGRAM...
set -eu
passed=0 failed=0 skipped=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT
for program in "$@"; do
  status=0
  CMOCKA_MESSAGE_OUTPUT=TAP timeout "${TEST_TIMEOUT:-300}" "$program" >"$out" 2>&1 || status=$?
  ok=$(grep -c '^ok ' "$out" || true)
  # cmocka writes a skipped test as "not ok N # SKIP".
  skip=$(grep -c '^\(not \)\{0,1\}ok [0-9]* # SKIP' "$out" || true)
  bad=$(grep '^not ok ' "$out" | grep -vc '^not ok [0-9]* # SKIP' || true)
  if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
    bad=1
  fi
  passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
  if [ "$bad" -ne 0 ]; then
    echo "FAIL $program (exit $status)"
    cat "$out"
  elif [ -n "${V:-}" ]; then
    cat "$out"
  else
    echo "ok   $program ($ok tests)"
  fi
done
if [ -n "${RESULTS:-}" ]; then
  echo "$passed $failed $skipped" >>"$RESULTS"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
