#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154,SC2164  # IP_x, NWID: exported by universe_up; bats stops at a failing cd
# A planned restart: a successor takes over, and no program notices (decisions S10 and 200).

setup_file() {
  load lib.bash
  # A copy, so that the program can be replaced.
  COPY=$(mktemp -d "${TMPDIR:-/tmp}/netcon-restart.XXXXXX")
  chmod 755 "$COPY"
  cp -L "$TOP"/zerotier-* "$TOP"/lib*.so "$COPY/"
  cp "$TOP/tests/lib/trial.py" "$COPY/trial"
  chmod 755 "$COPY/trial"
  export COPY BIN=$COPY TRIAL_PROGRAM=$COPY/real
  cp "$COPY/zerotier-netcon-service" "$COPY/real"
  export TRIAL=none
  universe_up a b
  mkdir -p "$WORK/www"
  head -c $((256 << 20)) /dev/urandom >"$WORK/www/big"
  echo "hello" >"$WORK/www/index.html"
  nginx_conf "$WORK/nginx.conf" "$WORK/www" 80
  serve a nginx "$(command -v nginx || echo /usr/sbin/nginx)" -e "$WORK/nginx/error.log" \
    -c "$WORK/nginx.conf" -g 'daemon off;'
  serve a redis redis-server --port 6379 --bind 0.0.0.0 --protected-mode no --save '' --dir "$WORK"
  # Does not accept before it is told to; then says what it got from each.
  mkfifo "$WORK/go"
  serve a late python3 -u -c '
import os, socket, sys
s = socket.create_server(("0.0.0.0", 8004), backlog=600)
print("ready")
for line in os.fdopen(os.open(sys.argv[1], os.O_RDWR)):
    total = 0
    for i in range(int(line)):
        c, peer = s.accept()
        got = b""
        while len(got) < 6:
            piece = c.recv(6 - len(got))
            if not piece:
                break
            got += piece
        total += got == b"number"
        c.sendall(b"thanks")
        c.close()
    print("served", total)' "$WORK/go"
  wait_for 20 fetch b -o /dev/null "http://$IP_a/"
  wait_for 20 on b redis-cli -h "$IP_a" ping
  wait_for 20 grep -q ready "$WORK/late.log"
}
teardown_file() {
  load lib.bash
  universe_down
  rm -rf "$COPY"
}
setup() {
  load lib.bash
  BIN=$COPY
}
teardown() {
  cp "$COPY/real" "$COPY/new" && mv "$COPY/new" "$COPY/zerotier-netcon-service"
}

service_pid() {
  cat "$UNIVERSE/$1/zerotier-one.pid"
}

restart() {
  "$BIN/zerotier-cli" -D"$UNIVERSE/$1" restart
}

# supervisor NAME: the process that was started, the parent of the service.
supervisor() {
  awk '/^PPid:/ { print $2 }' "/proc/$(service_pid "$1")/status"
}

# trial MODE: what lies in the program's place is not what it should be.
trial() {
  cp "$COPY/trial" "$COPY/new"
  sed -i "s/os.environ\[\"TRIAL\"\]/\"$1\"/; s|os.environ\[\"TRIAL_PROGRAM\"\]|\"$COPY/real\"|" "$COPY/new"
  mv "$COPY/new" "$COPY/zerotier-netcon-service"
}

