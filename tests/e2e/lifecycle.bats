#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154,SC2164  # IP_x, NWID: exported by universe_up; bats stops at a failing cd
# Start, stop, restart, and the ways in which a start is refused.

bats_require_minimum_version 1.5.0

setup() {
  load lib.bash
  WORK=$(mktemp -d "${TMPDIR:-/tmp}/netcon-e2e.XXXXXX")
  export WORK
  universe_init "$WORK"
}
teardown() {
  universe_down
}

@test "SIGTERM ends with exit 0 within 5 s and removes pid file and sockets" {
  "$BIN/zerotier-netcon-service" -p"$UNIVERSE_ROOT_PORT" "$WORK/root" 2>"$WORK/log" 3>&- &
  local pid=$! status=0 begin
  wait_for 10 is_online root
  "$BIN/zerotier-cli" -D"$WORK/root" join "$(universe_address root)000001"
  begin=$(date +%s)
  kill -TERM "$pid"
  wait "$pid" || status=$?
  [ "$status" -eq 0 ]
  [ $(($(date +%s) - begin)) -le 5 ]
  [ ! -e "$WORK/root/zerotier-one.pid" ]
  [ ! -e "$WORK/root/nc_$(universe_address root)000001" ]
}

@test "a second service on the same home is refused and says who has it" {
  universe_start root
  run "$BIN/zerotier-netcon-service" -p0 "$WORK/root"
  [ "$status" -eq 1 ]
  [[ "$output" == *"$WORK/root"* ]]
  [[ "$output" == *"$(cat "$WORK/root/zerotier-one.pid")"* ]]
  is_online root
}

@test "a taken port is refused with a sentence that names it" {
  universe_start root
  universe_member a
  run "$BIN/zerotier-netcon-service" -p"$UNIVERSE_ROOT_PORT" "$WORK/a"
  [ "$status" -eq 1 ]
  [[ "$output" == *"$UNIVERSE_ROOT_PORT"* ]]
}

@test "a corrupt identity.secret is refused and left alone" {
  echo "not an identity" >"$WORK/root/identity.secret"
  run "$BIN/zerotier-netcon-service" -p0 "$WORK/root"
  [ "$status" -eq 1 ]
  [[ "$output" == *identity.secret* ]]
  [ "$(cat "$WORK/root/identity.secret")" = "not an identity" ]
}

@test "a corrupt planet is refused and left alone" {
  head -c 100 /dev/urandom >"$WORK/root/planet"
  local before
  before=$(sha256sum <"$WORK/root/planet")
  run "$BIN/zerotier-netcon-service" -p0 "$WORK/root"
  [ "$status" -eq 1 ]
  [[ "$output" == *planet* ]]
  [ "$(sha256sum <"$WORK/root/planet")" = "$before" ]
}

@test "a malformed local.conf is refused with file and line" {
  printf '{"settings": {\n "bind": [oops]\n}}\n' >"$WORK/root/local.conf"
  run "$BIN/zerotier-netcon-service" -p0 "$WORK/root"
  [ "$status" -eq 1 ]
  [[ "$output" == *local.conf* ]]
  [[ "$output" == *2* ]]
}

@test "a corrupt networks.d file is skipped or repaired, the service runs" {
  mkdir -p "$WORK/root/networks.d"
  head -c 500 /dev/urandom >"$WORK/root/networks.d/$(universe_address root)000001.conf"
  echo x >"$WORK/root/networks.d/nonsense.conf"
  universe_start root
  wait_for 10 is_online root
  run "$BIN/zerotier-cli" -D"$WORK/root" listnetworks
  [[ "$output" == *"$(universe_address root)000001"* ]]
}

@test "without a planet it starts and says how to get one" {
  rm "$WORK/root/planet"
  "$BIN/zerotier-netcon-service" -p"$UNIVERSE_ROOT_PORT" "$WORK/root" 2>"$WORK/log" 3>&- &
  echo $! >"$WORK/x.childpid"
  wait_for 10 grep -q mkplanet "$WORK/log"
  wait_for 10 sh -c "'$BIN/zerotier-cli' -D'$WORK/root' info | grep -q OFFLINE"
}

@test "joined networks come back after a restart from the cached configuration" {
  universe_member a
  universe_start root
  universe_start a
  wait_for 20 is_online a
  NWID=$(universe_network '{"name":"r","private":true,"v4AssignMode":{"zt":true},
    "ipAssignmentPools":[{"ipRangeStart":"10.77.0.2","ipRangeEnd":"10.77.0.199"}],
    "routes":[{"target":"10.77.0.0/24"}]}')
  universe_join a "$NWID"
  universe_stop_one a
  universe_stop_one root
  universe_start a
  wait_for 10 universe_ipv4 a "$NWID"
}

