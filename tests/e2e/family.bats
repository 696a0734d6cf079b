#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154,SC2164  # IP_x, NWID: exported by universe_up; bats stops at a failing cd
# Servers that listen on everything by default listen on both families, those that are told :: as well; and
# whatever they do, nothing of family 2 or 10 reaches the kernel (decision S9).

bats_require_minimum_version 1.5.0

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

# traced NAME COMMAND...: on NAME, and no socket of family 2 or 10 is made.
traced() {
  local name=$1
  shift
  strace -f -qq -e trace=socket,socketpair -o "$WORK/strace" \
    env LD_PRELOAD="$BIN/libzerotierintercept.so" ZT_NC_NETWORK="$UNIVERSE/$name/nc_$NWID" "$@"
  run ! grep -E 'AF_INET6?,' "$WORK/strace"
}

@test "node without an address is reached over IPv4" {
  command -v node >/dev/null || skip "node is not installed"
  serve a node node -e 'require("http").createServer((q, r) => r.end("node")).listen(8090)'
  wait_for 15 fetch b "http://$IP_a:8090/"
  [ "$(fetch b "http://$IP_a:8090/")" = node ]
  [ "$(fetch a "http://[::1]:8090/")" = node ]
}

@test "redis with its default bind (* -::*) listens on both families" {
  serve a redis redis-server --port 6400 --protected-mode no --save '' --dir "$WORK"
  wait_for 15 on b redis-cli -h "$IP_a" -p 6400 ping
  [ "$(on a redis-cli -h ::1 -p 6400 ping)" = PONG ]
}

@test "asyncio without an address opens a socket of each family" {
  serve a asyncio python3 -u -c '
import asyncio
async def main():
    server = await asyncio.start_server(lambda r, w: w.close(), None, 8094)
    print(sorted(s.getsockname()[:2] for s in server.sockets))
asyncio.run(main())'
  wait_for 10 grep -qF "[('0.0.0.0', 8094), ('::', 8094)]" "$WORK/asyncio.log"
}

@test "nginx as Debian configures it: listen 80 and listen [::]:80" {
  nginx_conf "$WORK/nginx.conf" "$TOP/tests/e2e" "80; listen [::]:80"
  serve a nginx "$(command -v nginx || echo /usr/sbin/nginx)" -e "$WORK/nginx/error.log" \
    -c "$WORK/nginx.conf" -g 'daemon off;'
  wait_for 15 fetch b "http://$IP_a/family.bats"
  fetch a "http://[::1]/family.bats" | cmp - "$TOP/tests/e2e/family.bats"
}

@test "nothing of family 2 or 10 reaches the kernel, whatever is asked for" {
  traced b python3 - "$IP_a" <<'PY'
import errno, socket, sys
for family in socket.AF_INET, socket.AF_INET6:
    for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW:
        try:
            socket.socket(family, kind).close()
        except OSError as error:
            assert error.errno in (errno.EPROTONOSUPPORT, errno.EPERM), error
for family, host in (socket.AF_INET, sys.argv[1]), (socket.AF_INET6, "::ffff:" + sys.argv[1]):
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.sendto(b"unconnected", (host, 9))
        s.connect((host, 9))
        s.send(b"connected")
for family, host in (socket.AF_INET, sys.argv[1]), (socket.AF_INET6, "::ffff:" + sys.argv[1]):
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.connect((host, 80))
        s.sendall(b"GET /family.bats HTTP/1.0\r\n\r\n")
        assert b" 200 OK" in s.recv(999), "no answer"
PY
}
