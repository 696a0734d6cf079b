#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154,SC2164  # IP_x, NWID: exported by universe_up; bats stops at a failing cd
# What the library costs in system calls: nothing after start-up for a program without sockets, nothing on
# the read and write path of one with TCP connections (issue 4, acceptance).

setup_file() {
  load lib.bash
  universe_up a b
  serve a server python3 -u -c '
import socket
s = socket.create_server(("0.0.0.0", 7000))
print("ready")
while True:
    c, _ = s.accept()
    while data := c.recv(65536):
        c.sendall(data)
    c.close()'
  wait_for 10 grep -q ready "$WORK/server.log"
}
teardown_file() {
  load lib.bash
  universe_down
}
setup() {
  load lib.bash
  command -v strace >/dev/null || skip "strace is not installed"
  strace -o /dev/null true 2>/dev/null || skip "ptrace is not allowed here"
}

# Counts of system calls as "name count" lines: those between the marks that the program makes with
# getpriority(), so start-up does not count.
between_marks() {
  awk '{ sub(/^[0-9]+ +/, ""); sub(/\(.*/, "") } $1 == "getpriority" { on = !on; next } on { n[$1]++ }
    END { for (name in n) print name, n[name] }' "$1" | sort
}

@test "a program without sockets makes the same system calls after start-up" {
  cat >"$WORK/plain.py" <<'PY'
import os, subprocess, tempfile, threading
os.getpriority(os.PRIO_PROCESS, 0)
with tempfile.TemporaryFile() as f:
    for i in range(100):
        f.write(b"x" * 5000)
        f.flush()
    os.dup2(f.fileno(), 90)
    os.close(90)
a, b = os.pipe()
os.write(b, b"pipe")
os.read(a, 4)
os.getpriority(os.PRIO_PROCESS, 0)
PY
  strace -o "$WORK/plain.without" python3 -I "$WORK/plain.py"
  LD_PRELOAD="$BIN/libzerotierintercept.so" ZT_NC_NETWORK="$UNIVERSE/b/nc_$NWID" \
    strace -o "$WORK/plain.with" python3 -I "$WORK/plain.py"
  between_marks "$WORK/plain.without" >"$WORK/plain.counts.without"
  between_marks "$WORK/plain.with" >"$WORK/plain.counts.with"
  grep -q '^write ' "$WORK/plain.counts.with" # the marks enclose something
  grep -q libzerotierintercept.so "$WORK/plain.with" # the library is there
  run grep -q libzerotierintercept.so "$WORK/plain.without"
  [ "$status" -eq 1 ]
  diff "$WORK/plain.counts.without" "$WORK/plain.counts.with"
}

# The same echo on the host's loopback without the library, and on the network with it.
@test "reading and writing a TCP connection make the same system calls" {
  cat >"$WORK/echo.py" <<'PY'
import os, select, socket, sys, threading
if sys.argv[1] == "127.0.0.1":
    s = socket.create_server(("127.0.0.1", 0))
    port = s.getsockname()[1]
    if os.fork() == 0:
        c, _ = s.accept()
        while data := c.recv(65536):
            c.sendall(data)
        os._exit(0)
else:
    port = 7000
c = socket.create_connection((sys.argv[1], port))
e = select.epoll()
e.register(c, select.EPOLLIN)
os.getpriority(os.PRIO_PROCESS, 0)
for i in range(200):
    c.send(b"ping")
    e.poll(10)
    c.recv(100)
    os.write(c.fileno(), b"pong")
    e.poll(10)
    os.read(c.fileno(), 100)
os.getpriority(os.PRIO_PROCESS, 0)
PY
  strace -o "$WORK/echo.without" python3 -I "$WORK/echo.py" 127.0.0.1
  LD_PRELOAD="$BIN/libzerotierintercept.so" ZT_NC_NETWORK="$UNIVERSE/b/nc_$NWID" \
    strace -o "$WORK/echo.with" python3 -I "$WORK/echo.py" "$IP_a"
  between_marks "$WORK/echo.without" >"$WORK/echo.counts.without"
  between_marks "$WORK/echo.with" >"$WORK/echo.counts.with"
  grep -q libzerotierintercept.so "$WORK/echo.with"
  grep -q '^sendto 200$' "$WORK/echo.counts.with"
  grep -q '^write 200$' "$WORK/echo.counts.with"
  diff "$WORK/echo.counts.without" "$WORK/echo.counts.with"
}
