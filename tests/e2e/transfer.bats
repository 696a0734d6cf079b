#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154,SC2164  # IP_x, NWID: exported by universe_up; bats stops at a failing cd
# Load: a large file, many requests, clients that die. Nothing is lost and nothing leaks.

setup_file() {
  load lib.bash
  universe_up a b
  mkdir -p "$WORK/www"
  echo small >"$WORK/www/index.html"
  head -c 268435456 /dev/urandom >"$WORK/www/big"
  nginx_conf "$WORK/nginx.conf" "$WORK/www" 80
  serve a nginx "$(command -v nginx || echo /usr/sbin/nginx)" -e "$WORK/nginx/error.log" \
    -c "$WORK/nginx.conf" -g 'daemon off;'
  wait_for 15 fetch b -o /dev/null "http://$IP_a/"
}
teardown_file() {
  load lib.bash
  universe_down
}
setup() {
  load lib.bash
}

# The descriptor count may lag behind the last close: wait until it is back.
fds_are() { # NAME COUNT
  [ "$(service_fds "$1")" -le "$2" ]
}

@test "256 MiB from nginx in a to curl in b, SHA-256 equal" {
  fetch b -o "$WORK/got" "http://$IP_a/big"
  [ "$(sha256sum <"$WORK/got")" = "$(sha256sum <"$WORK/www/big")" ]
  rm "$WORK/got"
}

@test "1000 sequential requests" {
  run on b python3 - "$IP_a" <<'PY'
import sys, urllib.request
ok = 0
for _ in range(1000):
    with urllib.request.urlopen(f"http://{sys.argv[1]}/", timeout=20) as r:
        ok += r.read() == b"small\n"
print(ok)
PY
  [ "$output" = 1000 ]
}

@test "200 concurrent requests" {
  run on b python3 - "$IP_a" <<'PY'
import socket, selectors, sys
# All 200 connections are open at once before the first request is sent.
socks = [socket.create_connection((sys.argv[1], 80), timeout=30) for _ in range(200)]
for s in socks:
    s.sendall(b"GET / HTTP/1.0\r\n\r\n")
ok = 0
for s in socks:
    data = b""
    while chunk := s.recv(65536):
        data += chunk
    ok += data.endswith(b"small\n")
print(ok)
PY
  [ "$output" = 200 ]
}

@test "killing the client mid-transfer leaks no descriptor on either side" {
  wait_for 20 fetch b -o /dev/null "http://$IP_a/"
  local before_a before_b pid i
  sleep_free_settle
  before_a=$(service_fds a) before_b=$(service_fds b)
  for i in 1 2 3 4 5; do
    env LD_PRELOAD="$BIN/libzerotierintercept.so" ZT_NC_NETWORK="$UNIVERSE/b/nc_$NWID" \
      curl -sS --noproxy '*' -o "$WORK/part$i" "http://$IP_a/big" 3>&- &
    pid=$!
    wait_for 20 test -s "$WORK/part$i"
    kill -9 "$pid"
    wait "$pid" 2>/dev/null || true
  done
  wait_for 20 fds_are a "$before_a"
  wait_for 20 fds_are b "$before_b"
}

# Keep-alive connections of earlier tests end by themselves (nginx: 5 s); wait for that.
sleep_free_settle() {
  wait_for 20 no_connections a
  wait_for 20 no_connections b
}
no_connections() {
  [ "$(on "$1" true; universe_api "$1" GET /network/"$NWID" | jq -r '.netcon.connections // 0')" = 0 ]
}
