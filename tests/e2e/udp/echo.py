# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Echo server: echo.py ADDRESS PORT. Answers from the address that was asked (PKTINFO)."""
import socket
import sys

host, port = sys.argv[1], int(sys.argv[2])
v6 = ":" in host
s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
if v6:
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    kind = (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO)
else:
    s.setsockopt(socket.IPPROTO_IP, 8, 1)
    kind = (socket.IPPROTO_IP, 8)
s.bind((host, port))
print("ready", s.getsockname(), flush=True)
while True:
    data, control, flags, peer = s.recvmsg(70000, 256)
    info = [c for c in control if c[:2] == kind]
    assert len(info) == 1, control
    if v6:
        answer = [(*kind, info[0][2][:16] + bytes(4))]
    else:
        answer = [(*kind, bytes(4) + info[0][2][8:12] + bytes(4))]
    try:
        s.sendmsg([data], answer, 0, peer)
    except OSError as error:
        print("not answered", peer, error, flush=True)
