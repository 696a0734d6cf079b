#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154,SC2164  # IP_x, NWID: exported by universe_up; bats stops at a failing cd
# The demo's programs, unmodified: servers in container a, clients in container b.

bats_require_minimum_version 1.5.0

setup_file() {
  load lib.bash
  universe_up a b
  mkdir -p "$WORK/www"
  echo "hello from the virtual network" >"$WORK/www/index.html"
  nginx_conf "$WORK/nginx.conf" "$WORK/www" 80
  serve a nginx "$(command -v nginx || echo /usr/sbin/nginx)" -e "$WORK/nginx/error.log" \
    -c "$WORK/nginx.conf" -g 'daemon off;'
  serve a redis redis-server --port 6379 --bind 0.0.0.0 --protected-mode no --save '' --dir "$WORK"
  export PYTHON_PORT
  PYTHON_PORT=$(free_port)
  cd "$WORK/www" && serve a python python3 -u -m http.server "$PYTHON_PORT"
  cd "$TOP"
  wait_for 15 fetch b -o /dev/null "http://$IP_a/"
  wait_for 15 fetch b -o /dev/null "http://$IP_a:$PYTHON_PORT/"
  wait_for 15 on b redis-cli -h "$IP_a" ping
}
teardown_file() {
  load lib.bash
  universe_down
}
setup() {
  load lib.bash
}

@test "curl in b reads a page from nginx in a" {
  run fetch b "http://$IP_a/"
  [ "$status" -eq 0 ]
  [ "$output" = "hello from the virtual network" ]
}

@test "python3 -m http.server answers, and logs the client's virtual address" {
  run fetch b "http://$IP_a:$PYTHON_PORT/index.html"
  [ "$output" = "hello from the virtual network" ]
  wait_for 5 grep -q "^$IP_b " "$WORK/python.log"
}

@test "redis answers in order, also to a large value" {
  on b redis-cli -h "$IP_a" set key value
  [ "$(on b redis-cli -h "$IP_a" get key)" = value ]
  head -c 3000000 /dev/urandom | base64 -w0 >"$WORK/value"
  on b redis-cli -h "$IP_a" -x set large <"$WORK/value"
  [ "$(on b redis-cli --raw -h "$IP_a" get large | head -c -1 | sha256sum)" = "$(sha256sum <"$WORK/value")" ]
}

@test "redis-benchmark with 50 clients completes" {
  run on b redis-benchmark -h "$IP_a" -n 5000 -c 50 -t set,get -q
  [ "$status" -eq 0 ]
  [[ "$output" == *"GET: "*"requests per second"* ]]
}

@test "node: httpserver.js of the original's walk-through" {
  command -v node >/dev/null || skip "node is not installed"
  serve a node env PORT=8081 node "$TOP/examples/httpserver.js"
  wait_for 20 fetch b -o /dev/null "http://$IP_a:8081/"
  run fetch b "http://$IP_a:8081/"
  [[ "$output" == *"Welcome to the machine!"* ]]
  stop_served node
}

@test "httpstub, the C test server" {
  echo "stub content" >"$WORK/stub.txt"
  cd "$WORK"
  serve a httpstub "$TOP/build/release/httpstub" -p 8402 -f "$WORK/stub.txt" -q
  wait_for 10 fetch b -o /dev/null "http://$IP_a:8402/"
  run fetch b "http://$IP_a:8402/"
  [ "$output" = "stub content" ]
  stop_served httpstub
}

@test "programs of one container reach each other by its address and by 127.0.0.1" {
  run fetch a "http://$IP_a/"
  [ "$output" = "hello from the virtual network" ]
  run fetch a "http://127.0.0.1:$PYTHON_PORT/index.html"
  [ "$output" = "hello from the virtual network" ]
}

@test "b's 127.0.0.1 is not a's" {
  run fetch b --max-time 3 "http://127.0.0.1:$PYTHON_PORT/"
  [ "$status" -eq 7 ]
}

@test "a refused connection says so at once" {
  run fetch b --max-time 5 "http://$IP_a:81/"
  [ "$status" -eq 7 ]
}

# Asked on the host's own loopback: nothing may be sent to the virtual address from the host.
@test "the host without the library has neither the server's port nor its address" {
  run curl -sS --noproxy '*' --max-time 2 "http://127.0.0.1:$PYTHON_PORT/"
  [ "$status" -eq 7 ]
  run ip route get "$IP_a"
  [[ "$output" != local* ]]
  [[ "$output" != *"dev zt"* ]]
}

@test "nothing of family 2 or 10 reaches the kernel" {
  strace -f -qq -e trace=socket -o "$WORK/strace" \
    env LD_PRELOAD="$BIN/libzerotierintercept.so" ZT_NC_NETWORK="$UNIVERSE/b/nc_$NWID" \
    curl -sS --noproxy '*' "http://$IP_a/" >/dev/null
  run ! grep -E 'socket\(AF_INET6?,' "$WORK/strace"
}

@test "raw sockets are refused, not passed to the host" {
  run on b python3 - <<'PY'
import errno, socket
for family, kind, wanted in ((socket.AF_INET6, socket.SOCK_RAW, {errno.EPERM, errno.EPROTONOSUPPORT}),
                             (socket.AF_INET, socket.SOCK_RAW, {errno.EPERM, errno.EPROTONOSUPPORT})):
    try:
        socket.socket(family, kind)
        print("created", family, kind)
    except OSError as e:
        print("ok" if e.errno in wanted else f"errno {e.errno}")
PY
  [ "$output" = $'ok\nok' ]
}

@test "a program is unaffected when ZT_NC_NETWORK is unset" {
  run env LD_PRELOAD="$BIN/libzerotierintercept.so" python3 -c \
    'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); print(s.getsockname()[0])'
  [ "$output" = 127.0.0.1 ]
}

@test "without a service the error is ENETDOWN, and ZT_NC_DEBUG says why" {
  run env LD_PRELOAD="$BIN/libzerotierintercept.so" ZT_NC_NETWORK="$WORK/nowhere" ZT_NC_DEBUG=1 \
    python3 -c 'import socket
try: socket.socket()
except OSError as e: print(e.errno)'
  [[ "$output" == *100* ]]
  [[ "$output" == *nowhere* ]]
}
