#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154,SC2164  # IP_x, NWID: exported by universe_up; bats stops at a failing cd
# ZT_NC_POLICY and ZT_NC_HOST_LOOPBACK (issue 4 part 6, decision 231), and the network's own routes. "The
# host" is a network namespace of its own, in which 198.51.100.7 answers.

setup_file() {
  load lib.bash
  universe_up a b
  serve a server python3 -u -c '
import socket
s = socket.create_server(("0.0.0.0", 7000))
print("ready")
while True:
    c, _ = s.accept()
    c.sendall(b"virtual")
    c.close()'
  wait_for 10 grep -q ready "$WORK/server.log"
  cat >"$WORK/host.py" <<'PY' # the host's servers: TCP and UDP, of both families
import os, select, socket
def tcp(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    s = socket.socket(family)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind((address, port))
    s.listen()
    return s
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("0.0.0.0", 7000))
listeners = [tcp("0.0.0.0", 7000), tcp("::", 7000), tcp("0.0.0.0", 7001)]
os.close(1)
while True:
    for s in select.select(listeners + [udp], [], [])[0]:
        if s is udp:
            s.sendto(b"host", s.recvfrom(100)[1])
        else:
            c, _ = s.accept()
            c.sendall(b"host")
            c.close()
PY
  cat >"$WORK/inside.sh" <<'SH' # inside.sh FOLDER PROGRAM...: the namespace, its servers, the program
folder=$1
shift
ip link set lo up && ip addr add 198.51.100.7/32 dev lo && ip route add default dev lo || exit 1
mkfifo "$folder/ready"
python3 -I "$folder/host.py" >"$folder/ready" &
server=$!
cat "$folder/ready" # ends when they listen
rm "$folder/ready"
LD_PRELOAD=$LIB "$@"
status=$?
kill $server
exit $status
SH
  cat >"$WORK/try.py" <<'PY' # try.py WHERE...: what answers there: "virtual", "host", an errno
import errno, socket, sys
for where in sys.argv[1:]:
    kind, address, port = where.split(",")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        s = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
        s.settimeout(10)
        if kind == "tcp":
            s.connect((address, int(port)))
        elif kind == "udp":
            s.sendto(b"?", (address, int(port)))
        else:
            s.connect((address, int(port)))
            s.send(b"?")
        print(s.recv(100).decode())
    except OSError as e:
        print(errno.errorcode.get(e.errno, e))
PY
}
teardown_file() {
  load lib.bash
  universe_down
}
setup() {
  load lib.bash
  unshare -rn true 2>/dev/null || skip "no network namespace: run as root, or allow user namespaces"
}

# inside POLICY COMMAND...: in that namespace, a program of b.
inside() {
  local policy=$1
  shift
  run env ZT_NC_POLICY="$policy" ZT_NC_NETWORK="${NETWORK:-$UNIVERSE/b/nc_$NWID}" \
    LIB="$BIN/libzerotierintercept.so" unshare -rn sh "$WORK/inside.sh" "$WORK" "$@"
  echo "$output"
}
ask() { # POLICY KIND,ADDRESS,PORT...
  local policy=$1
  shift
  inside "$policy" python3 -I "$WORK/try.py" "$@"
}

