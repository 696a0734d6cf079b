#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154,SC2164  # IP_x, NWID: exported by universe_up; bats stops at a failing cd
# UDP and ping between two containers, both families, with programs as they are.

bats_require_minimum_version 1.5.0

setup_file() {
  load lib.bash
  NETWORK_JSON=$(dual_stack_network)
  export NETWORK_JSON
  universe_up a b
  wait_for 20 address6 a fd77:
  wait_for 20 address6 b fd77:
  IP6_a=$(address6 a fd77:)
  IP6_b=$(address6 b fd77:)
  export IP6_a IP6_b UDP="$TOP/tests/e2e/udp"
  serve a echo4 python3 "$UDP/echo.py" 0.0.0.0 7000
  serve a echo6 python3 "$UDP/echo.py" :: 7006
  serve b echo4b python3 "$UDP/echo.py" 127.0.0.1 7000
  serve b echo6b python3 "$UDP/echo.py" ::1 7006
  local label
  for label in echo4 echo6 echo4b echo6b; do wait_for 15 grep -q ready "$WORK/$label.log"; done
}
teardown_file() {
  load lib.bash
  if [ -n "${WORK:-}" ]; then universe_down; fi
}
setup() {
  load lib.bash
}

@test "a client does everything: on the host's own loopback, without us" {
  local port
  port=$(free_port)
  python3 "$UDP/echo.py" 127.0.0.1 "$port" >"$WORK/native4.log" 2>&1 3>&- &
  echo $! >"$WORK/native4.childpid"
  wait_for 10 grep -q ready "$WORK/native4.log"
  run timeout 100 python3 "$UDP/client.py" 127.0.0.1 "$port"
  echo "$output"
  [ "$output" = ok ]
  stop_served native4
}

@test "a client does everything: IPv4 over the network" {
  run on b timeout 100 python3 "$UDP/client.py" "$IP_a" 7000
  echo "$output"
  [ "$output" = ok ]
}

@test "a client does everything: IPv6 over the network" {
  run on b timeout 100 python3 "$UDP/client.py" "$IP6_a" 7006
  echo "$output"
  [ "$output" = ok ]
}

@test "a client does everything: the container's own loopback, not the host's" {
  run on b timeout 100 python3 "$UDP/client.py" ::1 7006
  echo "$output"
  [ "$output" = ok ]
  on b timeout 20 python3 - <<'PY'
import errno, socket
for family, host, port in (socket.AF_INET, "127.0.0.1", 7000), (socket.AF_INET6, "::1", 7006):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(15)
    s.connect((host, port))
    s.send(b"loopback")
    assert s.recv(100) == b"loopback"
PY
  run on a timeout 20 python3 - <<'PY'
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.settimeout(15)
s.connect(("::1", 7007))
s.send(b"nobody")
s.recv(1)
PY
  [[ "$output" == *"ConnectionRefusedError"* ]]
}

@test "zerotier-cli sockets shows datagram sockets" {
  run -0 "$BIN/zerotier-cli" -D"$UNIVERSE/a" sockets
  [[ "$output" =~ udp\ +UNCONN\ +0\ +0\ +0\.0\.0\.0:7000\ +\*:\* ]]
  [[ "$output" =~ udp\ +UNCONN\ +0\ +0\ +\[::\]:7006\ +\*:\* ]]
}

@test "sendmmsg and recvmmsg, connected and not" {
  ${CC:-cc} -o "$WORK/mmsg" "$UDP/mmsg.c"
  run on b "$WORK/mmsg" "$IP_a" 7000 40
  [ "$output" = $'sent 40\ngot 40' ]
  run on b "$WORK/mmsg" "$IP_a" 7000 40 connect
  [ "$output" = $'sent 40\ngot 40' ]
}

@test "a dual stack socket serves both families" {
  on a timeout 60 python3 -u -c '
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("::", 7010))
print("ready")
for i in range(2):
    data, peer = s.recvfrom(100)
    print(data.decode(), peer[0])
    s.sendto(data, peer)' >"$WORK/dual.log" 2>&1 3>&- &
  wait_for 10 grep -q ready "$WORK/dual.log"
  on b timeout 30 python3 - "$IP_a" "$IP6_a" <<'PY'
