# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Many connections that do nothing, and one that talks.

crowd.py serve PORT         accepts everything, echoes what it reads; prints "ready"
crowd.py ask ADDRESS PORT   does what the lines of its input say, one line of output each:
    open N        N more connections, WINDOW of them under way at a time
    talk SECONDS  one more connection: a request and its answer after the other
    touch N       a request and an answer on each of N of the idle ones, chosen at random
    close         all of them
"""
import random
import select
import socket
import sys
import time

WINDOW = 200
BACKLOG = 4096


def serve(port):
    listener = socket.create_server(("0.0.0.0", port), backlog=BACKLOG)
    listener.setblocking(False)
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    conns = {}
    print("ready", flush=True)
    while True:
        for fd, _ in poll.poll():
            if fd == listener.fileno():
                try:
                    conn, _ = listener.accept()
                except BlockingIOError:
                    continue
                conns[conn.fileno()] = conn
                poll.register(conn, select.EPOLLIN)
                continue
            data = conns[fd].recv(65536)
            if data:
                conns[fd].sendall(data)
            else:
                poll.unregister(fd)
                conns.pop(fd).close()


def connect_all(address, count):
    """`count` connections; raises what any of them failed of."""
    poll = select.epoll()
    pending, done = {}, []
    while len(done) < count:
        while len(pending) < WINDOW and len(pending) + len(done) < count:
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(address)
            pending[s.fileno()] = s
            poll.register(s, select.EPOLLOUT)
        events = poll.poll(60)
        if not events:
            raise TimeoutError(f"{len(done)} of {count} connected, then none for a minute")
        for fd, _ in events:
            s = pending.pop(fd)
            poll.unregister(fd)
            error = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, f"connection {len(done)}")
            s.setblocking(True)
            s.settimeout(60)
            done.append(s)
    return done


def exchange(s, request):
    s.sendall(request)
    got = b""
    while len(got) < len(request):
        data = s.recv(65536)
        if not data:
            raise EOFError(f"{len(got)} of {len(request)} bytes")
        got += data
    if got != request:
        raise ValueError("another answer")


def talk(address, seconds):
    rng = random.Random(1)
    count, slowest, end = 0, 0.0, time.monotonic() + seconds
    with socket.create_connection(address, 60) as s:
        while (begin := time.monotonic()) < end:
            exchange(s, rng.randbytes(rng.randrange(1, 4000)))
            slowest = max(slowest, time.monotonic() - begin)
            count += 1
    return f"{count} slowest {slowest * 1000:.1f} ms"


def ask(address):
    conns = []
    for line in sys.stdin:
        verb, *rest = line.split()
        value = int(rest[0]) if rest else 0
        begin = time.monotonic()
        said = ""
        if verb == "open":
            conns += connect_all(address, value)
        elif verb == "talk":
            said = talk(address, value)
        elif verb == "touch":
            for s in random.sample(conns, value):
                exchange(s, b"still there?")
        elif verb == "close":
            while conns:
                conns.pop().close()
        print(f"{verb} {said or value} in {time.monotonic() - begin:.2f} s", flush=True)


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
else:
    ask((sys.argv[2], int(sys.argv[3])))
