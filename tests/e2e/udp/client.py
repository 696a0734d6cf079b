# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Everything a client does with an echo server: client.py ADDRESS PORT."""
import array
import errno
import fcntl
import os
import select
import socket
import sys
import termios

host, port = sys.argv[1], int(sys.argv[2])
family = socket.AF_INET6 if ":" in host else socket.AF_INET
limit = 65527 if family == socket.AF_INET6 else 65507


def udp():
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(20)
    return s


def raises(number, call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        assert error.errno == number, error
        return
    raise AssertionError(f"no {errno.errorcode[number]}")


def empty(s):
    s.setblocking(False)
    raises(errno.EAGAIN, s.recv, 1)
    s.settimeout(20)


def waiting(s):
    size = array.array("i", [0])
    fcntl.ioctl(s, termios.FIONREAD, size)
    return size[0]


# What a socket says of itself.
s = udp()
assert s.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_DGRAM
assert s.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN) == family
assert s.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL) == socket.IPPROTO_UDP
assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 0
raises(errno.EOPNOTSUPP, s.listen)
s.setblocking(True)
raises(errno.EOPNOTSUPP, s.accept)
s.settimeout(20)
raises(errno.ENOTCONN, s.getpeername)
other = udp()
raises(errno.ENOTCONN, other.shutdown, socket.SHUT_RDWR)
other.setblocking(True)
assert other.recv(1) == b""  # Linux: it is shut down all the same
raises(errno.EDESTADDRREQ, s.send, b"x")
raises(errno.EDESTADDRREQ, os.write, s.fileno(), b"x")
raises(errno.EINVAL, s.sendto, b"x", (host, 0))
raises(errno.EMSGSIZE, s.sendto, b"x" * 65528, (host, port))
raises(errno.ENOPROTOOPT, s.setsockopt, socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

# Unconnected: sizes, the empty datagram, MSG_PEEK, MSG_TRUNC, FIONREAD, poll, read().
for size in (0, 1, 71, 72, 73, 1400, 2801, 9000, limit):
    data = bytes(i * 7 & 255 for i in range(size))
    assert s.sendto(data, (host, port)) == size
    got, peer = s.recvfrom(70000)
    assert got == data and peer[:2] == (host, port), (size, len(got), peer)
port_of = s.getsockname()[1]
assert port_of != 0
s.sendto(b"abcdef", (host, port))
assert select.select([s], [], [], 20)[0] == [s]
assert waiting(s) == 6
assert s.recvfrom(3, socket.MSG_PEEK)[0] == b"abc"
data, control, flags, peer = s.recvmsg(4)
assert data == b"abcd" and flags & socket.MSG_TRUNC and peer[:2] == (host, port)
empty(s)
s.sendto(b"read", (host, port))
select.select([s], [], [], 20)
assert os.read(s.fileno(), 100) == b"read"
buffers = [bytearray(3), bytearray(100), bytearray(1)]
s.sendto(b"0123456789", (host, port))
assert s.recvmsg_into(buffers)[0] == 10 and buffers[0] == b"012" and buffers[1][:7] == b"3456789"

# Connected: raw, both ways, and a destination of its own all the same.
s.connect((host, port))
assert s.getpeername()[:2] == (host, port) and s.getsockname()[1] == port_of
for size in (0, 1, 71, 72, 73, 1400, 9000, limit):
    data = bytes(i * 5 & 255 for i in range(size))
    assert s.send(data) == size
    got, peer = s.recvfrom(70000)
    assert got == data and peer[:2] == (host, port), (size, len(got), peer)
    if size:
        os.write(s.fileno(), data)
        select.select([s], [], [], 20)
        assert os.read(s.fileno(), 70000) == data
s.send(b"0123456789")
assert s.recvmsg_into(buffers)[0] == 10 and buffers[0] == b"012" and buffers[1][:7] == b"3456789"
s.sendto(b"addressed", (host, port))
assert s.recv(100) == b"addressed"

# A closed port says so to a connected socket, once, and to the one that was dissolved no more.
s.connect((host, 9))
s.send(b"nobody")
raises(errno.ECONNREFUSED, s.recv, 10)
empty(s)
s.send(b"nobody")
select.select([s], [], [], 20)
assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
empty(s)

# Connected again: the same descriptor, other peers.
s.connect((host, port))
s.send(b"again")
assert s.recvfrom(100)[0] == b"again"
os.write(s.fileno(), b"written")
select.select([s], [], [], 20)
assert os.read(s.fileno(), 100) == b"written"

# connect(AF_UNSPEC) dissolves: back to a socket without a peer.
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
assert libc.connect(s.fileno(), bytes(16), 16) == 0
raises(errno.ENOTCONN, s.getpeername)
assert s.getsockname()[1] == 0
raises(errno.EDESTADDRREQ, s.send, b"x")
s.sendto(b"free", (host, port))
assert s.recv(100) == b"free"

# TTL and TOS with each datagram, both ways.
s = udp()
if family == socket.AF_INET:
    s.setsockopt(socket.IPPROTO_IP, 12, 1)
    s.setsockopt(socket.IPPROTO_IP, 13, 1)
    want = {(0, 2): 64, (0, 1): 0}
else:
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
    want = {(41, socket.IPV6_HOPLIMIT): 64, (41, socket.IPV6_TCLASS): 0}
s.setsockopt(socket.SOL_SOCKET, socket.SO_TIMESTAMP if hasattr(socket, "SO_TIMESTAMP") else 29, 1)
for connected in False, True:
    if connected:
        s.connect((host, port))
    s.sendto(b"marks", (host, port))
    data, control, flags, peer = s.recvmsg(100, 256)
    seen = {c[:2]: int.from_bytes(c[2], "little") for c in control}
    assert data == b"marks" and all(seen.get(k) == v for k, v in want.items()), control
    assert (1, 29) in seen, "no time stamp"
    s.sendto(b"cut", (host, port))
    assert s.recvmsg(100, 8)[2] & socket.MSG_CTRUNC

# IP_MTU, and what is larger must not be cut in pieces.
if family == socket.AF_INET:
    s = udp()
    raises(errno.ENOTCONN, s.getsockopt, socket.IPPROTO_IP, 14)
    s.connect((host, port))
    mtu = s.getsockopt(socket.IPPROTO_IP, 14)
    assert 1280 <= mtu <= 65535, mtu
    s.setsockopt(socket.IPPROTO_IP, 10, 2)
    s.send(bytes(mtu - 28))
    assert len(s.recv(70000)) == mtu - 28
    if mtu < 65535:
        s.send(bytes(mtu - 27))
        raises(errno.EMSGSIZE, s.recv, 10)  # Linux: send() itself

# A descriptor that came through fork, exec and SCM_RIGHTS is the same socket.
s = udp()
s.sendto(b"before", (host, port))
assert s.recv(100) == b"before"
os.set_inheritable(s.fileno(), True)
program = f"""
import socket
s = socket.socket(fileno={s.fileno()})
s.settimeout(20)
assert s.family == {int(family)} and s.type == socket.SOCK_DGRAM, s
s.sendto(b"after exec", ({host!r}, {port}))
assert s.recvfrom(100)[0] == b"after exec"
"""
assert os.spawnvp(os.P_WAIT, sys.executable, [sys.executable, "-c", program]) == 0
left, right = socket.socketpair()
socket.send_fds(left, [b"x"], [s.fileno()])
passed = socket.socket(fileno=socket.recv_fds(right, 1, 1)[1][0])
passed.settimeout(20)
s.close()
passed.sendto(b"passed", (host, port))
assert passed.recv(100) == b"passed"
print("ok")
