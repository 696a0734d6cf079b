#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154  # IP_x, LARGE_SUM: exported by compat_up
# haproxy as Debian runs it: master and worker, chroot and own user, and a reload that passes its listeners on.

load lib.bash

setup_file() {
  compat_up
  installed haproxy && [ "$(id -u)" -eq 0 ] || return 0
  mkdir -m 755 "$WORK/haproxy"
  cat >"$WORK/haproxy.cfg" <<CONF
global
  chroot /var/lib/haproxy
  user haproxy
  group haproxy
  stats socket $WORK/haproxy/admin mode 660 level admin expose-fd listeners
  log stdout format raw daemon
defaults
  log global
  mode http
  option httplog
  option forwardfor
  timeout connect 10s
  timeout client 60s
  timeout server 60s
frontend web
  bind :::80 v4v6
  default_backend members
backend members
  balance roundrobin
  option httpchk GET /index.html
  server here 127.0.0.1:8000 check inter 500
  server there $IP_b:8000 check inter 500
  server dead $IP_b:8999 check inter 500
listen steady
  bind $IP_a:82
  server here 127.0.0.1:8000
  server there $IP_b:8000
listen raw
  mode tcp
  option tcplog
  bind $IP_a:81
  server there $IP_b:8000
CONF
  http_upstream b 8000 there
  http_upstream a 8000 here
  serve a haproxy /usr/sbin/haproxy -Ws -f "$WORK/haproxy.cfg" -p "$WORK/haproxy/pid"
  wait_for 20 fetch b -o /dev/null "http://$IP_a/index.html"
}

counted() { # SERVER FIELD WANTED: of "show stat"
  local value
  value=$(echo "show stat" | socat - "UNIX-CONNECT:$WORK/haproxy/admin" |
    awk -F, -v server="$1" -v field="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == field) n = i }
      $1 == "members" && $2 == server { print $n }')
  # shellcheck disable=SC2053  # a pattern
  [[ "$value" == $3 ]]
}

@test "haproxy: balances over IPv4 and IPv6, checks its servers, forwards raw TCP" {
  claim haproxy haproxy server "master and worker, chroot, own user, one dual-stack listener, HTTP and TCP, addresses in the log"
  claim haproxy haproxy client "balancing between 127.0.0.1 and another member, health checks that see the dead one"
  wait_for 20 counted dead status DOWN
  wait_for 20 counted here status UP
  wait_for 20 counted there status UP
  for url in "http://$IP_a" "http://$IP_a" "http://[$IP6_a]" "http://[$IP6_a]" "http://$IP_a:81"; do
    [ "$(get_sum b "$url/large")" = "$LARGE_SUM" ]
  done
  counted here stot "[1-9]*"
  counted there stot "[1-9]*"
  grep -q "$IP_b:[0-9]* .*GET /large" "$WORK/haproxy.log"
  runs_as haproxy haproxy
  off_the_host haproxy
}

worker() { pgrep -P "$(cat "$WORK/haproxy.childpid")" | sort | tr '\n' ' '; }
replaced() { [ "$(worker)" != "$1" ]; }

@test "haproxy: a reload passes the listeners to a new worker and loses no request" {
  claim haproxy haproxy server "reload by USR2 under ab: listeners passed by SCM_RIGHTS, 3000 requests, none failed"
  before=$(worker)
  on b ab -q -n 3000 -c 20 "http://$IP_a:82/index.html" >"$WORK/ab" 2>&1 3>&- &
  loader=$!
  kill -USR2 "$(cat "$WORK/haproxy.childpid")"
  wait_for 20 replaced "$before"
  wait "$loader"
  grep -q '^Complete requests: *3000$' "$WORK/ab"
  grep -q '^Failed requests: *0$' "$WORK/ab"
  [ "$(get_sum b "http://$IP_a/large")" = "$LARGE_SUM" ]
  off_the_host haproxy
}
