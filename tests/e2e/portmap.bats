#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# A member behind a gateway that grants ports by NAT-PMP or UPnP (tests/lib/fake_gateway.py), each host
# in a network namespace of its own; the program is the one of `make PORTMAP=1`. Skipped where it was
# not built or namespaces cannot be made.

load lib
bats_require_minimum_version 1.5.0

NS=${NS:-ncmap-$$}
EXTERNAL=44.128.0.7 # of global scope, yet only in these namespaces

is_online() {
  universe_run "$1" "$BIN/zerotier-cli" -D"$UNIVERSE/$1" info | grep -q ONLINE
}

host() { # NAME NUMBER: a host on the bridge whose default route is the gateway
  ip netns add "$NS-$1"
  ip -n "$NS-$1" link set lo up
  ip -n "$NS-$1" link add eth0 type veth peer name "to-$1" netns "$NS-wire"
  ip -n "$NS-wire" link set "to-$1" master bridge up
  ip -n "$NS-$1" link set eth0 up
  ip -n "$NS-$1" addr add "10.99.0.$2/24" dev eth0
  [ "$1" = gateway ] || ip -n "$NS-$1" route add default via 10.99.0.1
  printf -v "UNIVERSE_IP_$1" '10.99.0.%s' "$2"
  printf -v "UNIVERSE_RUN_$1" 'ip netns exec %s-%s' "$NS" "$1"
  export "UNIVERSE_IP_$1" "UNIVERSE_RUN_$1"
}

gateway_start() { # PROTOCOL...
  : >"$WORK/gateway.log"
  ip netns exec "$NS-gateway" python3 "$TOP/tests/lib/fake_gateway.py" 10.99.0.1 "$EXTERNAL" \
    "$WORK/gateway.log" "$@" >"$WORK/gateway.out" 2>&1 3>&- &
  echo $! >"$WORK/gateway.childpid"
  wait_for 10 grep -q ready "$WORK/gateway.out"
}

# Another gateway in its place, which is asked at once.
gateway_replace() {
  stop_served gateway
  gateway_start "$@"
  kill -HUP "$(cat "$UNIVERSE/a/zerotier-one.pid")"
}

logged() {
  grep -qE "$1" "$WORK/gateway.log"
}

setting() { # NAME KEY: of config.settings in /status
  universe_api "$1" GET /status |
    python3 -c "import json, sys; print(json.load(sys.stdin)['config']['settings']['$2'])"
}

# b has a living path to a through the external address.
is_reached_through_gateway() {
  universe_run b "$BIN/zerotier-cli" -D"$UNIVERSE/b" -j peers | python3 -c "
import json, sys
sys.exit(not any(path['active'] and path['address'].startswith('$EXTERNAL/') for peer in json.load(sys.stdin)
  if peer['address'] == '$(universe_address a)' for path in peer['paths']))"
}

setup_file() {
  export NS
  export BIN=${PORTMAP_BIN:-$TOP/build/release-portmap}
  if [ ! -x "$BIN/zerotier-netcon-service" ]; then
    export SKIPPED="needs: make PORTMAP=1"
    return 0
  fi
  if [ "$(id -u)" -ne 0 ] || ! ip netns add "$NS-wire" 2>/dev/null ||
    ! ip -n "$NS-wire" link set lo up 2>/dev/null; then
    export SKIPPED="needs root and network namespaces"
    return 0
  fi
  ip -n "$NS-wire" link add bridge type bridge mcast_snooping 0
  ip -n "$NS-wire" link set bridge up
  host gateway 1
  ip -n "$NS-gateway" addr add "$EXTERNAL/32" dev lo
  ip -n "$NS-gateway" addr add 10.99.0.9/24 dev eth0
  host root 2
  host a 3
  host b 4
  WORK=$(mktemp -d "${TMPDIR:-/tmp}/netcon-e2e.XXXXXX")
  chmod 755 "$WORK"
  export WORK
  universe_init "$WORK"
  universe_member a
  universe_member b
  echo '{"settings": {"allowSecondaryPort": false, "tertiaryPort": 23456}}' >"$UNIVERSE/a/local.conf"
  gateway_start natpmp
  local name
  for name in root a b; do universe_start "$name"; done
  for name in root a b; do wait_for 20 is_online "$name"; done
  export UNIVERSE UNIVERSE_ROOT_PORT
}

