# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Connections that end in every way, and datagrams.

echo.py serve PORT                 TCP and UDP: what comes in goes back; prints "ready"
echo.py storm ADDRESS PORT SEED    300 connections, each ended by what chance says
echo.py udp ADDRESS PORT SEED      200 datagrams, each asked for again until its answer is there
"""
import random
import select
import socket
import struct
import sys
import time

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() resets


def serve(port):
    tcp = socket.create_server(("0.0.0.0", port), backlog=512)
    tcp.setblocking(False)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("0.0.0.0", port))
    udp.setblocking(False)
    poll = select.epoll()
    poll.register(tcp, select.EPOLLIN)
    poll.register(udp, select.EPOLLIN)
    conns = {}
    print("ready", flush=True)
    while True:
        for fd, _ in poll.poll():
            try:
                if fd == tcp.fileno():
                    conn, _ = tcp.accept()
                    conn.settimeout(5)
                    conns[conn.fileno()] = conn
                    poll.register(conn, select.EPOLLIN)
                elif fd == udp.fileno():
                    udp.sendto(*udp.recvfrom(65536))
                else:
                    answer(poll, conns, fd)
            except OSError:
                pass  # gone between the event and now


def answer(poll, conns, fd):
    try:
        data = conns[fd].recv(65536)
        if data:
            conns[fd].sendall(data)
            return
    except OSError:
        pass
    poll.unregister(fd)
    conns.pop(fd).close()


def read_all(s, count):
    got = b""
    while len(got) < count:
        data = s.recv(65536)
        if not data:
            break
        got += data
    return got


def storm(address, rng):
    kept = []
    for _ in range(300):
        s = socket.create_connection(address, 30)
        end = rng.randrange(6)
        data = rng.randbytes(rng.randrange(1, 20000))
        if end == 0:  # nothing was ever said
            s.close()
        elif end == 1:  # a reset, perhaps with bytes under way
            s.sendall(data)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            s.close()
        elif end == 2:  # closed with the answer unread
            s.sendall(data)
            s.close()
        elif end == 3:  # left to the end of the process
            s.sendall(data)
            kept.append(s)
        else:  # half closed, and all of it comes back
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            if read_all(s, len(data)) != data or s.recv(1) != b"":
                raise ValueError("another answer")
            s.close()


def udp(address, rng):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    if rng.random() < 0.5:
        s.connect(address)
    s.settimeout(1)
    end = time.monotonic() + 40
    for i in range(200):
        data = struct.pack("I", i) + rng.randbytes(rng.randrange(0, 4000))
        while True:
            if time.monotonic() > end:
                raise TimeoutError(f"datagram {i}")
            s.sendto(data, address)
            try:
                while s.recvfrom(65536)[0] != data:
                    pass  # an answer that came twice
                break
            except TimeoutError:
                pass


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
else:
    {"storm": storm, "udp": udp}[sys.argv[1]]((sys.argv[2], int(sys.argv[3])), random.Random(int(sys.argv[4])))
