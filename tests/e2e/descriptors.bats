#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154,SC2164  # IP_x, NWID: exported by universe_up; bats stops at a failing cd
# A service that runs out of descriptors (decision S6): it pauses, says what helps, does not spin, and
# goes on when some are free again.

setup_file() {
  load lib.bash
  export UNIVERSE_RUN_a="prlimit --nofile=400:400" # 256 of them are kept in reserve
  universe_up a b
  serve a server python3 -u -c '
import select, socket
s = socket.create_server(("0.0.0.0", 7000), backlog=512)
held, poll = {}, select.poll()
poll.register(s, select.POLLIN)
print("ready")
while True:
    for fd, _ in poll.poll():
        try:  # clients that were not served leave with a reset
            if fd == s.fileno():
                c, _ = s.accept()
                held[c.fileno()] = c
                poll.register(c, select.POLLIN)
                c.sendall(b"x")
                continue
            if held[fd].recv(10):
                continue
        except OSError:
            if fd == s.fileno():
                continue
        poll.unregister(fd)
        held.pop(fd).close()'
  wait_for 10 grep -q ready "$WORK/server.log"
}
teardown_file() {
  load lib.bash
  universe_down
}
setup() {
  load lib.bash
}

cpu_ticks() {
  sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'
}

@test "300 connections to a service with room for 144: it pauses, does not spin, and recovers" {
  mkfifo "$WORK/go"
  # Opens them all and counts who is served; frees them at a word; then each of the next 200 is served.
  serve b client python3 -u -c '
import os, select, socket, sys
go = os.fdopen(os.open(sys.argv[2], os.O_RDWR))
poll, conns, served = select.poll(), {}, 0
for _ in range(300):
    c = socket.socket()
    c.setblocking(False)
    c.connect_ex((sys.argv[1], 7000))
    conns[c.fileno()] = c
    poll.register(c, select.POLLIN)
while True:
    ready = poll.poll(3000)  # nobody more is served within three seconds: that is the pause
    if not ready:
        break
    for fd, _ in ready:
        poll.unregister(fd)
        try:
            served += conns[fd].recv(10) == b"x"
        except OSError:
            pass
print("served", served)
go.readline()
for c in conns.values():
    c.close()
for i in range(200):
    with socket.create_connection((sys.argv[1], 7000), timeout=30) as c:
        assert c.recv(1) == b"x", i
print("recovered")' "$IP_a" "$WORK/go"
  wait_for 25 grep -q served "$WORK/client.log"
  local served pid before
  served=$(awk '/served/ { print $2 }' "$WORK/client.log")
  [ "$served" -ge 80 ]
  [ "$served" -lt 300 ]
  grep -q "ulimit -n" "$UNIVERSE/a/netcon.log"
  # The second is the measurement: a service that tries again and again uses a processor.
  pid=$(cat "$UNIVERSE/a/zerotier-one.pid")
  before=$(cpu_ticks "$pid")
  sleep 1
  [ $(($(cpu_ticks "$pid") - before)) -le 10 ]
  # A program of that user is told.
  run on a python3 -c 'import socket; socket.socket()'
  [[ "$output" == *"No buffer space available"* ]]
  echo >"$WORK/go"
  wait_for 40 grep -q recovered "$WORK/client.log"
}