@test "all: nothing leaves by the host" {
  ask all "tcp,$IP_a,7000" tcp,198.51.100.7,7000 connected,198.51.100.7,7000 tcp,127.0.0.1,7000 tcp,::1,7000
  [ "$output" = "virtual
ENETUNREACH
ENETUNREACH
ECONNREFUSED
ECONNREFUSED" ]
}

@test "split: what the network does not lead to is the host's, all else virtual" {
  ask split "tcp,$IP_a,7000" tcp,198.51.100.7,7000 connected,198.51.100.7,7000 udp,198.51.100.7,7000 \
    tcp,::ffff:198.51.100.7,7001 tcp,127.0.0.1,7000 tcp,10.77.0.250,7000 tcp,198.51.100.7,7002
  [ "${lines[0]}" = virtual ]
  [ "${lines[1]}" = host ]
  [ "${lines[2]}" = host ]
  [ "${lines[3]}" = host ]
  [ "${lines[4]}" = host ]
  [ "${lines[5]}" = ECONNREFUSED ] # loopback is the virtual host's own
  [ "${lines[6]}" != host ] # nobody has it, but it is the network's
  [ "${lines[7]}" = ECONNREFUSED ] # the host's answer
}

@test "split: a socket keeps its number, options, flags and place in epoll sets" {
  cat >"$WORK/keeps.py" <<'PY'
import fcntl, os, select, socket
def check(epoll_flags):
    s = socket.socket()
    s.setblocking(False)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 77)
    e = select.epoll()
    e.register(s, select.EPOLLOUT | epoll_flags)
    e.poll(0) # what it says of a socket that is not connected
    number = s.fileno()
    s.connect_ex(("198.51.100.7", 7000))
    assert s.fileno() == number and fcntl.fcntl(s, fcntl.F_GETFL) & os.O_NONBLOCK
    assert fcntl.fcntl(s, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    assert e.poll(10)[0] == (number, select.EPOLLOUT), "epoll"
    assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    e.modify(s, select.EPOLLIN)
    e.poll(10)
    print(s.recv(10).decode(), s.getpeername()[0], s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
          s.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE), s.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN))
check(0)
check(select.EPOLLET)
PY
  inside split python3 -I "$WORK/keeps.py"
  [ "$output" = "host 198.51.100.7 1 77 2
host 198.51.100.7 1 77 2" ]
}

