#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154  # IP_x, LARGE_SUM: exported by compat_up
# Python: http.server and urllib, asyncio streams and datagrams in both roles, a multiprocessing manager.

load lib.bash

PYTHON=/usr/bin/python3

@test "python3 -m http.server, read by urllib" {
  claim python3 "python3 (http.server, urllib)" server "python3 -m http.server on both families, 8 MB, addresses in the log"
  claim python3 "python3 (http.server, urllib)" client "urllib.request: 8 MB, a 404 and a refused connection"
  serve a http $PYTHON -u -m http.server --bind :: --directory "$WORK/www" 8000
  wait_for 15 fetch b -o /dev/null "http://$IP_a:8000/index.html"
  run on b $PYTHON - "$IP_a" "$IP6_a" <<'PY'
import errno, hashlib, sys, urllib.error, urllib.request
for host in (sys.argv[1], f"[{sys.argv[2]}]"):
    with urllib.request.urlopen(f"http://{host}:8000/large", timeout=30) as reply:
        print(hashlib.sha256(reply.read()).hexdigest())
try:
    urllib.request.urlopen(f"http://{sys.argv[1]}:8000/none", timeout=30)
except urllib.error.HTTPError as e:
    print(e.code)
try:
    urllib.request.urlopen(f"http://{sys.argv[1]}:8001/", timeout=30)
except urllib.error.URLError as e:
    print(errno.errorcode[e.reason.errno])
PY
  [ "$output" = "$LARGE_SUM
$LARGE_SUM
404
ECONNREFUSED" ]
  grep -q "^::ffff:$IP_b - .*GET /large" "$WORK/http.log"
  grep -q "^$IP6_b - .*GET /large" "$WORK/http.log"
  off_the_host http
}

@test "asyncio: streams and datagrams" {
  claim python3 "python3 (asyncio)" server "start_server and a datagram endpoint: 200 connections at once, half-closed by the client, echoed with the peer's address"
  claim python3 "python3 (asyncio)" client "open_connection 200 times at once with 64 KiB each, checked by SHA-256; 50 datagrams"
  serve a asyncio $PYTHON -u -c '
import asyncio, hashlib
async def stream(reader, writer):
    data = await reader.read(-1)
    peer = writer.get_extra_info("peername")
    writer.write((hashlib.sha256(data).hexdigest() + " " + peer[0]).encode())
    await writer.drain()
    writer.close()
class Datagrams(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport
    def datagram_received(self, data, peer):
        self.transport.sendto(data[::-1] + peer[0].encode(), peer)
async def main():
    server = await asyncio.start_server(stream, "0.0.0.0", 9000, backlog=256)
    await asyncio.get_running_loop().create_datagram_endpoint(Datagrams, ("0.0.0.0", 9000))
    print("ready")
    await server.serve_forever()
asyncio.run(main())'
  wait_for 15 grep -q ready "$WORK/asyncio.log"
  run on b $PYTHON - "$IP_a" "$IP_b" <<'PY'
import asyncio, hashlib, os, sys
server, me = sys.argv[1:]
async def one():
    data = os.urandom(65536)
    reader, writer = await asyncio.open_connection(server, 9000)
    writer.write(data)
    writer.write_eof()
    reply = (await reader.read(-1)).decode()
    writer.close()
    return reply == hashlib.sha256(data).hexdigest() + " " + me
class Asker(asyncio.DatagramProtocol):
    def __init__(self):
        self.got, self.all = set(), asyncio.get_running_loop().create_future()
    def datagram_received(self, data, peer):
        self.got.add(data)
        if len(self.got) == 50:
            self.all.set_result(True)
async def main():
    answers = await asyncio.wait_for(asyncio.gather(*(one() for _ in range(200))), 60)
    print(answers.count(True))
    transport, asker = await asyncio.get_running_loop().create_datagram_endpoint(Asker, remote_addr=(server, 9000))
    wanted = {b"%03d" % i for i in range(50)}
    deadline = asyncio.get_running_loop().time() + 20
    while len(asker.got) < 50 and asyncio.get_running_loop().time() < deadline:  # datagrams may be lost
        for data in wanted:
            transport.sendto(data)
        await asyncio.wait([asker.all], timeout=1)
    print(asker.got == {data[::-1] + me.encode() for data in wanted})
asyncio.run(main())
PY
  [ "$output" = $'200\nTrue' ]
  off_the_host asyncio
}

@test "multiprocessing: a manager on one member, used from the other" {
  claim python3 "python3 (multiprocessing)" server "a manager process, its objects reached by TCP with authentication"
  claim python3 "python3 (multiprocessing)" client "four processes that fill one remote queue and dictionary"
  serve a manager $PYTHON -u -c '
import queue
from multiprocessing.managers import BaseManager
shared = queue.Queue()
class Manager(BaseManager): pass
Manager.register("shared", callable=lambda: shared)
manager = Manager(("", 9100), b"secret")
print("ready")
manager.get_server().serve_forever()'
  wait_for 15 grep -q ready "$WORK/manager.log"
  run on b $PYTHON - "$IP_a" <<'PY'
import multiprocessing, sys
from multiprocessing.managers import BaseManager
class Manager(BaseManager): pass
Manager.register("shared")
def fill(first):
    manager = Manager((sys.argv[1], 9100), b"secret")
    manager.connect()
    shared = manager.shared()
    for i in range(first, 100, 4):
        shared.put(i)
workers = [multiprocessing.get_context("fork").Process(target=fill, args=(i,)) for i in range(4)]
for w in workers: w.start()
for w in workers: w.join()
manager = Manager((sys.argv[1], 9100), b"secret")
manager.connect()
shared = manager.shared()
print(sorted(shared.get() for _ in range(shared.qsize())) == list(range(100)))
try:
    Manager((sys.argv[1], 9100), b"wrong").connect()
except multiprocessing.AuthenticationError:
    print("refused")
PY
  [ "$output" = $'True\nrefused' ]
  off_the_host manager
}
