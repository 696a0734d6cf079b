#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154  # IP_x, LARGE_SUM: exported by compat_up
# nginx as Debian starts it: a master of root, two workers of www-data, reuseport, sendfile, and as a proxy.

load lib.bash

setup_file() {
  compat_up
  installed nginx-light || return 0
  mkdir -p "$WORK/nginx"
  cat >"$WORK/nginx.conf" <<CONF
user www-data;
# A new binary gets only what is named here.
env LD_PRELOAD;
env ZT_NC_NETWORK;
worker_processes 2;
pid $WORK/nginx/pid;
error_log $WORK/nginx/error.log;
events { worker_connections 1024; }
http {
  access_log $WORK/nginx/access.log;
  sendfile on;
  tcp_nopush on;
  client_body_temp_path $WORK/nginx/body;
  proxy_temp_path $WORK/nginx/proxy;
  fastcgi_temp_path $WORK/nginx/fastcgi;
  uwsgi_temp_path $WORK/nginx/uwsgi;
  scgi_temp_path $WORK/nginx/scgi;
  upstream far { server $IP_b:8000; keepalive 8; }
  server {
    listen 80 reuseport;
    listen [::]:80 reuseport;
    root $WORK/www;
    location = /who { return 200 "\$remote_addr \$server_addr \$server_port"; }
    location /far/ { proxy_pass http://far/; proxy_http_version 1.1; proxy_set_header Connection ""; }
    location /self/ { proxy_pass http://127.0.0.1/; }
    location /dead/ { proxy_pass http://$IP_b:8999/; }
  }
}
CONF
  daemon a nginx "$WORK/nginx/pid" /usr/sbin/nginx -e "$WORK/nginx/error.log" -c "$WORK/nginx.conf"
  wait_for 15 fetch b -o /dev/null "http://$IP_a/index.html"
}
@test "nginx serves: IPv4 and IPv6, 8 MB by sendfile, workers of www-data, the client's address in the log" {
  claim nginx-light nginx server "master and two www-data workers, reuseport, sendfile of 8 MB, IPv4 and IPv6, addresses in log and variables"
  [ "$(get_sum b "http://$IP_a/large")" = "$LARGE_SUM" ]
  [ "$(get_sum b "http://[$IP6_a]/large")" = "$LARGE_SUM" ]
  [ "$(fetch b "http://$IP_a/who")" = "$IP_b $IP_a 80" ]
  [ "$(fetch b "http://[$IP6_a]/who")" = "$IP6_b $IP6_a 80" ]
  wait_for 5 grep -q "^$IP_b - - .*GET /large .* 200 8000000 " "$WORK/nginx/access.log"
  runs_as nginx www-data
  off_the_host nginx
}

@test "nginx as a client: keep-alive proxy to the other member, to itself, and to a dead upstream" {
  claim nginx-light nginx client "proxying over keep-alive connections to another member and to 127.0.0.1, 502 for a refused upstream"
  http_upstream b 8000
  for _ in 1 2 3 4 5; do
    [ "$(get_sum b "http://$IP_a/far/large")" = "$LARGE_SUM" ]
  done
  grep -q "^$IP_a .*GET /large HTTP/1.1\" 200" "$WORK/upstream.log"
  [ "$(get_sum b "http://$IP_a/self/large")" = "$LARGE_SUM" ]
  [ "$(fetch b --no-fail -o /dev/null -w '%{http_code}' "http://$IP_a/dead/")" = 502 ]
  grep -q "connect() failed (111: Connection refused)" "$WORK/nginx/error.log"
  stop_served upstream
}

workers() { pgrep -P "$(cat "$WORK/nginx/pid")" | sort | tr '\n' ' '; }
replaced() { [ "$(workers)" != "$1" ]; }

@test "nginx: HUP replaces the workers and loses no request" {
  claim nginx-light nginx server "reload by HUP during requests"
  before=$(workers)
  seq 300 | xargs -P 4 -I{} env LD_PRELOAD="$BIN/libzerotierintercept.so" ZT_NC_NETWORK="$UNIVERSE/b/nc_$NWID" \
    curl -sS --fail --noproxy '*' --max-time 60 -o /dev/null -w '%{http_code}\n' "http://$IP_a/" >"$WORK/codes" &
  loader=$!
  wait_for 20 test -s "$WORK/codes"
  kill -HUP "$(cat "$WORK/nginx/pid")"
  wait_for 20 replaced "$before"
  wait "$loader"
  [ "$(grep -c '^200$' "$WORK/codes")" -eq 300 ]
}

@test "nginx: USR2 and QUIT replace the binary, which inherits the listening sockets" {
  claim nginx-light nginx server "binary upgrade by USR2, which inherits the listening sockets (nginx.conf says \`env LD_PRELOAD; env ZT_NC_NETWORK;\`: nginx clears the rest)"
  old=$(cat "$WORK/nginx/pid")
  kill -USR2 "$old"
  wait_for 20 test -s "$WORK/nginx/pid.oldbin"
  wait_for 20 test -s "$WORK/nginx/pid"
  new=$(cat "$WORK/nginx/pid")
  [ "$new" != "$old" ]
  adopt nginx "$WORK/nginx/pid"
  kill -QUIT "$old"
  wait_for 20 is_gone "$old"
  [ "$(get_sum b "http://$IP_a/large")" = "$LARGE_SUM" ]
  [ "$(get_sum b "http://[$IP6_a]/large")" = "$LARGE_SUM" ]
  off_the_host nginx
}
