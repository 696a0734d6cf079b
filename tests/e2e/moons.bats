#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# A moon: made with the idtool, given to its host, followed by a member through a seed.

load lib

setup_file() {
  universe_up host a
}

teardown_file() {
  universe_down
}

cli() {
  local name=$1
  shift
  "$BIN/zerotier-cli" -D"$UNIVERSE/$name" "$@"
}

moon_is_here() {
  cli "$1" listmoons | grep -q '"waiting": *false'
}

@test "a member orbits a moon and forgets it" {
  cd "$WORK"
  id=$(cut -d: -f1 "$UNIVERSE/host/identity.public")
  port=$(cat "$UNIVERSE/host/zerotier-one.port")
  "$BIN/zerotier-idtool" initmoon "$UNIVERSE/host/identity.public" >moon.json
  sed -i "s|\"stableEndpoints\": \[\]|\"stableEndpoints\": [\"127.0.0.1/$port\"]|" moon.json
  grep -q "127.0.0.1/$port" moon.json
  "$BIN/zerotier-idtool" genmoon moon.json
  cp "000000$id.moon" "$UNIVERSE/host/moons.d/"
  run cli host orbit "$id" "$id"
  [ "$output" = "200 orbit OK" ]
  moon_is_here host

  run cli a orbit "$id" "$id"
  [ "$status" -eq 0 ]
  wait_for 20 moon_is_here a
  cli a -j peers | grep -q '"MOON"'
  wait_for 5 test -f "$UNIVERSE/a/moons.d/000000$id.moon"
  cmp "000000$id.moon" "$UNIVERSE/a/moons.d/000000$id.moon"

  run cli a deorbit "$id"
  [ "$output" = "200 deorbit OK" ]
  [ "$(cli a listmoons)" = "[]" ]
  wait_for 5 test ! -e "$UNIVERSE/a/moons.d/000000$id.moon"
}

@test "moons.d is read at start; what is malformed is named, skipped and kept" {
  id=$(cut -d: -f1 "$UNIVERSE/host/identity.public")
  cp "$WORK/000000$id.moon" "$UNIVERSE/a/moons.d/"
  echo garbage >"$UNIVERSE/a/moons.d/00000000deadbeef.moon"
  pid=$(cat "$UNIVERSE/a/zerotier-one.pid")
  kill "$pid"
  wait_for 10 is_gone "$pid"
  universe_start a
  wait_for 20 is_online a
  moon_is_here a
  grep -q "00000000deadbeef.moon" "$UNIVERSE/a/start.log"
  [ "$(cat "$UNIVERSE/a/moons.d/00000000deadbeef.moon")" = garbage ]
}

@test "mistakes are told" {
  run cli a orbit zz zz
  [ "$status" -eq 2 ]
  run cli a deorbit
  [ "$status" -eq 2 ]
  run cli a orbit 0123456789
  [ "$status" -eq 2 ]
}
