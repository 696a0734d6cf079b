#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154,SC2164  # IP_x, NWID: exported by universe_up; bats stops at a failing cd
# A peer that resets: what it sent before is read first, then ECONNRESET; a blocked writer wakes up.

setup_file() {
  load lib.bash
  universe_up a b
  # Sends 600 000 bytes to each client, more than the client's descriptor holds, and resets once they are
  # acknowledged; says so.
  serve a server python3 -u -c '
import fcntl, socket, struct, termios, time
s = socket.create_server(("0.0.0.0", 7000))
print("ready")
while True:
    c, _ = s.accept()
    c.sendall(b"x" * 600000)
    until = time.monotonic() + 20
    while struct.unpack("i", fcntl.ioctl(c, termios.TIOCOUTQ, b"0000"))[0] and time.monotonic() < until:
        time.sleep(0.01)  # there is no event for "all acknowledged"
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()
    print("reset")'
  wait_for 10 grep -q ready "$WORK/server.log"
}
teardown_file() {
  load lib.bash
  universe_down
}
setup() {
  load lib.bash
}

@test "bytes that were acknowledged before a reset are read, then ECONNRESET" {
  run timeout 60 env LD_PRELOAD="$BIN/libzerotierintercept.so" ZT_NC_NETWORK="$UNIVERSE/b/nc_$NWID" \
    python3 - "$IP_a" "$WORK/server.log" <<'PY'
import socket, sys, time
c = socket.create_connection((sys.argv[1], 7000))
until = time.monotonic() + 30
while "reset" not in open(sys.argv[2]).read() and time.monotonic() < until:
    time.sleep(0.01)
got = 0
try:
    while True:
        piece = c.recv(65536)
        if not piece:
            print("end of file after", got)
            break
        got += len(piece)
except ConnectionResetError:
    print("reset after", got)
PY
  [ "$output" = "reset after 600000" ]
}

@test "a program that only writes learns of a reset although it does not read" {
  run timeout 60 env LD_PRELOAD="$BIN/libzerotierintercept.so" ZT_NC_NETWORK="$UNIVERSE/b/nc_$NWID" \
    python3 - "$IP_a" <<'PY'
import socket, sys
c = socket.create_connection((sys.argv[1], 7000))
c.settimeout(30)
try:
    while True:
        c.sendall(b"y" * 65536)
except (ConnectionResetError, BrokenPipeError):
    print("told")
PY
  [ "$output" = told ]
}
