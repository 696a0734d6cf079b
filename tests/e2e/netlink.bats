#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154,SC2153  # IP_x, NWID: exported by universe_up
bats_require_minimum_version 1.5.0
# AF_NETLINK, NETLINK_ROUTE: iproute2 and programs like it see the virtual host. What single messages look
# like is compared with the kernel's in tests/shim/cases_netlink.c.

setup_file() {
  load lib.bash
  local n routes='{"target":"10.77.0.0/24","via":null},{"target":"fd77::/64","via":null}'
  for n in $(seq 30); do # more than one answer of the service holds
    routes+=',{"target":"172.20.'$n'.0/24","via":"10.77.0.1"}'
  done
  NETWORK_JSON=$(dual_stack_network | jq -c ".routes = [$routes]") universe_up a b
  IP6_b=$(address6 b fd77:)
  export IP6_b
}
teardown_file() {
  load lib.bash
  universe_down
}
setup() {
  load lib.bash
}

device() {
  on b python3 -Ic 'import socket; print(socket.if_indextoname(2))'
}

@test "ip addr: lo and the network's interface, as getifaddrs and ioctl say" {
  run -0 on b ip -j addr
  echo "$output" >"$WORK/addr"
  [ "$(jq -r '.[].ifname' "$WORK/addr" | tr '\n' ' ')" = "lo $(device) " ]
  [ "$(jq -r '.[1] | "\(.mtu) \(.address) \(.operstate)"' "$WORK/addr")" = \
    "2800 $("$BIN/zerotier-cli" -D"$UNIVERSE/b" get "$NWID" mac) UP" ]
  [ "$(jq -c '.[1].flags' "$WORK/addr")" = '["BROADCAST","MULTICAST","UP","LOWER_UP"]' ]
  [ "$(jq -r '.[].addr_info[] | select(.family == "inet") | "\(.local)/\(.prefixlen)"' "$WORK/addr" | tr '\n' ' ')" = \
    "127.0.0.1/8 $IP_b/24 " ]
  run -0 jq -r '.[1].addr_info[] | "\(.local)/\(.prefixlen) \(.scope)"' "$WORK/addr"
  [[ "$output" == *"$IP6_b/64 global"* ]]
  [[ "$output" == *"$(link_local6 b)/64 link"* ]]
  [ "$(on b ip -j -4 addr show dev "$(device)" | jq -r '.[].addr_info[].local')" = "$IP_b" ]
  [ "$(on b ip -j -6 addr show dev lo | jq -r '.[].addr_info[].local')" = ::1 ]
  run -1 on b ip link show dev eth0
}

@test "ip route: managed routes and the address's own; which way to an address" {
  run -0 on b ip route
  [ "${#lines[@]}" -eq 31 ]
  [[ "$output" == *"10.77.0.0/24 dev $(device) proto kernel scope link src $IP_b"* ]]
  [[ "$output" == *"172.20.30.0/24 via 10.77.0.1 dev $(device) proto static src $IP_b"* ]]
  run -0 on b ip -6 route
  [[ "$output" == *"fd77::/64 dev $(device) proto kernel"* ]]
  run -0 on b ip route get 172.20.7.9
  [[ "$output" == "172.20.7.9 via 10.77.0.1 dev $(device) src $IP_b"* ]]
  run -0 on b ip route get 10.77.0.250
  [[ "$output" == "10.77.0.250 dev $(device) src $IP_b"* ]]
  run -2 on b ip route get 198.51.100.1
  [[ "$output" == *"Network is unreachable"* ]]
  [ -z "$(on b ip neigh)$(on b ip rule)" ]
}

@test "nothing can be changed" {
  for change in "addr add 10.1.2.3/24 dev lo" "addr del $IP_b/24 dev $(device)" "link set lo down" \
    "route add 10.9.0.0/24 via 10.77.0.1" "route flush table main" "neigh add 10.77.0.9 lladdr 02:00:00:00:00:01 dev $(device)"; do
    # shellcheck disable=SC2086  # words
    run on b ip $change
    [ "$status" -ne 0 ]
    [[ "$output" == *"Operation not permitted"* ]]
  done
  [ "$(on b ip route | wc -l)" -eq 31 ]
}

@test "ZT_NC_NETLINK=host, split and deny leave netlink to the host" {
  host=$(ip -j link | jq -c '[.[].ifname]')
  [ "$(ZT_NC_NETLINK=host on b ip -j link | jq -c '[.[].ifname]')" = "$host" ]
  [ "$(ZT_NC_POLICY="split" on b ip -j link | jq -c '[.[].ifname]')" = "$host" ]
  [ "$(ZT_NC_POLICY="deny" on b ip -j link | jq -c '[.[].ifname]')" = "$host" ]
  [ "$(ZT_NC_NETLINK=vn on b ip -j link | jq length)" = 2 ]
  [ "$(ZT_NC_NETLINK=Host ZT_NC_DEBUG=$WORK/debug on b ip -j link | jq length)" = 2 ]
  grep -q "ZT_NC_NETLINK=Host is unknown (vn, host): the network's interfaces are shown" "$WORK/debug"
  # Other protocols of netlink are the host's.
  run -0 on b python3 -Ic '
import socket
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15)  # NETLINK_KOBJECT_UEVENT
s.bind((0, 1))
print(s.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL))'
  [ "$output" = 15 ]
}

@test "a socket outlives the service: without one there is lo, then all again" {
  cat >"$WORK/names.py" <<'PY'
import socket, struct, sys
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
s.bind((0, 0))
for line in open(sys.argv[1]):
    s.send(struct.pack("IHHIIB3x", 20, 18, 0x301, 7, 0, 0))
    names, done = [], False
    while not done:
        data = s.recv(65536)
        while data:
            length, kind = struct.unpack_from("IH", data)
            done |= kind == 3
            if kind == 16:
                names.append(struct.unpack_from("i", data, 20)[0])
            data = data[(length + 3) // 4 * 4:]
    print(*names, flush=True)
PY
  mkfifo "$WORK/asks"
  exec 7<>"$WORK/asks" # both ways, or each side waits for the other
  serve b names python3 -I "$WORK/names.py" "$WORK/asks"
  told() { [ "$(tail -n 1 "$WORK/names.log")" = "$1" ]; }
  told_again() { echo >&7; wait_for 5 told "$1"; }
  told_again "1 2"
  kill -9 "$(cat "$UNIVERSE/b/zerotier-one.pid")"
  told_again 1
  universe_start b
  wait_for 20 told_again "1 2"
  exec 7>&-
}

@test "ZT_NC_EXPLAIN says that it is virtual, or the host's" {
  ZT_NC_EXPLAIN=$WORK/explain on b ip -j link >"$WORK/link"
  grep -q "^.*socket() = [0-9]*: virtual" "$WORK/explain"
  grep -q "bind([0-9]*) = 0: virtual" "$WORK/explain"
  run ! grep -q ": host" "$WORK/explain"
  ZT_NC_NETLINK=host ZT_NC_EXPLAIN=$WORK/explain-host on b ip -j link >"$WORK/link"
  grep -q "socket() = [0-9]*: host, AF_NETLINK" "$WORK/explain-host"
}
