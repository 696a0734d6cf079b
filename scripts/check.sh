#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Every test of the project, stage by stage, each with its time; ends with "N passed, N failed".
# usage: check.sh [STAGE...]      stages: build unit sanitize e2e shim musl lint fuzz
# Runs as any user. As root it installs missing Debian packages first; as anybody else it names them.
set -eu
cd "$(dirname "$0")/.."
case ${1:-} in -h | --help)
  sed -n '3,5s/^# //p' "$0"
  exit 0
  ;;
esac
scripts/install-packages.sh build test || exit 2
jobs=$(nproc)
RESULTS=$(mktemp)
export RESULTS
trap 'rm -f "$RESULTS"' EXIT
failed_stages=
stage() {
  name=$1
  shift
  echo "== $name"
  begin=$(date +%s)
  "$@" || failed_stages="$failed_stages $name"
  echo "-- $name: $(($(date +%s) - begin)) s"
}
run_build() {
  ${MAKE:-make} -j"$jobs" WERROR=1 all unit-programs &&
    ${MAKE:-make} -j"$jobs" WERROR=1 PORTMAP=1 programs &&
    ${MAKE:-make} -j"$jobs" WERROR=1 musl
}
run_unit() {
  ${MAKE:-make} -s test WERROR=1
}
# Leaks are looked for at the exit of every unit and simulator program.
run_sanitize() {
  ${MAKE:-make} -s -j"$jobs" SAN=address,undefined unit-programs \
    build/address-undefined/zerotier-netcon-service build/address-undefined/liblwip.so &&
    ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1 \
      ${MAKE:-make} -s SAN=address,undefined test
}
run_e2e() {
  ${MAKE:-make} -s e2e
}
# Without root or user namespaces the native side cannot run: a skip (77), counted in the last line.
run_shim() {
  ${MAKE:-make} -s build/release/tests/shim/shim && { tests/shim/run.sh || [ $? -eq 77 ]; }
}
# The same cases once more by a program and a library for musl.
run_musl() {
  ${MAKE:-make} -s WERROR=1 shim-musl || [ $? -eq 77 ]
}
run_lint() {
  scripts/lint.sh
}
run_fuzz() {
  scripts/fuzz.sh "${FUZZ_SECONDS:-5}"
}
[ $# -gt 0 ] || set -- build unit sanitize e2e shim musl lint fuzz
for name in "$@"; do
  stage "$name" "run_$name"
done
passed=0 failed=0 skipped=0
while read -r p f s; do
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done <"$RESULTS"
# A stage that broke without a failing test (it did not build, say) still counts as one.
if [ -n "$failed_stages" ]; then
  echo "failed stages:$failed_stages"
  [ "$failed" -gt 0 ] || failed=1
fi
[ "$skipped" -eq 0 ] || echo "skipped: $skipped"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