import socket, sys
for family, host in (socket.AF_INET, sys.argv[1]), (socket.AF_INET6, sys.argv[2]):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(20)
    s.sendto(b"hi", (host, 7010))
    assert s.recvfrom(10) [1][:2] == (host, 7010)
# an AF_INET6 socket sends to IPv4 by v4-mapped address
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.settimeout(20)
s.sendto(b"mapped", ("::ffff:" + sys.argv[1], 7000))
assert s.recvfrom(10)[1][:2] == ("::ffff:" + sys.argv[1], 7000)
PY
  wait_for 10 grep -qx "hi ::ffff:$IP_b" "$WORK/dual.log"
  grep -qx "hi $IP6_b" "$WORK/dual.log"
}

@test "ports: who may share one, and who gets the datagram" {
  run on b timeout 60 python3 - <<'PY'
import errno, select, socket
REUSEADDR, REUSEPORT = (socket.SOL_SOCKET, socket.SO_REUSEADDR), (socket.SOL_SOCKET, socket.SO_REUSEPORT)
def bound(host, *options, family=socket.AF_INET):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(10)
    for o in options:
        s.setsockopt(*o, 1)
    s.bind((host, 7100))
    return s
def refused(*arguments, **words):
    try:
        bound(*arguments, **words).close()
        return False
    except OSError as e:
        assert e.errno == errno.EADDRINUSE, e
        return True
first = bound("127.0.0.1")
assert refused("127.0.0.1") and refused("0.0.0.0") and refused("127.0.0.1", REUSEADDR)
bound("127.0.0.2").close()
first.close()
# SO_REUSEADDR on both: the one bound last gets it
first, second = bound("127.0.0.1", REUSEADDR), bound("127.0.0.1", REUSEADDR)
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.sendto(b"last", ("127.0.0.1", 7100))
assert second.recv(10) == b"last"
second.close()
# an exact address before any
anybody = bound("0.0.0.0", REUSEADDR)
client.sendto(b"exact", ("127.0.0.1", 7100))
assert first.recv(10) == b"exact"
first.close()
# connected before unconnected
friend = bound("0.0.0.0", REUSEADDR)
friend.connect(("127.0.0.1", client.getsockname()[1]))
client.sendto(b"friend", ("127.0.0.1", 7100))
assert friend.recv(10) == b"friend"
stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
stranger.sendto(b"stranger", ("127.0.0.1", 7100))
assert anybody.recv(20) == b"stranger"
friend.close(); anybody.close()
# SO_REUSEPORT spreads senders, and each stays where it is
group = [bound("0.0.0.0", REUSEPORT) for i in range(4)]
got = {}
senders = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for i in range(64)]
for turn in range(2):
    for number, s in enumerate(senders):
        s.sendto(str(number).encode(), ("127.0.0.1", 7100))
for i in range(128):
    ready = select.select(group, [], [], 20)[0]
    got.setdefault(int(ready[0].recv(10)), []).append(group.index(ready[0]))
assert len(got) == 64 and all(len(v) == 2 and v[0] == v[1] for v in got.values()), got
assert len({v[0] for v in got.values()}) == 4
for s in group: s.close()
# IPV6_V6ONLY leaves the port to IPv4
s6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
s6.bind(("::", 7100))
bound("0.0.0.0").close()
assert refused("::", family=socket.AF_INET6)
print("ok")
PY
  echo "$output"
  [ "$output" = ok ]
}

@test "an unread socket loses datagrams and counts them; SO_RCVBUF bounds it; a turned off reader harms nobody" {
  run on b timeout 60 python3 - <<'PY'
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 40, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20000)
assert s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 40000
s.bind(("127.0.0.1", 0))
other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
other.bind(("127.0.0.1", 0))
other.settimeout(20)
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(1000):
    client.sendto(bytes(100), s.getsockname())