setup() {
  [ -z "${SKIPPED:-}" ] || skip "$SKIPPED"
}

teardown_file() {
  [ -z "${SKIPPED:-}" ] || return 0
  [ -z "${UNIVERSE:-}" ] || universe_down
  local name
  for name in wire gateway root a b; do
    ip netns delete "$NS-$name" 2>/dev/null || true
  done
}

@test "portmap: NAT-PMP maps the third port, a peer comes in through it" {
  wait_for 20 logged '^natpmp map 23456 23456 7200$'
  [ "$(setting a tertiaryPort)" = 23456 ]
  [ "$(setting a portMappingEnabled)" = True ]
  grep -q "the gateway forwards by=NAT-PMP external=$EXTERNAL/23456 port=23456" "$UNIVERSE/a/netcon.log"
  NWID=$(universe_network '{"name":"e2e","private":true,"v4AssignMode":{"zt":true},
    "ipAssignmentPools":[{"ipRangeStart":"10.77.0.2","ipRangeEnd":"10.77.0.199"}],
    "routes":[{"target":"10.77.0.0/24","via":null}]}')
  universe_join a "$NWID"
  universe_join b "$NWID"
  # Trusted peers that talk tell each other where they are.
  wait_for 60 sh -c "ip netns exec $NS-b env LD_PRELOAD=$BIN/libzerotierintercept.so \
    ZT_NC_NETWORK=$UNIVERSE/b/nc_$NWID curl -s --max-time 2 http://$(universe_ipv4 a "$NWID"):9/; [ \$? -eq 7 ]"
  wait_for 60 is_reached_through_gateway
}

@test "portmap: a gateway with UPnP only, that knows permanent mappings only" {
  gateway_replace upnp
  wait_for 30 logged '^upnp map 23456 23456 0$'
  logged '^upnp fault 725$'
  wait_for 10 grep -q "the gateway forwards by=UPnP external=$EXTERNAL/23456" "$UNIVERSE/a/netcon.log"
  universe_run a "$BIN/zerotier-cli" -D"$UNIVERSE/a" diagnose | grep -q "UPnP forwards $EXTERNAL/23456 to port 23456"
}

@test "portmap: switched off, the mapping is given back and the port closed; on again, it is asked for" {
  universe_api a POST /config/settings '{"portMappingEnabled": false}'
  wait_for 20 logged '^upnp unmap 23456$'
  [ "$(setting a tertiaryPort)" = 0 ]
  [ "$(setting a portMappingEnabled)" = False ]
  : >"$WORK/gateway.log"
  universe_api a POST /config/settings '{"portMappingEnabled": true}'
  wait_for 20 logged '^upnp map 23456 23456 0$'
}

@test "portmap: answers that point elsewhere are not followed" {
  universe_api a POST /config/settings '{"portMappingEnabled": false}'
  wait_for 20 logged '^upnp unmap 23456$'
  gateway_replace hostile
  universe_api a POST /config/settings '{"portMappingEnabled": true}'
  wait_for 30 logged '^natpmp garbage$'
  wait_for 30 logged '^upnp description$'
  wait_for 30 sh -c "ip netns exec $NS-a $BIN/zerotier-cli -D$UNIVERSE/a diagnose | grep -q 'No gateway grants a port'"
  run ! logged ELSEWHERE
  is_online a
}

@test "portmap: the end of the service gives the mapping back" {
  gateway_replace natpmp
  wait_for 30 logged '^natpmp map 23456 23456 7200$'
  wait_for 10 sh -c "ip netns exec $NS-a $BIN/zerotier-cli -D$UNIVERSE/a diagnose | grep -q 'NAT-PMP forwards'"
  universe_stop_one a
  logged '^natpmp unmap 23456$'
}

@test "portmap: nothing is asked in a universe on loopback" {
  : >"$WORK/gateway.log"
  echo '{"settings": {"bind": ["127.0.0.1", "10.99.0.3"]}}' >"$UNIVERSE/a/local.conf"
  universe_start a
  wait_for 20 universe_api a GET /status
  [ "$(setting a tertiaryPort)" = 0 ]
  [ "$(setting a portMappingEnabled)" = False ]
  universe_stop_one a
  [ ! -s "$WORK/gateway.log" ]
}
