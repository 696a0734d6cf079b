#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Without UDP: two members that reach everything through a TCP relay (vl1 18).

load lib

setup_file() {
  WORK=$(mktemp -d "${TMPDIR:-/tmp}/netcon-e2e.XXXXXX")
  chmod 755 "$WORK"
  RELAY_PORT=$(free_port)
  export WORK RELAY_PORT
  relay_start
  universe_init "$WORK"
  local name
  for name in a b; do
    universe_member "$name"
    sed -i 's|"allowTcpFallbackRelay": false|"forceTcpRelay": true, "tcpFallbackRelay": "127.0.0.1/'"$RELAY_PORT"'"|' \
      "$UNIVERSE/$name/local.conf"
    grep -q forceTcpRelay "$UNIVERSE/$name/local.conf"
  done
  for name in root a b; do
    universe_start "$name"
    wait_for 20 is_online "$name"
  done
  NWID=$(universe_network '{"name":"relayed","private":true,"v4AssignMode":{"zt":true},
    "ipAssignmentPools":[{"ipRangeStart":"10.78.0.1","ipRangeEnd":"10.78.0.254"}],
    "routes":[{"target":"10.78.0.0/24","via":null}]}')
  IP_a=$(universe_join a "$NWID")
  IP_b=$(universe_join b "$NWID")
  export NWID IP_a IP_b UNIVERSE UNIVERSE_ROOT_PORT
  mkdir "$WORK/www"
  head -c 8388608 /dev/urandom >"$WORK/www/file"
  serve a www python3 -u -m http.server 8080 --bind 0.0.0.0 --directory "$WORK/www"
  wait_for 20 fetch b "http://$IP_a:8080/" -o /dev/null
}

teardown_file() {
  universe_down
}

relay_start() {
  python3 -u "$TOP/tests/lib/tcp_relay.py" 127.0.0.1 "$RELAY_PORT" >"$WORK/relay.log" 2>&1 3>&- &
  echo $! >"$WORK/relay.childpid"
  wait_for 10 grep -q listening "$WORK/relay.log"
}

cli() {
  local name=$1
  shift
  "$BIN/zerotier-cli" -D"$UNIVERSE/$name" "$@"
}

metric() { # NAME DIRECTION PROTOCOL
  universe_api "$1" GET /metrics | sed -n "s/^zt_data{direction=\"$2\",protocol=\"$3\"} //p"
}

says_tunneled() { cli "$1" info | grep -q ' TUNNELED$'; }
says_offline() { ! cli "$1" info | grep -q ' TUNNELED$'; }

@test "what the members say of it" {
  says_tunneled a
  cli a -j info | grep -q '"tcpFallbackActive": *true'
  cli a peers | grep -q 'RELAY'
  cli a -j peers | tr -d ' \n' | grep -q '"localSocket":-1.*"tunneled":true'
  cli a diagnose | grep -q "Packets go through the TCP relay 127.0.0.1/$RELAY_PORT"
  [ "$(metric a tx tcp)" -gt 0 ]
  [ "$(metric a rx tcp)" -gt 0 ]
  [ "$(metric root tx tcp)" -eq 0 ]
}

@test "no datagram leaves a member by UDP" {
  cli a -j /netcon/diagnose >"$WORK/facts" || cli a -j diagnose >"$WORK/facts" || true
  python3 - "$WORK/facts" <<'PY'
import json, sys
udp = json.load(open(sys.argv[1]))["udp"]
assert udp["datagramsOut"] == 0, udp
PY
}

@test "8 MiB through the relay, with the right hash" {
  fetch b "http://$IP_a:8080/file" -o "$WORK/received"
  cmp "$WORK/received" "$WORK/www/file"
}

@test "the relay dies and comes back" {
  kill "$(cat "$WORK/relay.childpid")"
  wait_for 10 says_offline a
  relay_start
  wait_for 30 says_tunneled a
  wait_for 30 says_tunneled b
  wait_for 60 fetch b "http://$IP_a:8080/file" -o "$WORK/received" --max-time 20
  cmp "$WORK/received" "$WORK/www/file"
}

@test "what answers is no relay: said, and tried again later" {
  kill "$(cat "$WORK/relay.childpid")"
  wait_for 10 says_offline a
  python3 -u - "$RELAY_PORT" >"$WORK/relay.log" 2>&1 3>&- <<'PY' &
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening", flush=True)
while True:
    client, _ = listener.accept()
    client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    client.close()
PY
  echo $! >"$WORK/relay.childpid"
  wait_for 30 grep -q "no ZeroTier TCP relay" "$UNIVERSE/a/netcon.log"
  wait_for 5 eval 'cli a diagnose | grep -q "could not be used"'
  kill "$(cat "$WORK/relay.childpid")"
  relay_start
  wait_for 60 says_tunneled a
  wait_for 60 says_tunneled b
  wait_for 60 fetch b "http://$IP_a:8080/" -o /dev/null --max-time 5
}

@test "the setting is taken back while it runs" {
  sed -i 's/"forceTcpRelay": true/"forceTcpRelay": false/' "$UNIVERSE/a/local.conf" "$UNIVERSE/b/local.conf"
  wait_for 20 eval 'cli a info | grep -q " ONLINE$"'
  wait_for 60 fetch b "http://$IP_a:8080/" -o /dev/null --max-time 5
}

@test "mistakes in local.conf are told" {
  mkdir "$WORK/bad"
  cp "$UNIVERSE/planet" "$WORK/bad/"
  echo '{"settings":{"tcpFallbackRelay":"example.com:443"}}' >"$WORK/bad/local.conf"
  run "$BIN/zerotier-netcon-service" -p0 "$WORK/bad"
  [ "$status" -eq 1 ]
  [[ "$output" == *'tcpFallbackRelay: must be "ip/port"'* ]]
}
