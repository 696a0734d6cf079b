#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154,SC2164  # IP_x, NWID: exported by universe_up; bats stops at a failing cd
# 100 networks joined by one service: each its own stack; overlapping addresses are isolated.

setup_file() {
  load lib.bash
  universe_up a b
}
teardown_file() {
  load lib.bash
  universe_down
}
setup() {
  load lib.bash
}

all_ok() { # COUNT
  [ "$("$BIN/zerotier-cli" -D"$UNIVERSE/a" listnetworks | grep -c ' OK ')" -ge "$1" ]
}

@test "100 networks with the same addresses, each isolated" {
  local i ids=() first last
  for i in $(seq 100); do
    ids+=("$(universe_network '{"private":false,"v4AssignMode":{"zt":true},
      "ipAssignmentPools":[{"ipRangeStart":"10.99.0.5","ipRangeEnd":"10.99.0.5"}],
      "routes":[{"target":"10.99.0.0/24"}]}')")
  done
  for i in "${ids[@]}"; do
    "$BIN/zerotier-cli" -D"$UNIVERSE/a" join "$i" >/dev/null
  done
  wait_for 60 all_ok 100
  first=${ids[0]} last=${ids[99]}
  mkdir -p "$WORK/first" "$WORK/last"
  echo first >"$WORK/first/index.html"
  echo last >"$WORK/last/index.html"
  cd "$WORK/first" && NWID=$first serve a first python3 -m http.server 80 --bind 10.99.0.5
  cd "$WORK/last" && NWID=$last serve a last python3 -m http.server 80 --bind 10.99.0.5
  cd "$TOP"
  NWID=$first wait_for 15 fetch a -o /dev/null http://10.99.0.5/
  NWID=$last wait_for 15 fetch a -o /dev/null http://10.99.0.5/
  [ "$(NWID=$first fetch a http://10.99.0.5/)" = first ]
  [ "$(NWID=$last fetch a http://10.99.0.5/)" = last ]
  run env NWID="${ids[50]}" bash -c ". '$TOP/tests/e2e/lib.bash'; UNIVERSE='$UNIVERSE' fetch a http://10.99.0.5/"
  [ "$status" -ne 0 ]
  grep VmRSS "/proc/$(cat "$UNIVERSE/a/zerotier-one.pid")/status" >&3
  for i in "${ids[@]}"; do
    "$BIN/zerotier-cli" -D"$UNIVERSE/a" leave "$i" >/dev/null
  done
  [ "$("$BIN/zerotier-cli" -D"$UNIVERSE/a" listnetworks | grep -c ' OK ')" -eq 1 ]
}
