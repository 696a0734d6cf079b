#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154  # IP_x: exported by universe_up
# A universe whose physical network has IPv6 only: three hosts on one bridge, each a network namespace
# of its own. Skipped where namespaces cannot be made.

load lib

NS=${NS:-nc6-$$}

# The service and everything that asks it live in the host's namespace.
is_online() {
  universe_run "$1" "$BIN/zerotier-cli" -D"$UNIVERSE/$1" info | grep -q ONLINE
}

is_direct() { # NAME PEER: a path to that peer over IPv6, and none over IPv4
  universe_run "$1" "$BIN/zerotier-cli" -D"$UNIVERSE/$1" -j peers | python3 -c "
import json, sys
paths = [path['address'] for peer in json.load(sys.stdin) if peer['address'] == '$(universe_address "$2")'
         for path in peer['paths'] if path['active']]
sys.exit(not paths or not all(path.startswith('fd77::') for path in paths))"
}

host() { # NAME NUMBER: a host on the bridge
  ip netns add "$NS-$1"
  ip -n "$NS-$1" link set lo up
  ip -n "$NS-$1" link add eth0 type veth peer name "to-$1" netns "$NS-wire"
  ip -n "$NS-wire" link set "to-$1" master bridge up
  ip -n "$NS-$1" link set eth0 up
  ip -n "$NS-$1" addr add "fd77::$2/64" dev eth0 nodad
  printf -v "UNIVERSE_IP_$1" 'fd77::%s' "$2"
  printf -v "UNIVERSE_RUN_$1" 'ip netns exec %s-%s' "$NS" "$1"
  export "UNIVERSE_IP_$1" "UNIVERSE_RUN_$1"
}

setup_file() {
  export NS
  if [ "$(id -u)" -ne 0 ] || ! ip netns add "$NS-wire" 2>/dev/null ||
    ! ip -n "$NS-wire" link set lo up 2>/dev/null; then
    export NO_NAMESPACES=1
    return 0
  fi
  ip -n "$NS-wire" link add bridge type bridge
  ip -n "$NS-wire" link set bridge up
  host root 1
  host a 2
  host b 3
  universe_up a b
}

setup() {
  [ -z "${NO_NAMESPACES:-}" ] || skip "needs root and network namespaces"
}

teardown_file() {
  [ -z "${NO_NAMESPACES:-}" ] || return 0
  [ -z "${UNIVERSE:-}" ] || universe_down
  local name
  for name in wire root a b; do
    ip netns delete "$NS-$name" 2>/dev/null || true
  done
}

@test "two members find each other and talk, over IPv6 alone" {
  serve a http python3 -m http.server 80 --bind "$IP_a" --directory "$BATS_TEST_DIRNAME"
  wait_for 10 fetch b "http://$IP_a/lib.bash" -o /dev/null
  fetch b "http://$IP_a/lib.bash" -o "$WORK/got"
  cmp "$WORK/got" "$BATS_TEST_DIRNAME/lib.bash"
  wait_for 10 is_direct a b
  wait_for 10 is_direct b a
  is_direct a root
}

@test "a megabyte arrives whole" {
  head -c 1048576 /dev/urandom >"$WORK/megabyte"
  serve a files python3 -m http.server 81 --bind "$IP_a" --directory "$WORK"
  wait_for 10 fetch b "http://$IP_a:81/megabyte" -o "$WORK/got"
  cmp "$WORK/got" "$WORK/megabyte"
}

@test "a host that takes another IPv6 address is found again" {
  ip -n "$NS-b" addr add "fd77::33/64" dev eth0 nodad
  echo '{"settings": {"bind": ["fd77::33"], "allowSecondaryPort": false}}' >"$WORK/new.conf"
  mv "$WORK/new.conf" "$UNIVERSE/b/local.conf"
  ip -n "$NS-b" addr del "fd77::3/64" dev eth0
  wait_for 30 fetch b "http://$IP_a/lib.bash" -o /dev/null
  wait_for 30 is_direct b a
}
