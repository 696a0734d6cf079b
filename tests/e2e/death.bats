#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154,SC2164  # IP_x, NWID: exported by universe_up; bats stops at a failing cd
# The service dies without a word (kill -9): programs neither spin nor hang, and go on with the next service.

setup_file() {
  load lib.bash
  universe_up a b
  mkdir -p "$WORK/www"
  echo "hello" >"$WORK/www/index.html"
  nginx_conf "$WORK/nginx.conf" "$WORK/www" 80
  # A master and two workers: the listener is in three processes and two epoll sets.
  serve a nginx "$(command -v nginx || echo /usr/sbin/nginx)" -e "$WORK/nginx/error.log" \
    -c "$WORK/nginx.conf" -g 'daemon off;'
  serve a redis redis-server --port 6379 --bind 0.0.0.0 --protected-mode no --save '' --dir "$WORK"
  cd "$WORK/www" && serve a python python3 -u -m http.server 8000
  cd "$TOP"
  serve a asyncio python3 -u -c '
import asyncio, sys
async def echo(reader, writer):
    writer.write(await reader.readline())
    await writer.drain()
async def main():
    await asyncio.start_server(echo, "0.0.0.0", 8001)
    await asyncio.Event().wait()
asyncio.run(main())'
  # A listener shared by forked processes, each with an epoll set, one of them registered twice.
  serve a shared python3 -u -c '
import os, select, socket
s = socket.create_server(("0.0.0.0", 8002))
s.setblocking(False)
t = s.dup()
os.fork()
e = select.epoll()
e.register(s, select.EPOLLIN)
e.register(t, select.EPOLLIN)
while True:
    for fd, events in e.poll():
        try:
            (s if fd == s.fileno() else t).accept()[0].close()
        except OSError:
            pass'
  if command -v node >/dev/null; then
    PORT=8081 serve a node node "$TOP/examples/httpserver.js"
    wait_for 20 fetch b -o /dev/null "http://$IP_a:8081/"
  fi
  wait_for 15 fetch b -o /dev/null "http://$IP_a/"
  wait_for 15 fetch b -o /dev/null "http://$IP_a:8000/"
  wait_for 15 on b redis-cli -h "$IP_a" ping
  wait_for 15 on b python3 -c "import socket; socket.create_connection(('$IP_a', 8001))"
  wait_for 15 on b python3 -c "import socket; socket.create_connection(('$IP_a', 8002))"
  # One program that outlives the service: says what its calls say, a line per request on stdin.
  mkfifo "$WORK/ask"
  serve a survivor python3 -u -c '
import errno, os, socket, sys
kept = socket.create_server(("0.0.0.0", 8003))
print("ready")
for line in os.fdopen(os.open(sys.argv[1], os.O_RDWR)):  # never at its end
    try:
        s = socket.create_server(("0.0.0.0", int(line)))
        print("listens", s.getsockname()[1])
        s.accept()[0].sendall(b"again\n")
    except OSError as e:
        print(errno.errorcode[e.errno])' "$WORK/ask"
  wait_for 10 grep -q ready "$WORK/survivor.log"
}
teardown_file() {
  load lib.bash
  # shellcheck disable=SC2046  # a list of numbers
  kill $(served_pids) 2>/dev/null || true # the forked ones too
  universe_down
}
setup() {
  load lib.bash
}

# served_pids: every process that `serve` started, and their children.
served_pids() {
  local pid
  # shellcheck disable=SC2013  # one number per file
  for pid in $(cat "$WORK"/*.childpid); do
    echo "$pid"
    cat "/proc/$pid/task/$pid/children" 2>/dev/null || true
  done
}

# cpu_ticks PID: user and system time, in hundredths of a second.
cpu_ticks() {
  sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'
}

# Nobody used more than a twentieth of a processor in one second. The second is the measurement, not
# a wait for something to happen.
is_everybody_quiet() {
  local pid
  declare -A before
  for pid in $(served_pids); do before[$pid]=$(cpu_ticks "$pid"); done
  sleep 1
  for pid in "${!before[@]}"; do
    if [ $(($(cpu_ticks "$pid") - before[$pid])) -gt 5 ]; then
      echo "$(tr '\0' ' ' <"/proc/$pid/cmdline") ($pid) used $(($(cpu_ticks "$pid") - before[$pid])) ticks"
      return 1
    fi
  done
}

@test "kill -9 of the service: nobody spins" {
  local pid
  pid=$(cat "$UNIVERSE/a/zerotier-one.pid")
  cp "$UNIVERSE/a/zerotier-one.port" "$WORK/port"
  kill -9 "$pid"
  wait_for 5 is_gone "$pid"
  # Programs may log and close connections first; one that spins is never quiet.
  wait_for 10 is_everybody_quiet || { is_everybody_quiet; false; }
}

@test "while it is away, socket() says ENETDOWN at once" {
  echo 9000 >"$WORK/ask" # one that runs already, and a new one
  wait_for 5 grep -q ENETDOWN "$WORK/survivor.log"
  run timeout 5 env LD_PRELOAD="$BIN/libzerotierintercept.so" ZT_NC_NETWORK="$UNIVERSE/a/nc_$NWID" \
    python3 -c 'import socket; socket.socket()'
  [ "$status" -eq 1 ]
  [[ "$output" == *"Network is down"* ]]
}

@test "the next service on the same home serves old programs and new ones" {
  # Where b knows it to be: how soon b leaves a dead path is not the question here.
  "$BIN/zerotier-netcon-service" -d -p"$(cat "$WORK/port")" "$UNIVERSE/a"
  wait_for 20 universe_ipv4 a "$NWID"
  echo 9001 >"$WORK/ask"
  wait_for 10 grep -q "listens 9001" "$WORK/survivor.log"
  run timeout 20 env LD_PRELOAD="$BIN/libzerotierintercept.so" ZT_NC_NETWORK="$UNIVERSE/b/nc_$NWID" \
    python3 -c "import socket; print(socket.create_connection(('$IP_a', 9001)).makefile().read())"
  [[ "$output" == again* ]]
  serve a second python3 -u -m http.server 8100 --directory "$WORK/www"
  wait_for 15 fetch b -o /dev/null "http://$IP_a:8100/"
  is_everybody_quiet
}
