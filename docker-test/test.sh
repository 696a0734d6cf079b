#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Run the tests whose name (PROGRAM-BASE-ARCH) contains one of PATTERNs; build.sh comes first.
# usage: test.sh [PATTERN...]
# Each test: one netcon container (service and program), one monitor container (clients), in a universe of
# this run's own on a network without a way out. Results: _results/OK.NAME or FAIL.NAME with the logs.
set -euo pipefail
case ${1:-} in -h | --help)
  sed -n '3,6s/^# //p' "$0"
  exit 0
  ;;
esac
# shellcheck source=docker-test/common.sh
. "$(dirname "$0")/common.sh"

# What is compared: bytes as the server has them, and as the monitor received them.
sums_agree() {
  local sent received
  sent=$(docker exec "$1" sha256sum /tmp/data/big | cut -d' ' -f1)
  received=$(sed -n 's/^SHA256 //p' "$2")
  echo "sent $sent received ${received:-checked by the monitor}" >>"$2"
  [ -z "$received" ] || [ "$sent" = "$received" ]
}

# run_test NAME LOG: true if all is well.
run_test() {
  local program base one=$RUN-$1 two=$RUN-$1-monitor log=$2 ip status begin
  program=$(program_of "$1") base=$(base_of "$1")
  local RUN_AS=65532:0
  # shellcheck source=/dev/null
  . "$HERE/programs/$program.sh"
  member "$one" "netcon-test:$program-$base" --user "$RUN_AS" -e "MONITOR_KEY=$(cat "$WORK/keys/id.pub")" -- \
    /netcon-test/serve "$program" || return 1
  if ! ip=$(address_of "$one") || [ -z "$ip" ]; then
    echo "the netcon container has no address" >>"$log"
    return 1
  fi
  member "$two" netcon-monitor -v "$WORK/keys:/keys:ro" -- /netcon-test/check "$program" "$ip" || return 1
  status=$(timeout 240 docker wait "$two" || echo timeout)
  docker logs "$two" >>"$log" 2>&1
  if [ "$status" != 0 ] || ! grep -q '^CHECKED$' "$log"; then
    echo "the monitor ended with $status" >>"$log"
    return 1
  fi
  sums_agree "$one" "$log" || return 1
  begin=$(now_ms)
  docker stop "$one" >/dev/null
  echo "STOPPED in $(($(now_ms) - begin)) ms, status $(docker inspect -f '{{.State.ExitCode}}' "$one")" >>"$log"
  [ $(($(now_ms) - begin)) -lt 8000 ]
}

# With its logs, its result file and one line of output.
judge() {
  local name=$1 log=$RESULTS_DIR/$1.log verdict=FAIL begin=$SECONDS one=$RUN-$1
  rm -f "$RESULTS_DIR/OK.$name" "$RESULTS_DIR/FAIL.$name"
  : >"$log"
  if run_test "$name" "$log"; then verdict=OK; fi
  docker logs "$one" >"$RESULTS_DIR/$name.netcon.log" 2>&1 || true
  grep -E '^(sent|SHA256|LATENCY|THROUGHPUT|STOPPED|the )' "$log" >"$RESULTS_DIR/$verdict.$name" || true
  docker rm -f -v "$one" "$one-monitor" >/dev/null 2>&1 || true
  echo "$verdict $name $((SECONDS - begin)) s: $(sed -n 's/^LATENCY \(.*\)/\1/p; s/^THROUGHPUT \(.*\)/\1/p; s/^STOPPED \(.*\)/stopped \1/p' "$log" | paste -sd, | sed 's/,/, /g')"
  [ "$verdict" = OK ] || { tail -n 15 "$log"; tail -n 10 "$RESULTS_DIR/$name.netcon.log"; } | sed 's/^/    /'
}

finish() {
  remove_ours "$RUN"
  rm -rf "$WORK"
  engine_stop
}

mkdir -p "$RESULTS_DIR"
mapfile -t tests < <(tests_matching "$@")
[ ${#tests[@]} -gt 0 ] || {
  echo "no test has one of these in its name: $*" >&2
  exit 2
}
engine_start run
RUN=netcon-test-$$
WORK=$(mktemp -d "${TMPDIR:-/tmp}/netcon-docker-test.XXXXXX")
chmod 755 "$WORK"
trap finish EXIT
trap 'exit 1' HUP INT TERM
mkdir "$WORK/keys"
ssh-keygen -q -t ed25519 -N '' -C monitor -f "$WORK/keys/id"
chmod 644 "$WORK/keys/id" # for the monitor's user; it lives as long as this run
universe_up "$RUN"
for name in "${tests[@]}"; do
  judge "$name" &
  while [ "$(jobs -pr | wc -l)" -ge 2 ]; do wait -n || true; done
done
wait
passed=0 failed=0
for name in "${tests[@]}"; do
  if [ -e "$RESULTS_DIR/OK.$name" ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done
if [ -n "${RESULTS:-}" ]; then echo "$passed $failed 0" >>"$RESULTS"; fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