# refused PATTERN: the restart of a is, for that reason; the service that ran goes on.
refused() {
  local before
  before=$(service_pid a)
  run restart a
  echo "$output"
  [ "$status" -eq 1 ]
  [[ "$output" == *"the service that ran goes on"* ]]
  [[ "$output" =~ $1 ]]
  [ "$(service_pid a)" = "$before" ]
  [ "$(fetch b "http://$IP_a/")" = hello ]
}

@test "the successor is another process with the same supervisor, in the sandbox" {
  local before above
  before=$(service_pid a)
  above=$(supervisor a)
  run restart a
  echo "$output"
  [ "$status" -eq 0 ]
  [[ "$output" == "200 restart OK"* ]]
  echo "# $output" >&3
  [ "$(service_pid a)" != "$before" ]
  [ "$(supervisor a)" = "$above" ]
  grep -q '^Seccomp:[[:space:]]*2' "/proc/$(service_pid a)/status"
  wait_for 5 is_gone "$before"
  "$BIN/zerotier-cli" -D"$UNIVERSE/a" info
  [ "$(fetch b "http://$IP_a/")" = hello ]
}

@test "256 MiB from nginx to curl while both ends restart again and again" {
  local restarts=0 curl
  fetch b "http://$IP_a/big" --limit-rate 60M -o "$WORK/got" 2>"$WORK/curl.log" 3>&- &
  curl=$!
  while kill -0 $curl 2>/dev/null && [ $restarts -lt 24 ]; do
    restart a >"$WORK/last"
    restart b >>"$WORK/last"
    restarts=$((restarts + 2))
  done
  wait $curl || { cat "$WORK/curl.log"; false; }
  cmp "$WORK/got" "$WORK/www/big"
  [ $restarts -ge 4 ]
  echo "# $restarts restarts; $(tail -1 "$WORK/last")" >&3
}

@test "an idle connection to redis outlives restarts of both sides" {
  on b python3 - "$IP_a" "$BIN/zerotier-cli" "$UNIVERSE" <<'PY'
import socket, subprocess, sys
address, cli, universe = sys.argv[1:]
clean = {"PATH": "/usr/bin:/bin"}
c = socket.create_connection((address, 6379))
names = c.getsockname(), c.getpeername()
for side in "ababba":
    subprocess.run([cli, "-D" + universe + "/" + side, "restart"], check=True, env=clean)
    c.sendall(b"PING\r\n")
    assert c.recv(64) == b"+PONG\r\n"
    assert names == (c.getsockname(), c.getpeername())
PY
}

@test "sockets in every state: bound, listening, connecting, half closed, with options" {
  on a python3 - "$BIN/zerotier-cli" "$UNIVERSE/a" "$IP_a" "$IP_b" <<'PY'
import errno, select, socket, subprocess, sys
cli, home, mine, other = sys.argv[1:]
clean = {"PATH": "/usr/bin:/bin"}
def restart():
    subprocess.run([cli, "-D" + home, "restart"], check=True, env=clean, stdout=subprocess.DEVNULL)
fresh = socket.socket()
fresh.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 33)
bound = socket.socket()
bound.bind((mine, 4001))
listening = socket.create_server(("127.0.0.1", 4002))
peer = socket.create_connection(("127.0.0.1", 4002))
accepted, _ = listening.accept()
waiting = socket.create_connection(("127.0.0.1", 4002))  # in the queue
waiting.sendall(b"queued")
half = socket.create_connection(("127.0.0.1", 4002))
half_accepted = None
connecting = socket.socket()
connecting.setblocking(False)
assert connecting.connect_ex(("10.77.0.250", 9)) == errno.EINPROGRESS  # nobody there
refused = socket.socket()
refused.setblocking(False)
poll = select.poll()
poll.register(listening, select.POLLIN)
restart()
restart()
assert fresh.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 33
assert bound.getsockname() == (mine, 4001)
bound.listen()
try:
    socket.socket().bind((mine, 4001))
    raise SystemExit("two on one port")
except OSError as e:
    assert e.errno == errno.EADDRINUSE, e
assert poll.poll(0)
c, _ = listening.accept()
assert c.recv(6) == b"queued"
half_accepted, _ = listening.accept()
half.shutdown(socket.SHUT_WR)
assert half_accepted.recv(1) == b""
half_accepted.sendall(b"still")
assert half.recv(5) == b"still"
peer.sendall(b"direct")
restart()
assert accepted.recv(6) == b"direct"
p = select.poll()
p.register(connecting, select.POLLOUT)
assert not p.poll(0)
fresh.connect(("127.0.0.1", 4002))
listening.accept()[0].sendall(b"new")
assert fresh.recv(3) == b"new"
assert connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in (0, errno.EHOSTUNREACH)
PY
}

@test "a blocking connect() under way is answered by the successor" {
  on b python3 -u - "$IP_a" >"$WORK/blocking.log" 2>&1 3>&- <<'PY' &
import socket, sys
s = socket.socket()
print("begins")
try:
    s.connect(("10.77.0.251", 9))
except OSError as e:
    print("failed", e.errno)
s.close()
s = socket.create_connection((sys.argv[1], 80))
print("works")
PY
  local pid=$!
  wait_for 10 grep -q begins "$WORK/blocking.log"
  restart b
  wait_for 30 grep -q works "$WORK/blocking.log"
  wait $pid
  grep -q "failed 113" "$WORK/blocking.log"
}

@test "connections in the accept queue, with and without a descriptor, are accepted after it" {
  on b python3 -u - "$IP_a" >"$WORK/many.log" 2>&1 3>&- <<'PY' &
import socket, sys
all = [socket.create_connection((sys.argv[1], 8004)) for i in range(300)]
for c in all:
    c.sendall(b"number")
print("connected")
print("answers", sum(c.recv(6) == b"thanks" for c in all))
PY
  local pid=$!
  wait_for 30 grep -q connected "$WORK/many.log"
  restart a
  restart b
  restart a
  echo 300 >"$WORK/go"
  wait_for 30 grep -q "served 300" "$WORK/late.log"
  wait $pid
  grep -q "answers 300" "$WORK/many.log"
}

@test "two programs of one host talk on while their service restarts" {
  on a python3 - "$BIN/zerotier-cli" "$UNIVERSE/a" <<'PY'
import hashlib, os, socket, subprocess, sys, threading
cli, home = sys.argv[1:]
s = socket.create_server(("127.0.0.1", 4100))
sender = socket.create_connection(s.getsockname())
receiver, _ = s.accept()
stop = threading.Event()
sent, got = hashlib.sha256(), hashlib.sha256()
def send():
    block = os.urandom(65536)
    while not stop.is_set():
        sender.sendall(block)
        sent.update(block)
    sender.close()
def receive():
    while piece := receiver.recv(1 << 20):
        got.update(piece)
threads = [threading.Thread(target=f) for f in (send, receive)]
for t in threads: t.start()
for i in range(5):
    subprocess.run([cli, "-D" + home, "restart"], check=True, env={"PATH": "/usr/bin:/bin"},
                   stdout=subprocess.DEVNULL)
stop.set()
for t in threads: t.join()
assert sent.digest() == got.digest()
PY
}

@test "UDP: bound, connected, with unread datagrams and in a group" {
  mkfifo "$WORK/udp-go"
  serve a udp python3 -u -c '
import os, socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 5300))
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
             struct.pack("4s4s", socket.inet_aton("239.1.2.3"), socket.inet_aton(sys.argv[2])))
