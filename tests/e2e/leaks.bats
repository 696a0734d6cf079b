#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154,SC2164  # IP_x, NWID: exported by universe_up; bats stops at a failing cd
# A full cycle (start, join, serve, leave, stop) of a service built with the address, undefined and leak
# sanitizers. `make SAN=address,undefined netcon` builds it; without it this file is skipped.

setup() {
  load lib.bash
  SANITIZED=$TOP/build/address-undefined
  # make check builds it anew before this; one of an older version would not understand the library.
  if [ ! -x "$SANITIZED/zerotier-netcon-service" ] ||
    [ "$BIN/zerotier-netcon-service" -nt "$SANITIZED/zerotier-netcon-service" ]; then
    skip "no sanitized service as new as the ordinary one: make SAN=address,undefined build/address-undefined/zerotier-netcon-service"
  fi
  # Services are the sanitized ones, everything else is the ordinary build.
  BINS=$(mktemp -d "${TMPDIR:-/tmp}/netcon-leaks.XXXXXX")
  local file
  for file in zerotier-cli zerotier-idtool libzerotierintercept.so; do ln -s "$BIN/$file" "$BINS/$file"; done
  ln -s "$SANITIZED/zerotier-netcon-service" "$BINS/zerotier-netcon-service"
  export BIN=$BINS
  export SERVICE_OPTIONS=--no-sandbox # LeakSanitizer traces the process
  export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:log_path=$BINS/report
  export UBSAN_OPTIONS=print_stacktrace=1:log_path=$BINS/report
}
teardown() {
  if [ -n "${WORK:-}" ]; then universe_down; fi
  rm -rf "${BINS:-/nonexistent}"
}

@test "start, join, serve, leave, stop: no leak, no error of any sanitizer" {
  universe_up a b
  mkdir -p "$WORK/www"
  head -c 3000000 /dev/urandom >"$WORK/www/file"
  nginx_conf "$WORK/nginx.conf" "$WORK/www" 80
  serve a nginx "$(command -v nginx || echo /usr/sbin/nginx)" -e "$WORK/nginx/error.log" \
    -c "$WORK/nginx.conf" -g 'daemon off;'
  wait_for 30 fetch b -o /dev/null "http://$IP_a/file"
  local i
  for i in 1 2 3 4 5; do
    fetch b -o "$WORK/got" "http://$IP_a/file?$i"
    cmp "$WORK/got" "$WORK/www/file"
    fetch a -o "$WORK/got" "http://$IP_a/file" # the short cut
  done
  run fetch b -o /dev/null "http://$IP_a:81/" # refused
  [ "$status" -ne 0 ]
  # A connection and a listener are still there when b leaves and a stops.
  serve b open python3 -u -c "import socket; s = socket.create_connection(('$IP_a', 80)); print('open'); s.recv(1)"
  wait_for 10 grep -q open "$WORK/open.log"
  "$BIN/zerotier-cli" -D"$UNIVERSE/b" leave "$NWID"
  local name pid
  for name in b a root; do
    pid=$(cat "$UNIVERSE/$name/zerotier-one.pid")
    kill -TERM "$pid"
    wait_for 20 is_gone "$pid" # the leak check runs at its end
    rm -f "$UNIVERSE/$name/zerotier-one.pid"
  done
  if compgen -G "$BINS/report*" >/dev/null; then
    cat "$BINS"/report*
    false
  fi
}
