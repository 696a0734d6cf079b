#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# bats file_tags=interop
# The cube: ours and zerotier-one as root, controller, member A and member B, all sixteen ways.
# INTEROP_TABLE names a file that gets a line per universe, for the table that `make interop` prints.

load lib

setup_file() {
  [ -n "${ZEROTIER_ONE:-}" ] && [ "$(id -u)" -eq 0 ] || return 0
  hosts_up
}
setup() {
  interop_need
  ROW=
}
teardown() {
  [ -n "${UNIVERSE:-}" ] || return 0
  [ -n "${BATS_TEST_COMPLETED:-}" ] || explain
  universe_end
  [ -z "${INTEROP_TABLE:-}" ] || echo "$(kinds)$ROW" >>"$INTEROP_TABLE"
}
teardown_file() { hosts_down; }

# A step of a universe: its name goes into the table when it has passed.
step() {
  local name=$1
  shift
  "$@"
  ROW="$ROW $name"
}

both_ping() {
  pings a b "$1"
  pings b a "$1"
}

both_move() {
  local first second
  first=$(moves_big b a)
  second=$(moves_big a b)
  ROW="$ROW $first/$second"
}

universe() {
  universe_of "$@"
  step online all_online
  network_make
  member_join a
  member_join b
  ROW="$ROW ok"
  serve_files a
  serve_files b
  wait_for 20 fetch b a '' -o /dev/null
  wait_for 20 fetch a b '' -o /dev/null
  wait_for 30 is_direct a b
  wait_for 30 is_direct b a
  ROW="$ROW direct"
  step ping both_ping 56
  step ping2500 both_ping 2500
  step tcp both_move
}

@test "root ours, controller ours, A ours, B ours" { universe ours ours ours ours; }
@test "root ours, controller ours, A ours, B theirs" { universe ours ours ours theirs; }
@test "root ours, controller ours, A theirs, B ours" { universe ours ours theirs ours; }
@test "root ours, controller ours, A theirs, B theirs" { universe ours ours theirs theirs; }
@test "root ours, controller theirs, A ours, B ours" { universe ours theirs ours ours; }
@test "root ours, controller theirs, A ours, B theirs" { universe ours theirs ours theirs; }
@test "root ours, controller theirs, A theirs, B ours" { universe ours theirs theirs ours; }
@test "root ours, controller theirs, A theirs, B theirs" { universe ours theirs theirs theirs; }
@test "root theirs, controller ours, A ours, B ours" { universe theirs ours ours ours; }
@test "root theirs, controller ours, A ours, B theirs" { universe theirs ours ours theirs; }
@test "root theirs, controller ours, A theirs, B ours" { universe theirs ours theirs ours; }
@test "root theirs, controller ours, A theirs, B theirs" { universe theirs ours theirs theirs; }
@test "root theirs, controller theirs, A ours, B ours" { universe theirs theirs ours ours; }
@test "root theirs, controller theirs, A ours, B theirs" { universe theirs theirs ours theirs; }
@test "root theirs, controller theirs, A theirs, B ours" { universe theirs theirs theirs ours; }
@test "root theirs, controller theirs, A theirs, B theirs" { universe theirs theirs theirs theirs; }
