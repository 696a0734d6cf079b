#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154,SC2164  # IP_x, NWID: exported by universe_up; bats stops at a failing cd
# Thousands of short connections a second to one port (decision S12): TIME-WAIT is compact and capped, ports
# come round, and when all is over nothing is left.

setup_file() {
  load lib.bash
  cc -O2 -o "$BATS_FILE_TMPDIR/short" "$TOP/bench/short.c"
  export SHORT=$BATS_FILE_TMPDIR/short
  export NETWORK_JSON
  NETWORK_JSON=$(dual_stack_network)
  universe_up a b
  POOL_a=$(address6 a fd77:)
  export POOL_a
  serve a short "$SHORT" serve 7000 4
  wait_for 15 on b "$SHORT" connect "$IP_a" 7000 1 1
}
teardown_file() {
  load lib.bash
  if [ -n "${WORK:-}" ]; then universe_down; fi
}
setup() {
  load lib.bash
}

@test "20 000 short connections in a row from one client to one port" {
  run on b timeout 120 "$SHORT" connect "$IP_a" 7000 20000 1
  echo "$output connections/s"
  [ "$status" -eq 0 ]
}

@test "more than there are ports within a minute, four at a time" {
  run on b timeout 120 "$SHORT" connect "$POOL_a" 7000 30000 4
  echo "$output connections/s"
  [ "$status" -eq 0 ]
}

@test "the same within one host" {
  run on a timeout 120 "$SHORT" connect "$IP_a" 7000 20000 4
  echo "$output connections/s"
  [ "$status" -eq 0 ]
}

@test "nothing is left of them" {
  local before
  before=$(service_fds b)
  run on b "$SHORT" connect "$IP_a" 7000 100 1
  [ "$status" -eq 0 ]
  no_more_than_before() { [ "$(service_fds b)" -le "$before" ]; }
  wait_for 10 no_more_than_before
}
