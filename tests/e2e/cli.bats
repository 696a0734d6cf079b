#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
bats_require_minimum_version 1.5.0
# zerotier-cli and the controller's API against running services.

setup_file() {
  load lib.bash
  universe_up a
}
teardown_file() {
  load lib.bash
  universe_down
}
setup() {
  load lib.bash
}

cli() { # NAME ARGUMENTS...
  local name=$1
  shift
  "$BIN/zerotier-cli" -D"$UNIVERSE/$name" "$@"
}

# Is the network's status on A the given one?
has_status() {
  [ "$(cli a get "$NWID" status)" = "$1" ]
}

api() { # METHOD PATH [BODY]
  curl -sS --noproxy '*' -X "$1" -H "X-ZT1-Auth: $(cat "$UNIVERSE/root/authtoken.secret")" \
    "http://127.0.0.1:$(cat "$UNIVERSE/root/zerotier-one.port")$2" ${3:+-d "$3"}
}

@test "info, peers and listnetworks name what is there" {
  run cli a info
  [[ "$output" =~ ^200\ info\ [0-9a-f]{10}\ 1\.14\.1\ ONLINE$ ]]
  run cli a listnetworks
  [[ "${lines[1]}" = "200 listnetworks $NWID e2e "*" OK PRIVATE $UNIVERSE/a/nc_$NWID 10.77.0."*"/24" ]]
  run cli a listpeers
  [[ "$output" = *" PLANET"* ]]
  cli a -j listnetworks | python3 -c 'import json,sys; assert json.load(sys.stdin)[0]["status"] == "OK"'
}

@test "a wrong token is refused with a next step" {
  run --separate-stderr cli a -Twrong info
  [ "$status" -eq 1 ]
  [ "$output" = "401 info {}" ]
  # shellcheck disable=SC2154  # set by run --separate-stderr
  [[ "$stderr" = *authtoken.secret* ]]
}

@test "no service: the home and how to start it" {
  run --separate-stderr "$BIN/zerotier-cli" -D"$WORK/nowhere" info
  [ "$status" -eq 2 ]
  [ "$output" = "" ]
  [[ "$stderr" = *"missing port and zerotier-one.port not found in $WORK/nowhere"*zerotier-netcon-service* ]]
}

@test "bonds: as the original where no link is bonded" {
  run --separate-stderr cli a bond 1122334455 show
  [ "$status" -eq 1 ]
  [ "$output" = "400 bond {}" ]
  [[ "$stderr" = *"best path"* ]]
  run --separate-stderr cli a bond setmtu 1400 eth0 10.0.0.1
  [ "$output" = "400 Failed to set MTU: Bonding layer isn't active yet" ]
  run --separate-stderr cli a /bond/nothing
  [ "$output" = "404 /bond/nothing " ]
}

@test "the dump holds no token" {
  cd "$WORK"
  run cli a dump
  [ "$status" -eq 0 ]
  [ "$output" = "Writing dump to: $WORK/zerotier_dump.txt" ]
  run ! grep -qF "$(cat "$UNIVERSE/a/authtoken.secret")" "$WORK/zerotier_dump.txt"
}

@test "a change of the network is pushed, a deauthorised member is refused, an authorised one is back" {
  local member
  member=$(cli a info | cut -d' ' -f3)
  api POST "/controller/network/$NWID" '{"name":"renamed"}' >/dev/null
  name_is_renamed() { [ "$(cli a get "$NWID" name)" = renamed ]; }
  wait_for 5 name_is_renamed
  api POST "/controller/network/$NWID/member/$member" '{"authorized":false}' >/dev/null
  cli a leave "$NWID"
  cli a join "$NWID"
  wait_for 20 has_status ACCESS_DENIED
  api POST "/controller/network/$NWID/member/$member" '{"authorized":true}' >/dev/null
  wait_for 20 has_status OK
}

@test "records are on disk, private to the owner" {
  local record=$UNIVERSE/root/controller.d/network/$NWID.json
  wait_for 5 grep -q renamed "$record"
  [ "$(stat -c %a "$record")" = 600 ]
  [ "$(stat -c %a "$UNIVERSE/root/controller.d")" = 700 ]
}
