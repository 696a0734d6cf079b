#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154  # IP_a: exported by member_join
# bats file_tags=interop
# Programs of ours and of a zerotier-one's kernel over IPv6, by every kind of address; our answer to ICMPv6
# echo; managed routes and a default route through a zerotier-one that forwards; a narrow link behind it.

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
  for name in mid far; do ip netns del "$NS-$name" 2>/dev/null || true; done
}
teardown_file() { hosts_down; }

ipv6_of() { # NAME PREFIX: its address that begins so, without bits
  node_api "$1" GET "/network/$NWID" | tr -s ',[]"' '\n' | sed -n "s|^\($2[0-9a-f:]*\)/[0-9]*\$|\1|p" | head -n 1
}
has_ipv6() { [ -n "$(ipv6_of "$@")" ]; }
ping6_works() { at "$1" ping -6 -q -c 3 -i 0.2 -W 2 -s "$3" "$2"; }
get() { on "$1" curl -sS --fail --noproxy '*' --max-time 30 "http://[$2]:8080/$3" "${@:4}"; }

# ours on b, theirs on a, all three kinds of addresses
both_up() {
  universe_of ours ours theirs ours
  all_online
  network_make
  routes_are ''
  node_api ctl POST "/controller/network/$NWID" '{"v6AssignMode":{"rfc4193":true,"6plane":true,"zt":true},
    "ipAssignmentPools":[{"ipRangeStart":"10.99.0.1","ipRangeEnd":"10.99.0.254"},
      {"ipRangeStart":"fd00:db8:5::1","ipRangeEnd":"fd00:db8:5::ffff"}]}' >/dev/null
  local name prefix
  for name in a b; do
    member_join "$name"
    for prefix in fd00:db8:5: "fd${NWID:0:2}:" fc; do wait_for 40 has_ipv6 "$name" "$prefix"; done
  done
}

routes_are() { # JSON of more routes, each with a comma before
  node_api ctl POST "/controller/network/$NWID" \
    "{\"routes\":[{\"target\":\"10.99.0.0/24\"},{\"target\":\"fd00:db8:5::/64\"}$1]}" >/dev/null
}

@test "TCP both ways and echo by pool, RFC4193 and 6PLANE address" {
  both_up
  local prefix size name
  for name in a b; do
    serve "$name" "www-$name" "$PYTHON" -u -m http.server 8080 --bind :: --directory "$WORK/www"
  done
  for prefix in fd00:db8:5: "fd${NWID:0:2}:" fc; do
    wait_for 30 get a "$(ipv6_of b "$prefix")" '' -o /dev/null
    wait_for 30 get b "$(ipv6_of a "$prefix")" '' -o /dev/null
    [ "$(get a "$(ipv6_of b "$prefix")" big | sha256sum)" = "$SUM" ]
    [ "$(get b "$(ipv6_of a "$prefix")" big | sha256sum)" = "$SUM" ]
    for size in 56 2500; do wait_for 20 ping6_works a "$(ipv6_of b "$prefix")" "$size"; done
  done
  fetch a b big -4 | sha256sum | grep -qF "$SUM" # the same listener, by IPv4
}

@test "link-local addresses both ways" {
  both_up
  serve b www-b "$PYTHON" -u -m http.server 8080 --bind :: --directory "$WORK/www"
  serve a www-a "$PYTHON" -u -m http.server 8080 --bind :: --directory "$WORK/www"
  local link_a link_b dev
  dev=$(at a ip -o -6 addr show scope global | awk '/fd00:db8:5:/ { print $2 }')
  link_a=$(at a ip -o -6 addr show dev "$dev" scope link | awk '{ sub("/.*", "", $4); print $4 }')
  link_b=$(node_api b GET "/network/$NWID" | python3 -c '
import ipaddress, json, sys
mac = bytes.fromhex(json.load(sys.stdin)["mac"].replace(":", ""))
print(ipaddress.IPv6Address(bytes.fromhex("fe80" + "00" * 6) + bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]))')
  wait_for 30 get a "$link_b%25$dev" '' -o /dev/null
  wait_for 20 ping6_works a "$link_b%$dev" 56
  wait_for 30 on b "$PYTHON" -c '
import socket, sys
s = socket.socket(socket.AF_INET6)
s.settimeout(10)
s.connect((sys.argv[1], 8080, 0, 2))
s.sendall(b"HEAD / HTTP/1.0\r\n\r\n")
assert b" 200 " in s.recv(999)' "$link_a"
}

