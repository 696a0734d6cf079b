#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154  # IP_x: exported by compat_up
# ping of an ordinary user. Debian's file has a capability, for which the dynamic linker ignores LD_PRELOAD, so a copy
# without it is run.

load lib.bash

@test "ping as nobody, IPv4 and IPv6" {
  claim iputils-ping ping client "a copy without file capabilities, as nobody: echo over IPv4 and IPv6, a packet of 8000 bytes, to itself, an absent member"
  cp /usr/bin/ping "$WORK/ping"
  for address in "$IP_a" "$IP6_a" "$IP_b" 127.0.0.1 ::1; do
    wait_for 20 as nobody b timeout 5 "$WORK/ping" -c 1 "$address"
    run as nobody b timeout 30 "$WORK/ping" -c 3 -i 0.2 "$address"
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$output" == *"3 packets transmitted, 3 received, 0% packet loss"* ]]
  done
  run as nobody b timeout 30 "$WORK/ping" -c 1 -s 8000 "$IP_a"
  [[ "$output" == *"8008 bytes from $IP_a"* ]]
  run as nobody b timeout 30 "$WORK/ping" -c 1 -W 1 10.77.0.254
  [ "$status" -eq 1 ]
  [[ "$output" == *"1 packets transmitted, 0 received"* ]]
}
