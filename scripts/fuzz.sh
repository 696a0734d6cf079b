#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Build every libFuzzer target of tests/fuzz with clang and run each for a bounded time.
# usage: fuzz.sh [SECONDS [TARGET...]]     a crash is kept in build/fuzz/crashes/ and ends with exit 1
set -eu
cd "$(dirname "$0")/.."
case ${1:-} in -h | --help)
  sed -n '3,4s/^# //p' "$0"
  exit 0
  ;;
esac
seconds=${1:-5}
[ $# -eq 0 ] || shift
out=build/fuzz
mkdir -p "$out/crashes" "$out/corpus"
if ! command -v clang >/dev/null; then
  echo "fuzz: clang is missing; run scripts/install-packages.sh test" >&2
  exit 2
fi
${MAKE:-make} -s -j"$(nproc)" -f Makefile fuzz-targets
passed=0 failed=0
targets=${*:-$(ls "$out"/bin)}
run_one() {
  name=$1
  corpus=$out/corpus/$name
  mkdir -p "$corpus"
  seeds=
  [ ! -d "tests/fuzz/seeds/$name" ] || seeds=tests/fuzz/seeds/$name
  # shellcheck disable=SC2086  # seeds is one word or nothing
  if "$out/bin/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -verbosity=0 \
    -print_final_stats=0 -artifact_prefix="$out/crashes/$name-" "$corpus" $seeds \
    >"$out/$name.log" 2>&1; then
    echo "ok   $name (${seconds}s)"
  else
    echo "FAIL $name"
    tail -n 40 "$out/$name.log"
    return 1
  fi
}
# As many at once as there are processors; each writes its verdict to a file.
verdicts=$(mktemp -d)
trap 'rm -rf "$verdicts"' EXIT
running=0
for name in $targets; do
  {
    if run_one "$name" >"$verdicts/$name.out" 2>&1; then echo ok; else echo bad; fi >"$verdicts/$name"
  } &
  running=$((running + 1))
  if [ "$running" -ge "$(nproc)" ]; then
    wait
    running=0
  fi
done
wait
for name in $targets; do
  cat "$verdicts/$name.out"
  if [ "$(cat "$verdicts/$name")" = ok ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done
[ -z "${RESULTS:-}" ] || echo "$passed $failed 0" >>"$RESULTS"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
