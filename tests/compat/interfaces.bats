#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154  # IP_x: exported by compat_up
# Programs that read interfaces, addresses and routes by netlink.

load lib.bash

@test "ip shows the virtual host" {
  claim iproute2 ip client "addr, link, route and route get, in text and JSON; changes are refused"
  [ "$(on b ip -j -4 addr show scope global | jq -r '.[].addr_info[].local')" = "$IP_b" ]
  on b ip -6 addr show scope global | grep -q "inet6 $IP6_b/64 scope global"
  [ "$(on b ip -j route get "$IP_a" | jq -r '.[].prefsrc')" = "$IP_b" ]
  [ "$(on b ip -j link | jq length)" = 2 ]
  run on b ip addr add 10.1.2.3/24 dev lo
  [[ "$output" == *"Operation not permitted"* ]]
}

@test "avahi-daemon announces the member's name, and answers over both families" {
  claim avahi-daemon avahi-daemon server "as its own user in its chroot, without D-Bus; announces by mDNS the addresses that it reads by netlink, over IPv4 and IPv6; answers questions"
  cat >"$WORK/avahi.conf" <<CONF
[server]
host-name=member-a
enable-dbus=no
[publish]
publish-workstation=no
CONF
  # Its files in /run have fixed names: a /run of its own.
  # shellcheck disable=SC2016  # expanded in there
  serve a avahi unshare -m sh -c 'mount -t tmpfs tmpfs /run && exec /usr/sbin/avahi-daemon -f "$1"' - "$WORK/avahi.conf"
  wait_for 20 grep -q "Server startup complete. Host name is member-a.local" "$WORK/avahi.log"
  cat >"$WORK/ask.py" <<'PY'
import socket, struct, sys
group, kind = sys.argv[1], {"A": 1, "AAAA": 28}[sys.argv[2]]
s = socket.socket(socket.AF_INET6 if ":" in group else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(1)
question = b"\x08member-a\x05local\0" + struct.pack(">HH", kind, 1)
for _ in range(10):
    s.sendto(struct.pack(">HHHHHH", 77, 0, 1, 0, 0, 0) + question, (group, 5353))
    try:
        answer = s.recv(2000)
    except TimeoutError:
        continue
    at = 12 + len(question)
    for _ in range(struct.unpack_from(">H", answer, 6)[0]):
        length = struct.unpack_from(">H", answer, at + 10)[0] # the name is a reference of two bytes
        print(socket.inet_ntop(socket.AF_INET if length == 4 else socket.AF_INET6, answer[at + 12:at + 12 + length]))
        at += 12 + length
    break
PY
  [ "$(on b python3 -I "$WORK/ask.py" 224.0.0.251 A)" = "$IP_a" ]
  on b python3 -I "$WORK/ask.py" ff02::fb AAAA | grep -qx "$IP6_a"
  runs_as avahi avahi
  off_the_host avahi
}
