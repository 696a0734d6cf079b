#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# bats file_tags=interop
# One set of rules has one effect, whoever made the configuration and whoever applies it. Port 8081
# needs a capability of the side that connects, 8082 equal tags, 8083 is closed; 8080 is open to all.

load lib

RULES='{"rules":[
  {"type":"MATCH_IP_PROTOCOL","ipProtocol":6},{"type":"MATCH_IP_DEST_PORT_RANGE","start":8083,"end":8083},
  {"type":"ACTION_DROP"},
  {"type":"MATCH_IP_PROTOCOL","ipProtocol":6},{"type":"MATCH_IP_DEST_PORT_RANGE","start":8081,"end":8081},
  {"type":"ACTION_BREAK"},
  {"type":"MATCH_IP_PROTOCOL","ipProtocol":6},{"type":"MATCH_IP_DEST_PORT_RANGE","start":8082,"end":8082},
  {"type":"MATCH_TAGS_DIFFERENCE","id":5,"value":0,"not":true},
  {"type":"ACTION_DROP"},
  {"type":"ACTION_ACCEPT"}],
  "tags":[{"id":5,"default":7}],
  "capabilities":[{"id":1,"default":false,"rules":[
    {"type":"MATCH_IP_PROTOCOL","ipProtocol":6},{"type":"MATCH_IP_DEST_PORT_RANGE","start":8081,"end":8081},
    {"type":"ACTION_ACCEPT"}]}]}'

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

# Which ports each reaches at the other: "a:8080 a:8082 ..." is compared as a whole.
reach() {
  local port list=
  for port in 8080 8081 8082 8083; do
    connects a b "$port" && list="$list a>b:$port"
    connects b a "$port" && list="$list b>a:$port"
  done
  echo "${list# }"
}
reach_is() { [ "$(reach)" = "$1" ]; }

member_set() { # NAME JSON
  node_api ctl POST "/controller/network/$NWID/member/$(node_address "$1")" "$2" >/dev/null
}

rules_hold() { # CONTROLLER A B
  universe_of ours "$@"
  network_up
  local name port
  for name in a b; do
    for port in 8081 8082 8083; do serve_files "$name" "$port"; done
  done
  wait_for 20 reach_is "a>b:8080 b>a:8080 a>b:8081 b>a:8081 a>b:8082 b>a:8082 a>b:8083 b>a:8083"
  node_api ctl POST "/controller/network/$NWID" "$RULES" >/dev/null
  wait_for 40 reach_is "a>b:8080 b>a:8080 a>b:8082 b>a:8082"
  # a host and itself: no frame leaves, so no rule is asked (docs/decisions/153)
  connects a a 8083
  connects b b 8083
  member_set a '{"capabilities":[1]}'
  wait_for 40 reach_is "a>b:8080 b>a:8080 a>b:8081 a>b:8082 b>a:8082"
  member_set b '{"tags":[[5,8]]}'
  wait_for 40 reach_is "a>b:8080 b>a:8080 a>b:8081"
  member_set a '{"tags":[[5,8]],"capabilities":[]}'
  member_set b '{"capabilities":[1]}'
  wait_for 40 reach_is "a>b:8080 b>a:8080 b>a:8081 a>b:8082 b>a:8082"
}

@test "rules, tags and capabilities: controller ours, A ours, B theirs" { rules_hold ours ours theirs; }
@test "rules, tags and capabilities: controller theirs, A ours, B theirs" { rules_hold theirs ours theirs; }
@test "rules, tags and capabilities: controller ours, A theirs, B theirs" { rules_hold ours theirs theirs; }
@test "rules, tags and capabilities: controller theirs, A ours, B ours" { rules_hold theirs ours ours; }
