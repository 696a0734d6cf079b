#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# bats file_tags=interop
# Moons and trusted paths: what an operator configures on both sides. Member A is ours, B zerotier-one.

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

# --- moons -----------------------------------------------------------------------------------------

# The controller's host becomes the root of a moon; MOON is its id and its seed.
moon_make() {
  MOON=$(node_address ctl)
  local folder=$UNIVERSE/moon
  mkdir "$folder"
  cd "$folder" || return 1
  "$BIN/zerotier-idtool" initmoon "$UNIVERSE/ctl/identity.public" >moon.json
  sed -i "s|\"stableEndpoints\": \[\]|\"stableEndpoints\": [\"$(host_ip ctl)/$PORT\"]|" moon.json
  "$BIN/zerotier-idtool" genmoon moon.json
  mkdir -p "$UNIVERSE/ctl/moons.d"
  cp "000000$MOON.moon" "$UNIVERSE/ctl/moons.d/"
  node_stop ctl
  node_start ctl
  wait_for 20 is_online ctl
}

follows_moon() { node_api "$1" GET /moon | tr -d ' \n' | grep -q "\"id\":\"000000$MOON\".*\"waiting\":false"; }
says_moon() { node_cli "$1" peers | awk -v moon="$MOON" '$1 == moon && / MOON / { found = 1 } END { exit !found }'; }
says_offline() { node_cli "$1" info | grep -q ' OFFLINE'; }

# Both members follow the moon, the planet's root goes away, and after a restart two members that know
# nothing of each other find each other through the moon. (Without the restart theirs would rather ask a
# root that was heard 7 ms away within 500 s than one less than 1 ms away, which is written as unknown.)
moon_of() { # KIND
  universe_of ours "$1" ours theirs
  all_online
  moon_make
  local name
  for name in a b; do
    node_cli "$name" orbit "$MOON" "$MOON" | grep -q '200 orbit OK'
    wait_for 30 follows_moon "$name"
    wait_for 30 says_moon "$name"
    cmp "$UNIVERSE/moon/000000$MOON.moon" "$UNIVERSE/$name/moons.d/000000$MOON.moon"
  done
  node_stop root
  for name in a b; do
    node_stop "$name"
    rm -rf "$UNIVERSE/$name/peers.d"
    node_start "$name"
  done
  wait_for 60 is_online a
  wait_for 60 is_online b
  network_make
  member_join a
  member_join b
  serve_files a
  serve_files b
  wait_for 60 fetch b a '' -o /dev/null
  wait_for 60 fetch a b '' -o /dev/null
  moves_big a b
  for name in a b; do
    node_cli "$name" deorbit "$MOON" | grep -q '200 deorbit OK'
    [ ! -e "$UNIVERSE/$name/moons.d/000000$MOON.moon" ]
  done
}

@test "a moon that is ours carries both when the planet's root is gone" { moon_of ours; }
@test "a moon that is theirs carries both when the planet's root is gone" { moon_of theirs; }

# --- trusted paths ---------------------------------------------------------------------------------

trusts() { # NAME ID: the hosts' network is a trusted path there
  node_stop "$1"
  printf '{"physical":{"10.98.0.0/16":{"trustedPathId":%s}},"settings":{"allowTcpFallbackRelay":false,
    "portMappingEnabled":false,"softwareUpdate":"disable"}}' "$2" >"$UNIVERSE/$1/local.conf"
  node_start "$1"
  wait_for 30 is_online "$1"
}

# The text goes from one to the other; printed is how many of A's datagrams show it in the clear.
seen_in_clear() { # TO FROM
  local words=in-the-clear-or-not-at-all pid
  for _ in $(seq 20); do printf '%s ' "$words"; done >"$WORK/www/words"
  ip netns exec "$NS-a" tcpdump --immediate-mode -i eth0 -U -s 0 -w "$WORK/wire.pcap" udp 2>"$WORK/tcpdump.log" 3>&- &
  pid=$!
  wait_for 10 grep -q 'listening on' "$WORK/tcpdump.log"
  # What comes after the text shows that the text itself was captured.
  fetch "$1" "$2" words -o "$WORK/words" || return 1
  local before
  before=$(stat -c %s "$WORK/wire.pcap")
  fetch "$1" "$2" '' -o /dev/null || return 1
  wait_for 10 file_larger_than "$WORK/wire.pcap" "$before" || return 1
  kill "$pid"
  wait_for 10 is_gone "$pid"
  cmp "$WORK/words" "$WORK/www/words" || return 1
  tcpdump -r "$WORK/wire.pcap" -A 2>/dev/null | grep -c "$words" || true
}
file_larger_than() { [ "$(stat -c %s "$1")" -gt "$2" ]; }

@test "a trusted path: both send in the clear to who trusts it, and nobody else's word counts" {
  universe_of ours ours ours theirs
  network_up
  wait_for 30 is_direct a b
  [ "$(seen_in_clear a b)" -eq 0 ]
  [ "$(seen_in_clear b a)" -eq 0 ]
  local name
  for name in root ctl a b; do trusts "$name" 424242; done
  serve_again
  wait_for 30 fetch b a '' -o /dev/null
  wait_for 30 fetch a b '' -o /dev/null
  [ "$(seen_in_clear a b)" -gt 0 ]
  [ "$(seen_in_clear b a)" -gt 0 ]
  moves_big a b
  moves_big b a
}

serve_again() {
  process_end "$WORK/www-a.childpid"
  process_end "$WORK/www-b.childpid"
  wait_for 30 has_address a
  wait_for 30 has_address b
  serve_files a
  serve_files b
}