@test "split: a socket that is bound stays virtual, and a listener is never the host's" {
  cat >"$WORK/bound.py" <<'PY'
import errno, socket
s = socket.socket()
s.bind(("0.0.0.0", 0))
print(errno.errorcode[s.connect_ex(("198.51.100.7", 7000))])
listener = socket.create_server(("0.0.0.0", 7000)) # the host has this one: no conflict
c = socket.create_connection(("127.0.0.1", 7000))
print(listener.accept()[1][0])
PY
  inside split python3 -I "$WORK/bound.py"
  [ "$output" = "ENETUNREACH
127.0.0.1" ]
}

@test "split: a network that is not there yet does not send its traffic to the host" {
  other=$(universe_network '{"private":true,"v4AssignMode":{"zt":true},
    "ipAssignmentPools":[{"ipRangeStart":"198.51.100.1","ipRangeEnd":"198.51.100.9"}],
    "routes":[{"target":"198.51.100.0/24"}]}')
  "$BIN/zerotier-cli" -D"$UNIVERSE/b" join "$other" >/dev/null # never authorised
  wait_for 10 test -S "$UNIVERSE/b/nc_$other"
  NETWORK=$UNIVERSE/b/nc_$other ask split tcp,198.51.100.7,7000 udp,198.51.100.7,7000
  "$BIN/zerotier-cli" -D"$UNIVERSE/b" leave "$other" >/dev/null
  [[ "$output" != *host* ]]
  [ "${lines[0]}" = ENETUNREACH ]
}

@test "deny: no internet sockets; a policy that is no policy denies as well, and says so" {
  cat >"$WORK/denied.py" <<'PY'
import socket
for family, kind in ((socket.AF_INET, socket.SOCK_STREAM), (socket.AF_INET6, socket.SOCK_DGRAM),
                     (socket.AF_PACKET, socket.SOCK_RAW)):
    try:
        socket.socket(family, kind)
        print("a socket")
    except PermissionError:
        print("denied")
a, b = socket.socketpair()
print(socket.socket(socket.AF_UNIX).family == socket.AF_UNIX, socket.gethostbyname("localhost"))
PY
  denied="denied
denied
denied
True 127.0.0.1"
  inside deny python3 -I "$WORK/denied.py"
  [ "$output" = "$denied" ]
  ZT_NC_DNS=host inside deny python3 -I "$WORK/denied.py"
  [ "$output" = "$denied" ]
  ZT_NC_DEBUG="$WORK/debug" inside Split python3 -I "$WORK/denied.py"
  [ "$output" = "$denied" ]
  grep -q 'ZT_NC_POLICY=Split is unknown (all, split, deny): nothing is allowed' "$WORK/debug"
}

@test "ZT_NC_HOST_LOOPBACK: these ports of the host's loopback, and no others" {
  export ZT_NC_HOST_LOOPBACK=7000,9
  ask all tcp,127.0.0.1,7000 tcp,127.0.0.1,7001 tcp,::1,7000 connected,127.0.0.1,7000 tcp,198.51.100.7,7000 "tcp,$IP_a,7000"
  [ "$output" = "host
ECONNREFUSED
host
host
ENETUNREACH
virtual" ]
  for list in x '7000,' ,7000 70000 7000-7001 0; do
    ZT_NC_DEBUG="$WORK/debug.list" ZT_NC_HOST_LOOPBACK=$list ask all tcp,127.0.0.1,7000
    [ "$list" = 7000, ] || [ "$output" = ECONNREFUSED ]
    [ "$list" = 7000, ] || grep -q "ZT_NC_HOST_LOOPBACK=$list is no list" "$WORK/debug.list"
  done
}

@test "ZT_NC_EXPLAIN says which of the two it was" {
  ZT_NC_EXPLAIN=1 ask split "tcp,$IP_a,7000" tcp,198.51.100.7,7000
  [ "$(grep -oE "connect\([0-9]+\) = .*: (virtual|host)" <<<"$output" | sed 's/.*: //' | tr '\n' ' ')" = "virtual host " ]
}

set_routes() { # JSON
  universe_api root POST "/controller/network/$NWID" "{\"routes\":$1}" >/dev/null
}
# b answers at an address behind the gateway: what came there was sent to the gateway's member.
has_route() { "$BIN/zerotier-cli" -D"$UNIVERSE/$1" listnetworks -j | grep -q "\"$2\""; }
lead_to_b() { # ADDRESS
  universe_api root POST "/controller/network/$NWID/member/$(universe_address b)" \
    "{\"ipAssignments\":[\"$IP_b\",\"$1\"]}" >/dev/null
}

@test "a managed route leads into the network, by its gateway" {
  serve b behind python3 -u -c '
import socket
s = socket.create_server(("0.0.0.0", 7001))
print("ready")
while True:
    c, peer = s.accept()
    c.sendall(("%s to %s" % (peer[0], c.getsockname()[0])).encode())
    c.close()'
  wait_for 10 grep -q ready "$WORK/behind.log"
  lead_to_b 198.51.100.7
  set_routes "[{\"target\":\"10.77.0.0/24\"},{\"target\":\"198.51.100.0/24\",\"via\":\"$IP_b\"}]"
  wait_for 20 has_route a 198.51.100.0/24
  wait_for 20 has_route b 198.51.100.7/24
  NETWORK=$UNIVERSE/a/nc_$NWID ask split tcp,198.51.100.7,7001
  [ "$output" = "$IP_a to 198.51.100.7" ]
}

gateway_got_it() { tcpdump -nr "$WORK/b.pcap" | grep -q "IP $IP_a.[0-9]* > 198.51.100.7.7000:"; }
is_capturing() { [ "$("$BIN/zerotier-cli" -D"$UNIVERSE/b" get "$NWID" netcon -j | jq .captures)" = "$1" ]; }

@test "with a default route in the network everything is virtual, and goes to its gateway" {
  command -v tcpdump >/dev/null || skip "tcpdump is not installed"
  set_routes "[{\"target\":\"10.77.0.0/24\"},{\"target\":\"0.0.0.0/0\",\"via\":\"$IP_b\"}]"
  wait_for 20 has_route a 0.0.0.0/0
  "$BIN/zerotier-cli" -D"$UNIVERSE/b" capture "$NWID" -w "$WORK/b.pcap" 3>&- &
  capture=$!
  wait_for 10 is_capturing 1
  NETWORK=$UNIVERSE/a/nc_$NWID ask split connected,198.51.100.7,7000
  [ "$output" = "timed out" ] # what the host has at that address does not answer
  wait_for 10 gateway_got_it
  kill -9 "$capture"
}