print("ready")
os.close(os.open(sys.argv[1], os.O_RDONLY))  # waits for a writer
while True:
    data, peer = s.recvfrom(2000)
    print(data.decode())
    s.sendto(b"re:" + data, peer)' "$WORK/udp-go" "$IP_a"
  wait_for 10 grep -q ready "$WORK/udp.log"
  on b python3 - "$IP_a" "$BIN/zerotier-cli" "$UNIVERSE" "$WORK/udp-go" <<'PY'
import socket, subprocess, sys
address, cli, universe, go = sys.argv[1:]
def restart(side):
    subprocess.run([cli, "-D" + universe + "/" + side, "restart"], check=True,
                   env={"PATH": "/usr/bin:/bin"}, stdout=subprocess.DEVNULL)
c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
c.connect((address, 5300))
name = c.getsockname()
redis = socket.create_connection((address, 6379))
def arrive():
    redis.sendall(b"PING\r\n")
    assert redis.recv(64) == b"+PONG\r\n"
arrive()  # the two nodes know each other again
for i in range(5):
    c.send(b"early%d" % i)
arrive()  # what was sent before has arrived
restart("b")
restart("a")
open(go, "w").close()
assert c.getsockname() == name
def ask(socket_, to, text):
    socket_.settimeout(1)
    for attempt in range(20):  # datagrams may be lost, restart or not
        socket_.sendto(text, to) if to else socket_.send(text)
        try:
            while (answer := socket_.recv(100)) != b"re:" + text:
                pass  # to an earlier one
            return True
        except TimeoutError:
            pass
for side in "abab":
    restart(side)
    assert ask(c, None, b"again" + side.encode())
group = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
assert ask(group, ("239.1.2.3", 5300), b"all")
PY
  [ "$(grep -c '^early[0-4]$' "$WORK/udp.log")" -eq 5 ]
}

@test "SIGUSR2 restarts, to the supervisor and to the service" {
  local before
  before=$(service_pid a)
  kill -USR2 "$(supervisor a)"
  wait_for 15 is_gone "$before"
  wait_for 5 "$BIN/zerotier-cli" -D"$UNIVERSE/a" info
  before=$(service_pid a)
  kill -USR2 "$before"
  wait_for 15 is_gone "$before"
  wait_for 5 fetch b -o /dev/null "http://$IP_a/"
}

@test "a program that is missing, no program, or ends at once: nothing happens but a sentence" {
  mv "$COPY/zerotier-netcon-service" "$COPY/away"
  refused "cannot be started: No such file"
  echo "no program" >"$COPY/zerotier-netcon-service"
  refused "cannot be started: Permission denied"
  printf '#!/bin/sh\nexit 3\n' >"$COPY/zerotier-netcon-service"
  chmod 755 "$COPY/zerotier-netcon-service"
  refused "ended with status 3"
  printf '#!/bin/sh\nkill -SEGV $$\n' >"$COPY/zerotier-netcon-service"
  refused "killed by signal 11"
  trial exit
  refused "(cannot be handed over|did not take over)"
  rm "$COPY/away"
}

