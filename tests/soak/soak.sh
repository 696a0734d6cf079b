#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Mixed load between two virtual hosts, with kill -9 at random; then nothing of it may be left.
# usage: soak.sh      SOAK_SECONDS (default 1800), SOAK_SEED (default: by chance, printed)
#
# When all programs have ended, each service must hold as many descriptors, sockets, control connections
# and connections of the stack as before, and be no heavier than LEFT_KIB more. Fails also if a program that
# nobody disturbed fails (mixed.py).
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
seconds=${SOAK_SECONDS:-1800} seed=${SOAK_SEED:-$RANDOM}
LEFT_KIB=2048 # more than after the warm-up: tables that grew, the allocator's free lists

cleanup() {
  universe_stop
  rm -rf "$WORK"
}
soak_limit 4096
soak_universe a b
trap cleanup EXIT
trap 'exit 130' INT TERM
export WORK NETWORK_A="$UNIVERSE/a/nc_$NWID" NETWORK_B="$UNIVERSE/b/nc_$NWID"
# shellcheck disable=SC2154  # IP_a: set by soak_universe
export IP_A=$IP_a

# gauges NAME: what must be as before.
gauges() {
  universe_api "$1" GET /metrics | grep -E '^ztnc_(sockets|clients)\{' | sed 's/network_id="[0-9a-f]*",\?//'
}
same_gauges() { [ "$(gauges "$1")" = "${before[$1]}" ]; }
is_light() { [ $(($(service_kib "$1") - kib[$1])) -le "$LEFT_KIB" ]; }
declare -A fds sockets kib before

echo "soak: seed $seed (SOAK_SEED=$seed to repeat), $seconds s"
for name in a b; do before[$name]=$(gauges $name) fds[$name]=$(service_descriptors $name) sockets[$name]=0; done
python3 -I tests/soak/mixed.py 15 "$seed" >"$WORK/warm-up.log" || { cat "$WORK/warm-up.log" && exit 1; }
for name in a b; do
  # A failed connection keeps its reason for two minutes, in case somebody asks.
  wait_for 180 is_back $name "${fds[$name]}" 0
  kib[$name]=$(service_kib $name)
done
failed=0
python3 -I tests/soak/mixed.py "$seconds" "$((seed + 1))" || failed=1
for name in a b; do
  # A FIN that nobody acknowledges is given up after a while, hence the time.
  wait_for 180 is_back $name "${fds[$name]}" "${sockets[$name]}" || failed=1
  wait_for 30 same_gauges $name || { failed=1 && printf '%s\n' "before:" "${before[$name]}" "now:" "$(gauges $name)"; }
  wait_for 90 is_light $name || failed=1
  echo "LEFT in $name: $(service_descriptors $name) descriptors (${fds[$name]} before)," \
    "$(service_sockets $name) sockets, $(($(service_kib $name) - kib[$name])) KiB of $(service_kib $name)"
done
[ "$failed" -eq 0 ] || { echo "soak: NOT OK (seed $seed)" && exit 1; }
echo "soak: passed"
