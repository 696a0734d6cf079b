#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Measure, in one run on this machine: a stream and a ping-pong from program to program through two
# services in two network namespaces, plain kernel TCP over the same link beside it, the cipher kernels
# beside libsodium, memory when idle and per network. Timings are printed, never asserted.
# usage: bench/run.sh [MIB]      (default 512 MiB for a stream)
# Needs no root: as a user it enters a user namespace; where that is refused it says so and runs on
# loopback, marking the result.
#
#     namespace na: root+controller, service A      namespace nb: service B
#       10.200.0.1 --------------- veth --------------- 10.200.0.2
set -eu
cd "$(dirname "$0")/.."
mib=${1:-512}
if [ "${NETCON_BENCH:-}" = "" ]; then
  if [ "$(id -u)" -eq 0 ]; then
    NETCON_BENCH=netns exec unshare -nm "$0" "$@"
  elif unshare -Urnm true 2>/dev/null; then
    NETCON_BENCH=netns exec unshare -Urnm "$0" "$@"
  fi
  echo "note: this machine refuses user namespaces; running on loopback (results marked)"
  NETCON_BENCH=loopback
  export NETCON_BENCH
fi
BIN=$PWD
export BIN
. scripts/universe.sh
tcp=$PWD/build/release/bench/tcp
short=$PWD/build/release/bench/short
udp=$PWD/build/release/bench/udp
work=$(mktemp -d "${TMPDIR:-/tmp}/netcon-bench.XXXXXX")
children=
cleanup() {
  for pid in $children; do kill "$pid" 2>/dev/null || true; done
  universe_stop
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

mark=
in_na='' in_nb=''
if [ "$NETCON_BENCH" = netns ]; then
  mount -t tmpfs tmpfs /run
  mkdir -p /run/netns
  ip link set lo up
  for n in na nb; do
    ip netns add "$n"
    ip -n "$n" link set lo up
  done
  ip link add va netns na type veth peer name vb netns nb
  ip -n na addr add 10.200.0.1/24 dev va
  ip -n nb addr add 10.200.0.2/24 dev vb
  ip -n na link set va up
  ip -n nb link set vb up
  in_na="ip netns exec na" in_nb="ip netns exec nb"
  UNIVERSE_IP_root=10.200.0.1 UNIVERSE_IP_a=10.200.0.1 UNIVERSE_IP_b=10.200.0.2
  UNIVERSE_RUN_root=$in_na UNIVERSE_RUN_a=$in_na UNIVERSE_RUN_b=$in_nb
  export UNIVERSE_IP_root UNIVERSE_IP_a UNIVERSE_IP_b UNIVERSE_RUN_root UNIVERSE_RUN_a UNIVERSE_RUN_b
  kernel_host=10.200.0.1
else
  mark=" (loopback)"
  kernel_host=127.0.0.1
fi

echo "starting a universe..."
universe_init "$work"
universe_member a
universe_member b
for name in root a b; do universe_start "$name"; done
nwid=$(universe_network '{"v4AssignMode":{"zt":true},
  "ipAssignmentPools":[{"ipRangeStart":"10.144.0.1","ipRangeEnd":"10.144.0.254"}],
  "routes":[{"target":"10.144.0.0/24"}]}')
ip_a=$(universe_join a "$nwid")
universe_join b "$nwid" >/dev/null

on_a() { env LD_PRELOAD="$BIN/libzerotierintercept.so" ZT_NC_NETWORK="$work/a/nc_$nwid" "$@"; }
on_b() { env LD_PRELOAD="$BIN/libzerotierintercept.so" ZT_NC_NETWORK="$work/b/nc_$nwid" "$@"; }
cpu_s() { awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print ($12 + $13) / hz }' "/proc/$1/stat"; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.3f", a / b; else printf "-" }'; }
pss_kib() { awk '/^Pss:/ { sum += $2 } END { print sum }' "/proc/$1/smaps"; }

pid_a=$(cat "$work/a/zerotier-one.pid") pid_b=$(cat "$work/b/zerotier-one.pid")
idle_pss=$(pss_kib "$pid_b")

on_a "$tcp" serve 7000 &
children="$children $!"
# shellcheck disable=SC2086  # a prefix of words, or nothing
$in_na "$tcp" serve 7001 &
children="$children $!"
wait_for 15 on_b "$tcp" pingpong "$ip_a" 7000 1
# shellcheck disable=SC2086
wait_for 15 $in_nb "$tcp" pingpong "$kernel_host" 7001 1

