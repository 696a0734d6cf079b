#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154  # IP_x: exported by universe_up
# local.conf takes effect when it is written, without a signal and without a restart.

load lib

setup_file() {
  universe_up a b
}

teardown_file() {
  universe_down
}

cli() {
  local name=$1
  shift
  "$BIN/zerotier-cli" -D"$UNIVERSE/$name" "$@"
}

# settings NAME JSON: replace local.conf as editors do.
settings() {
  echo "{\"settings\": {\"bind\": [\"127.0.0.1\"], \"allowSecondaryPort\": false}, $2}" >"$WORK/new.conf"
  mv "$WORK/new.conf" "$UNIVERSE/$1/local.conf"
}

log_has() {
  grep -q "$2" "$UNIVERSE/$1/netcon.log"
}

trusted_id() { # NAME ID: every path of its peers lies in that trusted path
  cli "$1" -j peers | python3 -c "
import json, sys
paths = [path for peer in json.load(sys.stdin) for path in peer['paths']]
sys.exit(not paths or any(path['trustedPathId'] != $2 for path in paths))"
}

@test "a trusted path is agreed on by writing local.conf, and traffic goes on" {
  for name in root a b; do
    settings "$name" '"physical": {"127.0.0.0/8": {"trustedPathId": 77, "mtu": 9000}}'
  done
  for name in root a b; do wait_for 10 trusted_id "$name" 77; done
  serve a http python3 -m http.server 80 --bind "$IP_a" --directory "$BATS_TEST_DIRNAME"
  wait_for 10 fetch b "http://$IP_a/lib.bash" -o /dev/null
  fetch b "http://$IP_a/lib.bash" -o "$WORK/got"
  cmp "$WORK/got" "$BATS_TEST_DIRNAME/lib.bash"
}

@test "the legacy file trustedpaths is read, too" {
  settings a '"physical": {}'
  wait_for 10 trusted_id a 0
  echo '2a=127.0.0.0/8' >"$UNIVERSE/a/trustedpaths"
  wait_for 10 trusted_id a 42
  : >"$UNIVERSE/a/trustedpaths"
  wait_for 10 trusted_id a 0
}

@test "a wrong local.conf is named and changes nothing" {
  settings a '"physical": {"127.0.0.0/8": {"trustedPathId": 5}}'
  wait_for 10 trusted_id a 5
  settings a '"physical": {"127.0.0.0/8": {"trustedPathId": "five"}}'
  wait_for 10 log_has a 'trustedPathId must be a number'
  trusted_id a 5
}
