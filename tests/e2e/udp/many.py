# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Groups and broadcasts: many.py listen|send GROUP PORT. IPv4 or IPv6, or a broadcast address."""
import socket
import struct
import sys

role, group, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
v6 = ":" in group
s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(60)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
is_group = v6 or 224 <= int(group.split(".")[0]) < 240


def join():
    if v6:
        number = socket.inet_pton(socket.AF_INET6, group) + struct.pack("I", 2)
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, number)
    elif is_group:
        s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + bytes(4))


if role == "listen":
    s.bind(("", port))
    join()
    print("ready", flush=True)
    while True:
        data, peer = s.recvfrom(2000)
        print(data.decode(), peer[0], flush=True)
        s.sendto(b"answer to " + data, peer)
if not is_group:
    try:
        s.sendto(b"no", (group, port))
    except PermissionError:
        print("EACCES")
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
s.settimeout(1)
for attempt in range(30):  # the first may be lost while the network learns who listens
    try:
        s.sendto(b"question", (group, port))
        print(*s.recvfrom(2000)[0:1], flush=True)
        break
    except TimeoutError:
        pass
