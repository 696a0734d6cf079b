#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Many idle TCP connections between two virtual hosts, and a conversation that goes on beside them.
# usage: idle.sh      IDLE_CONNECTIONS (default 10000), IDLE_SECONDS (default 60) that wake-ups are counted for
#
# Prints what one connection costs each service and the kernel, and how often an idle service wakes up.
# Fails if a connection fails, an answer is wrong, a connection costs more than 6 KiB of a service's memory
# (design.md 5), or something is left when all are closed.
set -euo pipefail
cd "$(dirname "$0")/../.."
case ${1:-} in -h | --help)
  sed -n '3,4s/^# //p' "$0"
  exit 0
  ;;
esac
: "${BIN:=$PWD}"
export BIN
# shellcheck source=tests/soak/lib.sh
. tests/soak/lib.sh
count=${IDLE_CONNECTIONS:-10000} seconds=${IDLE_SECONDS:-60}
TARGET_BYTES=6144
LEFT_KIB=1024 # what may stay, beside a sixteenth of what there was: tables that grew, the allocator's free lists
PORT=7000

cleanup() {
  exec 8>&- || true
  for pid in "${children[@]}"; do kill "$pid" 2>/dev/null || true; done
  universe_stop
  rm -rf "$WORK"
}
children=()
soak_limit $((count + 500))
soak_universe a b
trap cleanup EXIT
trap 'exit 130' INT TERM
on a python3 -I tests/soak/crowd.py serve "$PORT" >"$WORK/server.log" 2>&1 &
children+=($!)
wait_for 20 grep -q ready "$WORK/server.log"
: >"$WORK/client.log"
mkfifo "$WORK/orders"
exec 8<>"$WORK/orders"
# shellcheck disable=SC2154  # IP_a: set by soak_universe
on b python3 -I tests/soak/crowd.py ask "$IP_a" "$PORT" <"$WORK/orders" >"$WORK/client.log" 2>&1 8>&- &
client=$!
children+=("$client")

# order LINE: have it done, and print what the client says of it.
answered() { [ "$(wc -l <"$WORK/client.log")" -gt "$before" ] || ! kill -0 "$client" 2>/dev/null; }
order() {
  before=$(wc -l <"$WORK/client.log")
  echo "$*" >&8
  wait_for 300 answered
  if ! kill -0 "$client" 2>/dev/null; then
    echo "idle: FAILED at '$*':" >&2
    cat "$WORK/client.log" "$WORK/server.log" >&2
    exit 1
  fi
  tail -n 1 "$WORK/client.log"
}
# idle_minute WHEN: how often each service wakes up while no program does anything.
idle_minute() {
  local name
  declare -A since
  for name in a b; do since[$name]=$(service_wakeups $name); done
  sleep "$seconds" # the time is what is measured
  for name in a b; do
    echo "WAKEUPS of $name, $1: $((($(service_wakeups $name) - since[$name]) * 60 / seconds)) a minute"
  done
}

# What is allocated once for all does not count.
order open 200
order touch 200
order close
declare -A fds sockets kib
for name in a b; do
  wait_for 60 is_back $name 1000 "$([ $name = a ] && echo 1 || echo 0)"
  fds[$name]=$(service_descriptors $name) sockets[$name]=$(service_sockets $name) kib[$name]=$(service_kib $name)
done
slab=$(slab_kib)
idle_minute "no connection"

order open "$count"
slab=$(($(slab_kib) - slab))
failed=0
declare -A grown
for name in a b; do
  grown[$name]=$(($(service_kib $name) - kib[$name]))
  bytes=$((grown[$name] * 1024 / count))
  more=$(($(service_descriptors $name) - fds[$name]))
  echo "MEMORY of $name: $bytes bytes a connection ($(service_kib $name) KiB in all), $more descriptors"
  [ "$bytes" -le "$TARGET_BYTES" ] || { echo "idle: NOT OK: the target is $TARGET_BYTES bytes" && failed=1; }
  [ "$more" -le $((count + 10)) ] || { echo "idle: NOT OK: more than one descriptor a connection" && failed=1; }
done
echo "MEMORY of the kernel: $((slab * 1024 / count)) bytes a connection (two socketpairs and their descriptors)"
idle_minute "$count idle connections"
order talk 10
order touch $((count / 10))
order close
is_light() { [ $(($(service_kib "$1") - kib[$1])) -le "$bound" ]; }
for name in a b; do
  wait_for 90 is_back $name "${fds[$name]}" "${sockets[$name]}" || failed=1
  bound=$((LEFT_KIB + grown[$name] / 16))
  wait_for 90 is_light $name || failed=1
  left=$(($(service_kib $name) - kib[$name]))
  echo "LEFT in $name: $(service_descriptors $name) descriptors (${fds[$name]} before), $left KiB"
  [ "$left" -le "$bound" ] || { echo "idle: NOT OK: more than $bound KiB stay" && failed=1; }
done
[ "$failed" -eq 0 ] || exit 1
echo "idle: passed"