client.sendto(b"end", other.getsockname())
assert other.recv(10) == b"end"
s.setblocking(False)
got = 0
try:
    while True:
        s.recv(200); got += 1
except BlockingIOError:
    pass
assert 5 <= got <= 400, got
client.sendto(b"then", s.getsockname())
s.settimeout(20)
data, control, flags, peer = s.recvmsg(10, 100)
lost = [int.from_bytes(c[2], "little") for c in control if c[:2] == (1, 40)]
assert data == b"then" and lost == [1000 - got], (lost, got)
print("ok")
PY
  echo "$output"
  [ "$output" = ok ]
}

@test "broadcast: with SO_BROADCAST, to 255.255.255.255 and to the subnet's address" {
  serve a many4 python3 "$UDP/many.py" listen 255.255.255.255 7200
  wait_for 10 grep -q ready "$WORK/many4.log"
  run on b timeout 60 python3 "$UDP/many.py" send 255.255.255.255 7200
  [ "$output" = $'EACCES\nb\'answer to question\'' ]
  run on b timeout 60 python3 "$UDP/many.py" send 10.77.0.255 7200
  [ "${lines[-1]}" = "b'answer to question'" ]
  grep -qx "question $IP_b" "$WORK/many4.log"
}

@test "multicast DNS groups of both families reach the other container" {
  serve a mdns4 python3 "$UDP/many.py" listen 224.0.0.251 5353
  serve a mdns6 python3 "$UDP/many.py" listen ff02::fb 5454
  wait_for 10 grep -q ready "$WORK/mdns4.log"
  wait_for 10 grep -q ready "$WORK/mdns6.log"
  run on b timeout 60 python3 "$UDP/many.py" send 224.0.0.251 5353
  [ "$output" = "b'answer to question'" ]
  run on b timeout 60 python3 "$UDP/many.py" send ff02::fb 5454
  [ "$output" = "b'answer to question'" ]
}

@test "own multicast: IP_MULTICAST_LOOP, membership, IP_MULTICAST_TTL and their errors" {
  run on b timeout 60 python3 - "$IP_b" <<'PY'
import errno, socket, sys
def group(s, name="239.1.2.3"):
    return socket.inet_aton(name) + socket.inet_aton(sys.argv[1])
def raises(number, call, *arguments):
    try:
        call(*arguments)
    except OSError as e:
        assert e.errno == number, e
        return
    raise AssertionError("no " + errno.errorcode[number])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 7300))
s.settimeout(20)
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group(s))
raises(errno.EADDRINUSE, s.setsockopt, socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group(s))
raises(errno.EINVAL, s.setsockopt, socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group(s, "10.1.1.1"))
raises(errno.EADDRNOTAVAIL, s.setsockopt, socket.IPPROTO_IP, socket.IP_DROP_MEMBERSHIP, group(s, "239.9.9.9"))
raises(errno.ENODEV, s.setsockopt, socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
       socket.inet_aton("239.1.2.4") + socket.inet_aton("192.0.2.1"))
assert s.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL) == 1
assert s.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP) == 1
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
s.sendto(b"to myself", ("239.1.2.3", 7300))
assert s.recvfrom(100) == (b"to myself", (sys.argv[1], 7300))
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
s.sendto(b"not to myself", ("239.1.2.3", 7300))
s.sendto(b"direct", (sys.argv[1], 7300))
assert s.recv(100) == b"direct"
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
s.setsockopt(socket.IPPROTO_IP, socket.IP_DROP_MEMBERSHIP, group(s))
s.sendto(b"left", ("239.1.2.3", 7300))
s.sendto(b"direct", (sys.argv[1], 7300))
assert s.recv(100) == b"direct"
print("ok")
PY
  echo "$output"
  [ "$output" = ok ]
}

