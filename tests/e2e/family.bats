#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154,SC2164  # IP_x, NWID: exported by universe_up; bats stops at a failing cd
# AF_INET6 is refused (decision 062): servers that listen on everything by default go on with IPv4, those
# that were told :: say why they cannot.

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

@test "node without an address listens on IPv4" {
  command -v node >/dev/null || skip "node is not installed"
  serve a node node -e 'require("http").createServer((q, r) => r.end("node")).listen(8090)'
  wait_for 15 fetch b "http://$IP_a:8090/"
  [ "$(fetch b "http://$IP_a:8090/")" = node ]
}

@test "redis with its default bind (* -::*) listens on IPv4" {
  serve a redis redis-server --port 6400 --protected-mode no --save '' --dir "$WORK"
  wait_for 15 on b redis-cli -h "$IP_a" -p 6400 ping
}

@test "asyncio without an address listens on IPv4" {
  serve a asyncio python3 -u -c '
import asyncio
async def main():
    server = await asyncio.start_server(lambda r, w: w.close(), None, 8094)
    print([s.getsockname() for s in server.sockets])
asyncio.run(main())'
  wait_for 10 grep -qF "[('0.0.0.0', 8094)]" "$WORK/asyncio.log"
}

@test "nginx with listen [::]:80 says that the address family is not supported" {
  nginx_conf "$WORK/nginx.conf" "$WORK" "[::]:80"
  run on a timeout 20 "$(command -v nginx || echo /usr/sbin/nginx)" -e "$WORK/nginx/error.log" \
    -c "$WORK/nginx.conf" -g 'daemon off;'
  [ "$status" -eq 1 ]
  [[ "$output" == *"[::]:80 failed (97: Address family not supported by protocol)"* ]]
}

@test "python and redis that are told :: say the same" {
  run on a timeout 20 python3 -m http.server 8092 --bind ::
  [[ "$output" == *"Address family not supported by protocol"* ]]
  run on a timeout 20 redis-server --port 6401 --bind :: --dir "$WORK"
  [ "$status" -eq 1 ]
  [[ "$output" == *":::6401: unable to bind socket, errno: 97"* ]]
}