# a forwards to mid over a link of 1300 bytes; far is behind mid, on one of 2800, and knows nothing of it.
far_up() {
  local dev="" name
  for name in mid far; do
    ip netns add "$NS-$name"
    ip -n "$NS-$name" link set lo up
  done
  ip -n "$NS-a" link add f0 mtu 1300 type veth peer name f0 netns "$NS-mid" mtu 1300
  ip -n "$NS-mid" link add f1 mtu 2800 type veth peer name f1 netns "$NS-far" mtu 2800
  for dev in "a f0 10.111.1.1 fd00:db8:6::1" "mid f0 10.111.1.2 fd00:db8:6::2" \
    "mid f1 10.111.2.1 fd00:db8:7::1" "far f1 10.111.2.2 fd00:db8:7::2"; do
    # shellcheck disable=SC2086  # words
    set -- $dev
    ip -n "$NS-$1" addr add "$3/24" dev "$2"
    ip -n "$NS-$1" addr add "$4/64" dev "$2" nodad
    ip -n "$NS-$1" link set "$2" up
  done
  for name in a mid; do
    at "$name" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
  done
  ip -n "$NS-a" route add 10.111.2.0/24 via 10.111.1.2
  ip -n "$NS-a" route add fd00:db8:7::/64 via fd00:db8:6::2
  ip -n "$NS-mid" route add default via 10.111.1.1
  ip -n "$NS-mid" -6 route add default via fd00:db8:6::1
  ip -n "$NS-far" route add default via 10.111.2.1
  ip -n "$NS-far" -6 route add default via fd00:db8:7::1
}

has_route() { node_api b GET "/network/$NWID" | grep -qF "$1"; }

# push HOST: 8 MB from b to a sink on far; prints what it counted.
push() {
  on b "$PYTHON" - "$1" <<'PY'
import socket, sys
s = socket.create_connection((sys.argv[1], 9000), timeout=20)
s.sendall(bytes(8 << 20))
mss = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
s.shutdown(socket.SHUT_WR)
print(s.recv(99).decode(), mss)
PY
}

@test "managed routes and a default route through a member that forwards, over a narrow link" {
  both_up
  far_up
  # On far there is only the kernel.
  at far "$PYTHON" -u -c '
import socket
l = socket.create_server(("::", 9000), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    c, _ = l.accept()
    n = 0
    while data := c.recv(1 << 16):
        n += len(data)
    c.sendall(str(n).encode())
    c.close()' >"$WORK/sink.log" 2>&1 3>&- &
  echo $! >"$WORK/sink.childpid"
  run push fd00:db8:7::2
  [[ "$output" == *"Network is unreachable"* ]]
  routes_are ",{\"target\":\"fd00:db8:7::/64\",\"via\":\"$(ipv6_of a fd00:db8:5:)\"},
    {\"target\":\"10.111.2.0/24\",\"via\":\"$IP_a\"}"
  wait_for 60 has_route fd00:db8:7::
  wait_for 30 push fd00:db8:7::2
  [ "$(push fd00:db8:7::2)" = "8388608 1240" ] # 1300 less 60: cut by "packet too big"
  [ "$(push 10.111.2.2)" = "8388608 1260" ]    # ... and "fragmentation needed"
  routes_are ",{\"target\":\"::/0\",\"via\":\"$(ipv6_of a fd00:db8:5:)\"}"
  wait_for 60 has_route '"::/0"'
  [ "$(push fd00:db8:7::2)" = "8388608 1240" ]
  run push 10.111.2.2
  [[ "$output" == *"Network is unreachable"* ]]
}

@test "errors from a router end a connect at once" {
  both_up
  far_up
  routes_are ",{\"target\":\"fd00:db8::/32\",\"via\":\"$(ipv6_of a fd00:db8:5:)\"},
    {\"target\":\"10.111.0.0/16\",\"via\":\"$IP_a\"}"
  wait_for 60 has_route fd00:db8::
  at a ip -6 route add unreachable fd00:db8:8::/64
  at a ip -6 route add prohibit fd00:db8:9::/64
  at a ip route add unreachable 10.111.8.0/24
  at a ip route add prohibit 10.111.9.0/24
  run on b "$PYTHON" - <<'PY'
import errno, socket
for host in "fd00:db8:8::1", "fd00:db8:9::1", "10.111.8.1", "10.111.9.1":
    for attempt in range(3): # the first may wait for a neighbour
        try:
            socket.create_connection((host, 80), timeout=15)
        except OSError as error:
            name = errno.errorcode.get(error.errno, repr(error))
    print(name)
PY
  echo "$output"
  # Linux says 1/0 for "unreachable" of IPv6 and 3/1 of IPv4, 1/1 and 3/13 for "prohibit"
  [ "$output" = $'ENETUNREACH\nEACCES\nEHOSTUNREACH\nEHOSTUNREACH' ]
}
