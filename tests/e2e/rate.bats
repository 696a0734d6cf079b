#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154,SC2164  # IP_x, NWID: exported by universe_up; bats stops at a failing cd
# Short connections one after the other, as fast as two services carry them: none fails, none stalls.

setup_file() {
  load lib.bash
  universe_up a b
  serve a server python3 -u -c '
import socket, sys
s = socket.create_server(("0.0.0.0", 7000), backlog=64)
while True:
    c, _ = s.accept()
    c.sendall(b"x")
    c.close()'
  wait_for 10 on b python3 -c "import socket; socket.create_connection(('$IP_a', 7000))"
}
teardown_file() {
  load lib.bash
  universe_down
}
setup() {
  load lib.bash
  # client COUNT PORT: errors and the slowest connection in seconds; PORT 0 = any.
  cat >"$WORK/client.py" <<'PY'
import errno, socket, sys, time
address, count, port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
errors, slowest = 0, 0.0
for i in range(count):
    begin = time.monotonic()
    try:
        with socket.socket() as s:
            s.settimeout(20)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if port:
                s.bind(("0.0.0.0", port))
            while True:
                try:
                    s.connect((address, 7000))
                    break
                except OSError as e: # Linux, too: the last FIN from this port is not acknowledged yet
                    if not port or e.errno != errno.EADDRNOTAVAIL or time.monotonic() - begin > 5:
                        raise
            errors += s.recv(10) != b"x" or s.recv(10) != b""
    except OSError as e:
        errors += 1
        print(i, e, file=sys.stderr)
        if errors > 20:
            break
    slowest = max(slowest, time.monotonic() - begin)
print("errors", errors, "stalled", slowest > 5)
print("slowest %.0f ms" % (slowest * 1000), file=sys.stderr)
PY
}

@test "5000 connections in a row" {
  run on b python3 "$WORK/client.py" "$IP_a" 5000 0
  [ "$status" -eq 0 ]
  [[ "$output" == *"errors 0 stalled False"* ]]
}

# The server closes first: each finds the last one's pair of ports in TIME_WAIT.
@test "1000 connections in a row from one and the same port" {
  run on b python3 "$WORK/client.py" "$IP_a" 1000 40000
  [ "$status" -eq 0 ]
  [[ "$output" == *"errors 0 stalled False"* ]]
}