@test "a successor that hangs or is older is given up, and connections go on" {
  on b python3 -u - "$IP_a" "$WORK/next" >"$WORK/held.log" 2>&1 3>&- <<'PY' &
import os, socket, sys
c = socket.create_connection((sys.argv[1], 6379))
print("connected")
while not os.path.exists(sys.argv[2]):
    c.sendall(b"PING\r\n")
    assert c.recv(64) == b"+PONG\r\n"
print("fine")
PY
  local pid=$!
  wait_for 10 grep -q connected "$WORK/held.log"
  trial old
  refused "is older than the one that runs"
  trial hang
  refused "in time"
  touch "$WORK/next"
  wait $pid
  grep -q fine "$WORK/held.log"
}

@test "a local.conf that would not start keeps the old one running and is named" {
  cp "$UNIVERSE/a/local.conf" "$WORK/local.conf"
  echo "{" >"$UNIVERSE/a/local.conf"
  refused "local.conf"
  cp "$WORK/local.conf" "$UNIVERSE/a/local.conf"
}

@test "another ABI of the stack: its connections are reset, listeners and short cuts stay" {
  on b python3 -u - "$IP_a" >"$WORK/reset.log" 2>&1 3>&- <<'PY' &
import socket, sys
c = socket.create_connection((sys.argv[1], 6379))
c.settimeout(30)
print("connected")
try:
    print("got", c.recv(1))
except OSError as e:
    print("error", e.errno)
PY
  local pid=$! before
  wait_for 10 grep -q connected "$WORK/reset.log"
  before=$(service_pid a)
  trial abi
  run restart a
  echo "$output"
  [ "$status" -eq 0 ]
  [[ "$output" == *" 0 connections kept, "[1-9]*" reset"* ]]
  [ "$(service_pid a)" != "$before" ]
  wait $pid
  grep -q "error 104" "$WORK/reset.log"
  wait_for 10 fetch b -o /dev/null "http://$IP_a/"
  [ "$(on b redis-cli -h "$IP_a" ping)" = PONG ]
  [ "$(on a redis-cli ping)" = PONG ]
}

@test "20 restarts leave no descriptor and no memory behind" {
  restart a
  local fds kib
  fds=$(service_fds a)
  kib=$(awk '/^VmRSS:/ { print $2 }' "/proc/$(service_pid a)/status")
  for _ in {1..20}; do restart a >"$WORK/last"; done
  echo "# descriptors $fds then $(service_fds a); VmRSS $kib then $(awk '/^VmRSS:/ { print $2 }' \
    "/proc/$(service_pid a)/status") KiB; $(cat "$WORK/last")" >&3
  [ "$(service_fds a)" -le $((fds + 2)) ]
  [ "$(awk '/^VmRSS:/ { print $2 }' "/proc/$(service_pid a)/status")" -le $((kib + 1024)) ]
  [ "$(find "/proc/$(supervisor a)/fd" -mindepth 1 | wc -l)" -le 6 ]
  [ "$(cat "/proc/$(supervisor a)/task/$(supervisor a)/children")" = "$(service_pid a) " ]
}

@test "the networks that were joined, and the controller, go on after restarts of the root" {
  restart root
  "$BIN/zerotier-cli" -D"$UNIVERSE/root" controller list | grep -q "$NWID"
  universe_api root POST "/controller/network/$NWID" '{"name":"renamed"}' >/dev/null
  restart root
  universe_api root GET "/controller/network/$NWID" | grep -q renamed
  [ "$(fetch b "http://$IP_a/")" = hello ]
}

# Start b again where it was: its peers would send to the old port for a while.
start_again() {
  "$BIN/zerotier-netcon-service" -d -p"$(cat "$UNIVERSE/b/zerotier-one.port")" "$UNIVERSE/b" 2>"$WORK/again.log" || {
    cat "$WORK/again.log"
    return 1
  }
}

@test "kill -9 of a successor ends the supervisor, and the other way round" {
  local above before
  restart b
  before=$(service_pid b)
  above=$(supervisor b)
  kill -9 "$before"
  wait_for 5 is_gone "$above"
  start_again
  wait_for 20 fetch b -o /dev/null "http://$IP_a/"
  before=$(service_pid b)
  kill -9 "$(supervisor b)"
  wait_for 5 is_gone "$before"
  start_again
  wait_for 20 fetch b -o /dev/null "http://$IP_a/"
}
