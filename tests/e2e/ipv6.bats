#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154,SC2164  # IP_x, NWID: exported by universe_up; bats stops at a failing cd
# TCP over IPv6 between two containers: addresses of every kind (pool, RFC 4193, 6PLANE, link-local), both
# families behind one socket, and ::1 that is the container's own.

setup_file() {
  load lib.bash
  export NETWORK_JSON
  NETWORK_JSON=$(dual_stack_network)
  universe_up a b
  POOL_a=$(address6 a fd77:)
  PLANE_a=$(address6 a fc)
  RFC4193_a=$(address6 a "fd${NWID:0:2}:")
  LINK_a=$(link_local6 a)
  export POOL_a PLANE_a RFC4193_a LINK_a
  mkdir "$WORK/files"
  head -c 5000000 /dev/urandom >"$WORK/files/blob"
  nginx_conf "$WORK/nginx.conf" "$WORK/files" "[::]:80"
  serve a nginx "$(command -v nginx || echo /usr/sbin/nginx)" -e "$WORK/nginx/error.log" \
    -c "$WORK/nginx.conf" -g 'daemon off;'
  wait_for 15 fetch b "http://[$POOL_a]/blob" -o /dev/null
}
teardown_file() {
  load lib.bash
  if [ -n "${WORK:-}" ]; then universe_down; fi
}
setup() {
  load lib.bash
}

@test "curl -6 fetches from nginx by pool, RFC 4193 and 6PLANE address" {
  local address
  for address in "$POOL_a" "$RFC4193_a" "$PLANE_a"; do
    fetch b "http://[$address]/blob" -6 | cmp - "$WORK/files/blob"
  done
}

@test "a link-local address works with a scope id and not without" {
  on b python3 - "$LINK_a" <<'PY'
import errno, socket, sys
s = socket.socket(socket.AF_INET6)
try:
    s.connect((sys.argv[1], 80))
    sys.exit("connected without a scope id")
except OSError as error:
    assert error.errno == errno.EINVAL, error
s.connect((sys.argv[1], 80, 0, 2))
print(s.getsockname(), s.getpeername())
assert s.getpeername()[3] == 2 and s.getsockname()[0].startswith("fe80:")
s.sendall(b"HEAD /blob HTTP/1.0\r\n\r\n")
assert b" 200 OK" in s.recv(999)
PY
}

@test "a listener on :: is reached over both families and knows from whom" {
  serve a dual python3 -u -c '
import socket
l = socket.create_server(("::", 8091), family=socket.AF_INET6, dualstack_ipv6=True)
print("up")
while True:
    c, peer = l.accept()
    c.sendall(f"{peer[0]} {c.getsockname()[0]}\n".encode())
    c.close()'
  wait_for 10 grep -q up "$WORK/dual.log"
  [ "$(on b socat -u "TCP6:[$POOL_a]:8091" -)" = "$(address6 b fd77:) $POOL_a" ]
  [ "$(on b socat -u "TCP4:$IP_a:8091" -)" = "::ffff:$IP_b ::ffff:$IP_a" ]
  [ "$(on b socat -u "TCP6:[::ffff:$IP_a]:8091" -)" = "::ffff:$IP_b ::ffff:$IP_a" ]
  [ "$(on a socat -u "TCP6:[::1]:8091" -)" = "::1 ::1" ]
  [ "$(on a socat -u "TCP4:127.0.0.1:8091" -)" = "::ffff:127.0.0.1 ::ffff:127.0.0.1" ]
}

@test "IPV6_V6ONLY keeps IPv4 out and leaves it the port" {
  serve a only python3 -u -c '
import socket
six = socket.create_server(("::", 8093), family=socket.AF_INET6)
four = socket.create_server(("0.0.0.0", 8093))
print("up")
import selectors
with selectors.DefaultSelector() as sel:
    sel.register(six, selectors.EVENT_READ, b"six\n")
    sel.register(four, selectors.EVENT_READ, b"four\n")
    while True:
        for key, _ in sel.select():
            c, peer = key.fileobj.accept()
            c.sendall(key.data)
            c.close()'
  wait_for 10 grep -q up "$WORK/only.log"
  [ "$(on b socat -u "TCP6:[$POOL_a]:8093" -)" = six ]
  [ "$(on b socat -u "TCP4:$IP_a:8093" -)" = four ]
}

@test "python's http.server --bind :: serves both" {
  serve a http python3 -u -m http.server 8092 --bind :: --directory "$WORK/files"
  wait_for 10 fetch b "http://[$POOL_a]:8092/blob" -o /dev/null
  fetch b "http://$IP_a:8092/blob" | cmp - "$WORK/files/blob"
  grep -q "^$(address6 b fd77:) " "$WORK/http.log"
  grep -q "^::ffff:$IP_b " "$WORK/http.log"
}

@test "redis on ::1 is the container's own" {
  serve a redis redis-server --port 6401 --bind ::1 --save '' --dir "$WORK"
  wait_for 10 on a redis-cli -h ::1 -p 6401 ping
  run on b timeout 10 redis-cli -h ::1 -p 6401 ping
  [ "$status" -ne 0 ]
  run on b timeout 10 redis-cli -h "$POOL_a" -p 6401 ping
  [[ "$output" == *"Connection refused"* ]]
  [ "$(on a redis-benchmark -h ::1 -p 6401 -q -n 20000 -t ping_inline | tr '\r' '\n' | grep -c 'requests per second')" -ge 1 ]
}

@test "sshd on :: is logged into over IPv6" {
  local sshd
  sshd=$(command -v sshd || echo /usr/sbin/sshd)
  [ -x "$sshd" ] && command -v ssh ssh-keygen >/dev/null || skip "openssh is not installed"
  mkdir -m 700 "$WORK/ssh"
  ssh-keygen -q -t ed25519 -N '' -f "$WORK/ssh/host"
  ssh-keygen -q -t ed25519 -N '' -f "$WORK/ssh/user"
  if [ "$(id -u)" = 0 ]; then install -d -m 755 /run/sshd; fi
  serve a sshd "$sshd" -D -e -f /dev/null -p 2222 -o "ListenAddress=::" -o "HostKey=$WORK/ssh/host" \
    -o "AuthorizedKeysFile=$WORK/ssh/user.pub" -o PidFile=none -o UsePAM=no -o StrictModes=no
  wait_for 15 grep -q "listening on :: port 2222" "$WORK/sshd.log"
  # shellcheck disable=SC2016  # expanded over there
  run on b timeout 60 ssh -6 -i "$WORK/ssh/user" -p 2222 -o StrictHostKeyChecking=no -o BatchMode=yes \
    -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR "$(id -un)@$POOL_a" 'echo "$SSH_CONNECTION"'
  [[ "$output" == "$(address6 b fd77:) "*" $POOL_a 2222" ]]
}

@test "a closed port refuses, an unknown network is unreachable, at once" {
  run on b python3 - "$POOL_a" <<'PY'
import errno, socket, sys
for host, port in (sys.argv[1], 9), ("2001:db8::1", 80), ("::1", 9):
    with socket.socket(socket.AF_INET6) as s:
        s.settimeout(20)
        try:
            s.connect((host, port))
        except OSError as error:
            print(errno.errorcode[error.errno])
PY
  [ "$output" = $'ECONNREFUSED\nENETUNREACH\nECONNREFUSED' ]
}