echo "streams of $mib MiB..."
before_a=$(cpu_s "$pid_a") before_b=$(cpu_s "$pid_b")
ours=$(on_b "$tcp" stream "$ip_a" 7000 "$mib")
after_a=$(cpu_s "$pid_a") after_b=$(cpu_s "$pid_b")
# shellcheck disable=SC2086
kernel=$($in_nb "$tcp" stream "$kernel_host" 7001 "$((mib * 4))")
per_gib() { awk -v a="$1" -v b="$2" -v mib="$mib" 'BEGIN { printf "%.2f", (b - a) * 1024 / mib }'; }
echo "ping-pongs..."
ours_us=$(on_b "$tcp" pingpong "$ip_a" 7000 5000)
# shellcheck disable=SC2086
kernel_us=$($in_nb "$tcp" pingpong "$kernel_host" 7001 5000)
echo "short connections..."
connections=20000
on_a "$short" serve 7002 4 &
children="$children $!"
# shellcheck disable=SC2086
$in_na "$short" serve 7003 4 &
children="$children $!"
wait_for 15 on_b "$short" connect "$ip_a" 7002 1 1
# shellcheck disable=SC2086
wait_for 15 $in_nb "$short" connect "$kernel_host" 7003 1 1
ours_short=$(on_b "$short" connect "$ip_a" 7002 "$connections" 1)
ours_short4=$(on_b "$short" connect "$ip_a" 7002 "$connections" 4)
ours_local4=$(on_a "$short" connect "$ip_a" 7002 "$connections" 4)
# shellcheck disable=SC2086
kernel_short=$($in_nb "$short" connect "$kernel_host" 7003 10000 1)
# shellcheck disable=SC2086
kernel_short4=$($in_nb "$short" connect "$kernel_host" 7003 10000 4)
# shellcheck disable=SC2086
kernel_local4=$($in_na "$short" connect 127.0.0.1 7003 "$connections" 4)

echo "datagrams..."
asked=${NETCON_BENCH_DATAGRAMS:-200000}
on_a "$udp" serve 7004 &
children="$children $!"
# shellcheck disable=SC2086
$in_na "$udp" serve 7005 &
children="$children $!"
wait_for 15 on_b "$udp" ask "$ip_a" 7004 1 1
# shellcheck disable=SC2086
wait_for 15 $in_nb "$udp" ask "$kernel_host" 7005 1 1
ours_udp=$(on_b "$udp" ask "$ip_a" 7004 "$asked" 64)
ours_udp_local=$(on_a "$udp" ask "$ip_a" 7004 "$asked" 64)
# shellcheck disable=SC2086
kernel_udp=$($in_nb "$udp" ask "$kernel_host" 7005 "$asked" 64)
# shellcheck disable=SC2086
kernel_udp_local=$($in_na "$udp" ask 127.0.0.1 7005 "$asked" 64)
rate() { echo "$1" | sed 's/.*, \([0-9]*\) answers.*/\1/'; }
loss() { echo "$1" | sed 's/.*, \([0-9]*\) lost.*/\1/'; }

cat <<EOF

what                                          netcon      kernel     ratio$mark
stream, program to program, Gbit/s        $(printf '%10s' "$ours")  $(printf '%10s' "$kernel")  $(printf '%8s' "$(ratio "$ours" "$kernel")")
64-byte TCP ping-pong, median us          $(printf '%10s' "$ours_us")  $(printf '%10s' "$kernel_us")  $(printf '%8s' "$(ratio "$ours_us" "$kernel_us")")
short connections/s, one after the other  $(printf '%10s' "$ours_short")  $(printf '%10s' "$kernel_short")  $(printf '%8s' "$(ratio "$ours_short" "$kernel_short")")
short connections/s, four at a time       $(printf '%10s' "$ours_short4")  $(printf '%10s' "$kernel_short4")  $(printf '%8s' "$(ratio "$ours_short4" "$kernel_short4")")
the same within one host (short cut; lo)  $(printf '%10s' "$ours_local4")  $(printf '%10s' "$kernel_local4")  $(printf '%8s' "$(ratio "$ours_local4" "$kernel_local4")")
48-byte datagrams answered/s, 64 at a time $(printf '%9s' "$(rate "$ours_udp")")  $(printf '%10s' "$(rate "$kernel_udp")")  $(printf '%8s' "$(ratio "$(rate "$ours_udp")" "$(rate "$kernel_udp")")")
the same within one host (lo)             $(printf '%10s' "$(rate "$ours_udp_local")")  $(printf '%10s' "$(rate "$kernel_udp_local")")  $(printf '%8s' "$(ratio "$(rate "$ours_udp_local")" "$(rate "$kernel_udp_local")")")
lost of $asked datagrams                   $(printf '%9s' "$(loss "$ours_udp")")  $(printf '%10s' "$(loss "$kernel_udp")")
service CPU-s/GiB, sending side (B)       $(printf '%10s' "$(per_gib "$before_b" "$after_b")")
service CPU-s/GiB, receiving side (A)     $(printf '%10s' "$(per_gib "$before_a" "$after_a")")
idle memory of a service, one network     $(printf '%10s' "$idle_pss") KiB PSS
EOF
echo
echo "control calls on 127.0.0.1, median us        netcon      kernel     ratio"
on_a build/release/bench/calls >"$work/calls.ours"
# shellcheck disable=SC2086
$in_na build/release/bench/calls >"$work/calls.kernel"
paste "$work/calls.ours" "$work/calls.kernel" |
  awk '{ printf "%-41s %10s  %10s  %8.2f\n", $1, $2, $4, $2 / $4 }'
echo
for program in salsa stack; do
  [ ! -x "build/release/bench/$program" ] || "build/release/bench/$program"
done