@test "the controller keeps its networks and members over a restart" {
  universe_member a
  universe_start root
  universe_start a
  wait_for 20 is_online a
  NWID=$(universe_network '{"name":"kept","private":true,"v4AssignMode":{"zt":true},
    "ipAssignmentPools":[{"ipRangeStart":"10.77.0.2","ipRangeEnd":"10.77.0.199"}],
    "routes":[{"target":"10.77.0.0/24"}]}')
  local ip
  ip=$(universe_join a "$NWID")
  universe_stop_one root
  universe_start root
  wait_for 10 is_online root
  [ "$(universe_api root GET "/controller/network/$NWID" | jq -r .name)" = kept ]
  [ "$(universe_api root GET "/controller/network/$NWID/member/$(universe_address a)" | jq -r '.ipAssignments[0]')" = "$ip" ]
}

@test "deauthorising a member takes effect, authorising brings it back" {
  universe_member a
  universe_start root
  universe_start a
  wait_for 20 is_online a
  NWID=$(universe_network '{"private":true,"v4AssignMode":{"zt":true},
    "ipAssignmentPools":[{"ipRangeStart":"10.77.0.2","ipRangeEnd":"10.77.0.199"}],
    "routes":[{"target":"10.77.0.0/24"}]}')
  universe_join a "$NWID"
  universe_api root POST "/controller/network/$NWID/member/$(universe_address a)" '{"authorized":false}' |
    jq -e '.authorized == false'
  wait_for 80 sh -c "'$BIN/zerotier-cli' -D'$WORK/a' listnetworks | grep -q ACCESS_DENIED"
  universe_api root POST "/controller/network/$NWID/member/$(universe_address a)" '{"authorized":true}' >/dev/null
  wait_for 20 universe_ipv4 a "$NWID"
}

@test "a stack library of another version refuses the network, with a sentence for who joins" {
  mkdir "$WORK/bin"
  cp -L "$BIN/zerotier-netcon-service" "$WORK/bin/"
  cp -L "$BIN/libzerotierintercept.so" "$WORK/bin/liblwip.so" # a library, but not that one
  BIN=$WORK/bin universe_start root
  wait_for 10 is_online root
  run "$BIN/zerotier-cli" -D"$WORK/root" join "$(universe_address root)000001"
  [ "$status" -ne 0 ]
  [[ "$output" == *"liblwip.so"*"build or install both together"* ]]
  [[ "$("$BIN/zerotier-cli" -D"$WORK/root" -j listnetworks)" != *nwid* ]]
  is_online root
}

@test "leaving removes the network's socket and files" {
  universe_start root
  local nwid
  nwid=$(universe_address root)000002
  "$BIN/zerotier-cli" -D"$WORK/root" join "$nwid"
  [ -S "$WORK/root/nc/$nwid/sock" ]
  [ "$(readlink "$WORK/root/nc_$nwid")" = "nc/$nwid/sock" ]
  "$BIN/zerotier-cli" -D"$WORK/root" leave "$nwid"
  [ ! -e "$WORK/root/nc_$nwid" ]
  wait_for 5 test ! -e "$WORK/root/networks.d/$nwid.conf" # the worker removes it
}

@test "garbage on nc_NWID closes that connection only" {
  universe_start root
  local nwid
  nwid=$(universe_address root)000003
  "$BIN/zerotier-cli" -D"$WORK/root" join "$nwid"
  run python3 - "$WORK/root/nc_$nwid" <<'PY'
import os, socket, sys
def connect():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(5)
    s.connect(sys.argv[1])
    return s
good = connect()
for size in (1, 15, 16, 40, 500, 4000):
    bad = connect()
    bad.send(os.urandom(size))
    try:
        print("closed" if bad.recv(100) == b"" else "answered")
    except ConnectionResetError:
        print("closed")
PY
  [ "$status" -eq 0 ]
  [ "$(sort -u <<<"$output")" = closed ]
  NWID=$nwid run on root python3 -c 'import socket; socket.socket(); print("alive")'
  [ "$output" = alive ]
}

@test "garbage datagrams are not answered and do no harm" {
  universe_start root
  run python3 - "$UNIVERSE_ROOT_PORT" <<'PY'
import os, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(("127.0.0.1", int(sys.argv[1])))
s.settimeout(0.5)
for size in list(range(0, 200)) + [1400, 1432, 9000, 60000]:
    s.send(os.urandom(size))
try:
    s.recv(2000)
    print("answered")
except socket.timeout:
    print("silent")
PY
  [ "$output" = silent ]
  is_online root
}

# An ignored signal survives exec: the supervisor never heard that its child had ended, and as process 1 of
# a container it hung until it was killed.
@test "SIGTERM ends it also where the starter ignores SIGCHLD" {
  mkdir -p "$WORK/ignored"
  cp "$UNIVERSE/planet" "$WORK/ignored/"
  python3 - "$BIN/zerotier-netcon-service" "$WORK/ignored" >"$WORK/ignored.log" 2>&1 3>&- <<'PY' &
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(sys.argv[1], [sys.argv[1], "-p0", sys.argv[2]])
PY
  pid=$!
  wait_for 20 grep -q 'main: up' "$WORK/ignored.log"
  kill "$pid"
  wait_for 10 is_gone "$pid"
}
