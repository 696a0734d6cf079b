#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# bats file_tags=interop
# IPv6 and ad-hoc networks through our root and controller: two zerotier-one speak to each other, and
# ours (the controller's node, as a third member) gets addresses made by the same rules.

load lib

setup_file() {
  [ -n "${ZEROTIER_ONE:-}" ] && [ "$(id -u)" -eq 0 ] || return 0
  hosts_up
}
setup() { interop_need; }
teardown() {
  [ -n "${UNIVERSE:-}" ] || return 0
  [ -n "${BATS_TEST_COMPLETED:-}" ] || explain
  universe_end
}
teardown_file() { hosts_down; }

# The IPv6 addresses of NAME on NWID that begin with PREFIX, without bits.
ipv6_of() { # NAME PREFIX
  node_api "$1" GET "/network/$NWID" | tr -s ',[]"' '\n' | sed -n "s|^\($2[0-9a-f:]*\)/[0-9]*\$|\1|p" | head -n 1
}
has_ipv6() { [ -n "$(ipv6_of "$@")" ]; }

ping6_works() { at "$1" ping -6 -q -c 3 -i 0.2 -W 2 -s "$3" "$2"; }

both_ping6() { # PREFIX
  local size
  wait_for 40 has_ipv6 a "$1"
  wait_for 40 has_ipv6 b "$1"
  for size in 56 2500; do
    wait_for 20 ping6_works a "$(ipv6_of b "$1")" "$size"
    wait_for 20 ping6_works b "$(ipv6_of a "$1")" "$size"
  done
}

# The pool is of the ULA range: zerotier-one gives the kernel no global address unless allowGlobal is set.
# The member's part of an RFC4193 address and of a 6PLANE one is its ZeroTier address (vl2 2.4).
ends_as_its_address() { # NAME PREFIX
  local address
  address=$(node_address "$1")
  python3 - "$(ipv6_of "$1" "$2")" "$address" <<'PY'
import ipaddress, sys
sys.exit(sys.argv[2] not in ipaddress.ip_address(sys.argv[1]).exploded.replace(":", ""))
PY
}

@test "RFC4193, 6PLANE and assigned addresses under our controller" {
  universe_of ours ours theirs theirs
  all_online
  network_make
  node_api ctl POST "/controller/network/$NWID" '{"v6AssignMode":{"rfc4193":true,"6plane":true,"zt":true},
    "routes":[{"target":"10.99.0.0/24"},{"target":"fd00:db8:5::/64"}],
    "ipAssignmentPools":[{"ipRangeStart":"fd00:db8:5::1","ipRangeEnd":"fd00:db8:5::ffff"}]}' >/dev/null
  local name prefix
  for name in a b ctl; do
    node_cli "$name" join "$NWID" >/dev/null
    authorize "$name" true
  done
  for prefix in fd00:db8:5: "fd${NWID:0:2}:" fc; do both_ping6 "$prefix"; done
  for prefix in "fd${NWID:0:2}:" fc; do
    for name in a ctl; do
      wait_for 40 has_ipv6 "$name" "$prefix"
      ends_as_its_address "$name" "$prefix"
    done
  done
  wait_for 40 has_ipv6 ctl fd00:db8:5:
}

@test "an ad-hoc network through our root: open for its ports alone" {
  universe_of ours ours theirs theirs
  all_online
  NWID=ff1f901f91000000 # ports 8080 and 8081
  local name port to
  for name in a b ctl; do
    node_cli "$name" join "$NWID" >/dev/null
    wait_for 20 status_is "$name" OK
    wait_for 20 has_ipv6 "$name" fc
  done
  ends_as_its_address ctl fc
  both_ping6 fc
  to="[$(ipv6_of b fc)]"
  for port in 8080 8081 8082; do
    serve b "www-$port" "$PYTHON" -u -m http.server "$port" --bind :: --directory "$WORK/www"
  done
  for port in 8080 8081; do
    wait_for 20 at a curl -sS --noproxy '*' --max-time 2 -o /dev/null "http://$to:$port/"
  done
  # Listening, as its own host finds; but not for others.
  wait_for 20 at b curl -sS --noproxy '*' --max-time 2 -o /dev/null "http://$to:8082/"
  run at a curl -sS --noproxy '*' --max-time 3 -o /dev/null "http://$to:8082/"
  [ "$status" -eq 28 ]
}
