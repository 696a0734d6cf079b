#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
# The differential test: every case on the kernel's network and under interception; the outputs must be
# equal but for what accepted.txt lists with a reason.
# usage: tests/shim/run.sh [PATTERN...]      cases by name; KEEP=folder keeps the outputs there
#
#   native   namespace A (subject) --- veth --- namespace B (peer); "local": both on A's loopback
#   ours     home a (subject) and home b (peer) of a private universe; "local": both on a's loopback
#
# Needs root or user namespaces for the native side; says so and skips (77) without.
set -eu
cd "$(dirname "$0")/../.."
if [ "${NETCON_SHIM:-}" = "" ]; then
  NETCON_SHIM=netns
  export NETCON_SHIM
  if [ "$(id -u)" -eq 0 ]; then
    exec unshare -nm "$0" "$@"
  elif unshare -Urnm true 2>/dev/null; then
    exec unshare -Urnm "$0" "$@"
  fi
  echo "skipped: the native side needs a network namespace of its own; run as root or allow user namespaces"
  [ -z "${RESULTS:-}" ] || echo "0 0 1" >>"$RESULTS"
  exit 77
fi
BIN=${BIN:-$PWD}
export BIN
. scripts/universe.sh
library=${LIBRARY:-$BIN/libzerotierintercept.so} # both are the same programs for another libc
shim=${SHIM:-$PWD/build/release/tests/shim/shim}
work=$(mktemp -d "${TMPDIR:-/tmp}/netcon-shim.XXXXXX")
chmod 755 "$work"
out=${KEEP:-$work/out}
mkdir -p "$out"
children=
cleanup() {
  for pid in $children; do kill "$pid" 2>/dev/null || true; done
  universe_stop
  ip netns del peer 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

mount -t tmpfs tmpfs /run
mkdir -p /run/netns
ip link set lo up
ip netns add peer
ip -n peer link set lo up
# Linux sends few errors a second to one host: cases that run side by side would miss theirs. (Where /proc/sys
# is read-only the limit stays.)
for setting in /proc/sys/net/ipv4/icmp_ratelimit /proc/sys/net/ipv6/icmp/ratelimit; do
  for where in "" "ip netns exec peer"; do
    $where sh -c "echo 0 >$setting" 2>/dev/null || true
  done
done
# As a virtual network: MTU 2800, no default route.
ip link add sa mtu 2800 type veth peer name sb mtu 2800 netns peer
ip addr add 10.91.0.1/24 dev sa
ip -n peer addr add 10.91.0.2/24 dev sb
ip addr add fd91::1/64 dev sa nodad
ip -n peer addr add fd91::2/64 dev sb nodad
ip link set sa up
ip -n peer link set sb up

universe_init "$work"
universe_member a
universe_member b
for name in root a b; do universe_start "$name"; done
nwid=$(universe_network '{"v4AssignMode":{"zt":true},"v6AssignMode":{"rfc4193":true},
  "ipAssignmentPools":[{"ipRangeStart":"10.92.0.1","ipRangeEnd":"10.92.0.254"}],
  "routes":[{"target":"10.92.0.0/24"}]}')
ip_a=$(universe_join a "$nwid")
ip_b=$(universe_join b "$nwid")
ipv6_of() {
  "$BIN/zerotier-cli" -D"$work/$1" listnetworks | awk -v nwid="$nwid" '$3 == nwid { n = split($NF, ips, ",")
    for (i = 1; i <= n; i++) if (ips[i] ~ /^fd/) { sub("/.*", "", ips[i]); print ips[i]; exit } }'
}
under() {
  name=$1
  shift
  LD_PRELOAD="$library" ZT_NC_NETWORK="$work/$name/nc_$nwid" "$@"
}
# Other users run cases, too (setuid): they may use the network.
chmod 755 "$work/a" "$work/b"

start_peer() { # LABEL COMMAND...: a peer listening on $work/LABEL.peer
  label=$1
  shift
  "$@" "$shim" peer "$work/$label.peer" >"$work/$label.log" 2>&1 &
  children="$children $!"
}
start_peer native ip netns exec peer
start_peer loopback env
start_peer ours env LD_PRELOAD="$library" ZT_NC_NETWORK="$work/b/nc_$nwid"
start_peer oursloop env LD_PRELOAD="$library" ZT_NC_NETWORK="$work/a/nc_$nwid"
for label in native loopback ours oursloop; do wait_for 10 grep -q ready "$work/$label.log"; done

both() { # FAMILY PATTERN...
  family=$1
  shift
  if [ "$family" = 4 ]; then
    me=10.91.0.1 other=10.91.0.2 vme=$ip_a vother=$ip_b lo=127.0.0.1
  else
    me=fd91::1 other=fd91::2 vme=$(ipv6_of a) vother=$(ipv6_of b) lo=::1
  fi
  "$shim" run "$family" "$me" "$other" "$work/native.peer" cross "$@" >"$out/$family-cross.native"
  "$shim" run "$family" "$lo" "$lo" "$work/loopback.peer" local "$@" >"$out/$family-local.native"
  under a "$shim" run "$family" "$vme" "$vother" "$work/ours.peer" cross "$@" >"$out/$family-cross.ours"
  under a "$shim" run "$family" "$lo" "$lo" "$work/oursloop.peer" local "$@" >"$out/$family-local.ours"
}
for family in ${FAMILIES:-4 6}; do both "$family" "$@"; done
python3 tests/shim/compare.py tests/shim/accepted.txt "$out" ${1:+--part}