@test "ping without privileges, both families, over the network and to itself" {
  cp "$(command -v ping)" "$WORK/ping" # without its file capabilities
  local address
  for address in "$IP_a" "$IP6_a" "$IP_b" 127.0.0.1 ::1; do
    run on b timeout 30 "$WORK/ping" -c 3 -i 0.2 "$address"
    [[ "$output" == *"3 packets transmitted, 3 received, 0% packet loss"* ]]
    [[ "$output" == *"ttl=64"* ]]
  done
  run on b timeout 30 "$WORK/ping" -c 1 -s 8000 "$IP_a"
  [[ "$output" == *"8008 bytes from $IP_a"* ]]
}

@test "iperf3 -u in both directions loses next to nothing at a moderate rate" {
  command -v iperf3 >/dev/null || skip "iperf3 is not installed"
  serve a iperf3 iperf3 --forceflush -s -p 5201
  wait_for 10 grep -q listening "$WORK/iperf3.log"
  local direction
  for direction in "" -R; do
    on b timeout 60 iperf3 -u -c "$IP_a" -p 5201 -b 20M -t 1 -J $direction >"$WORK/iperf3.json"
    jq -e '.end.sum.packets > 800 and .end.sum.lost_percent < 5' "$WORK/iperf3.json"
  done
}

@test "socat: UDP-RECVFROM with fork, asked by a connected and an unconnected socat" {
  command -v socat >/dev/null || skip "socat is not installed"
  serve a socat socat UDP-RECVFROM:7400,fork EXEC:"tr a-z A-Z"
  wait_for 15 eval "echo ping | on b timeout 5 socat -T2 - UDP:$IP_a:7400 | grep -q PING"
  [ "$(echo hello | on b timeout 10 socat -T2 - "UDP-SENDTO:$IP_a:7400")" = HELLO ]
}

@test "unbound answers dig over UDP and TCP" {
  command -v unbound >/dev/null && command -v dig >/dev/null || skip "unbound or dig is not installed"
  cat >"$WORK/unbound.conf" <<EOF
server:
  interface: 0.0.0.0@5300
  interface: ::0@5300
  access-control: 0.0.0.0/0 allow
  access-control: ::0/0 allow
  do-daemonize: no
  chroot: ""
  username: ""
  directory: "$WORK"
  pidfile: ""
  use-syslog: no
  module-config: "iterator"
  local-zone: "test." static
  local-data: "server.test. A 192.0.2.7"
remote-control:
  control-enable: no
EOF
  serve a unbound unbound -c "$WORK/unbound.conf" -p
  local how
  wait_for 20 eval "on b dig +short +tries=1 +time=2 @$IP_a -p 5300 server.test | grep -qx 192.0.2.7"
  for how in "@$IP_a" "@$IP6_a" "@$IP_a +tcp" "@$IP_a +bufsize=4096"; do
    # shellcheck disable=SC2086
    [ "$(on b timeout 30 dig +short +time=5 $how -p 5300 server.test)" = 192.0.2.7 ]
  done
}

@test "a program that sends faster than the network takes is stopped by EAGAIN" {
  run on b timeout 100 python3 - "$IP_a" <<'PY'
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect((sys.argv[1], 7000))
s.setblocking(False)
try:
    for i in range(100000):
        s.send(bytes(1000))
except BlockingIOError:
    print("EAGAIN")
PY
  [ "$output" = EAGAIN ]
}

@test "when the service is gone: errors, no waiting for ever" {
  universe_member c
  universe_start c
  wait_for 20 is_online c
  universe_join c "$NWID" >/dev/null
  serve c waiter timeout 60 python3 -u -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 7500))
print("ready")
try:
    s.recv(10)
except OSError as e:
    print(e.strerror)
try:
    s.sendto(b"x", ("10.77.0.1", 9))
except OSError as e:
    print(e.strerror)'
  wait_for 10 grep -q ready "$WORK/waiter.log"
  kill -9 "$(cat "$UNIVERSE/c/zerotier-one.pid")"
  both_told() { [ "$(grep -c "Network is down" "$WORK/waiter.log")" = 2 ]; }
  wait_for 10 both_told
}
