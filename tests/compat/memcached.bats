#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154  # IP_x: exported by compat_up
# memcached with four threads, as nobody, TCP and UDP on both families.

load lib.bash

setup_file() {
  compat_up
  installed memcached && [ "$(id -u)" -eq 0 ] || return 0
  serve a memcached /usr/bin/memcached -u nobody -l 0.0.0.0,:: -p 11211 -U 11211 -t 4 -v
  wait_for 15 on b memcping --servers="$IP_a:11211"
}

@test "memcached: both protocols by memccapable, a large value, many clients" {
  claim memcached memcached server "four threads, own user; text and binary protocol (memccapable), IPv4 and IPv6, 40 clients at once"
  claim libmemcached-tools "memccp, memccat, memccapable, memcslap" client "protocol tests, 800 KB by SHA-256, 40 clients at once"
  for protocol in -a -b; do
    run on b memccapable -h "$IP_a" -p 11211 $protocol
    [ "$status" -eq 0 ]
    [[ "$output" == *"All tests passed"* ]]
  done
  head -c 800000 /dev/urandom >"$WORK/value"
  on b memccp --servers="$IP_a:11211" "$WORK/value"
  [ "$(on b memccat --servers="$IP_a:11211" value | head -c 800000 | sum)" = "$(sum <"$WORK/value")" ]
  [ "$(printf 'get value\r\n' | on b ncat --no-shutdown -i 2 "$IP6_a" 11211 2>/dev/null | tail -c +23 | head -c 800000 | sum)" = "$(sum <"$WORK/value")" ]
  run on b memcslap --servers="$IP_a:11211" --concurrency=40 --execute-number=50 --test=set
  [ "$status" -eq 0 ]
  [ "$(printf 'stats\r\nquit\r\n' | on b ncat "$IP_a" 11211 | tr -d '\r' | awk '$2 == "rejected_connections" { print $3 }')" = 0 ]
  runs_as memcached nobody
  off_the_host memcached
}

@test "memcached over UDP" {
  claim memcached memcached server "requests over UDP"
  run on b /usr/bin/python3 - "$IP_a" <<'PY'
import socket, struct, sys
t = socket.create_connection((sys.argv[1], 11211))
t.sendall(b"set key 0 0 5\r\nvalue\r\n")
print(t.recv(100))
u = socket.socket(type=socket.SOCK_DGRAM)
u.settimeout(1)
for i in range(20):  # datagrams may be lost
    u.sendto(struct.pack(">HHHH", i, 0, 1, 0) + b"get key\r\n", (sys.argv[1], 11211))
    try:
        reply, peer = u.recvfrom(2000)
    except TimeoutError:
        continue
    print(reply[8:], peer[1])
    break
PY
  [ "$output" = "b'STORED\\r\\n'
b'VALUE key 0 5\\r\\nvalue\\r\\nEND\\r\\n' 11211" ]
}
