#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154  # IP_x, LARGE_SUM: exported by compat_up
# lighttpd as Debian starts it: one process of www-data, both families. (Debian has no darkhttpd: decision 192.)

load lib.bash

setup_file() {
  compat_up
  mkdir -p "$WORK/lighttpd"
  chown www-data "$WORK/lighttpd"
  cat >"$WORK/lighttpd.conf" <<CONF
server.modules = ( "mod_access", "mod_accesslog", "mod_proxy" )
server.document-root = "$WORK/www"
server.upload-dirs = ( "$WORK/lighttpd" )
server.errorlog = "$WORK/lighttpd/error.log"
server.pid-file = "$WORK/lighttpd/pid"
server.username = "www-data"
server.groupname = "www-data"
server.port = 80
server.network-backend = "sendfile"
accesslog.filename = "$WORK/lighttpd/access.log"
\$SERVER["socket"] == "[::]:80" { }
\$HTTP["url"] =~ "^/far/" {
  proxy.server = ( "" => (( "host" => "$IP_b", "port" => 8000 )) )
  proxy.header = ( "map-urlpath" => ( "/far/" => "/" ) )
}
CONF
  installed lighttpd || return 0
  daemon a lighttpd "$WORK/lighttpd/pid" /usr/sbin/lighttpd -f "$WORK/lighttpd.conf"
  wait_for 15 fetch b -o /dev/null "http://$IP_a/index.html"
}

@test "lighttpd serves over IPv4 and IPv6 and keeps 20 clients happy" {
  claim lighttpd lighttpd server "a process of www-data, sendfile of 8 MB, IPv4 and IPv6, 2000 requests of 20 keep-alive clients, none failed, addresses in the log"
  [ "$(get_sum b "http://$IP_a/large")" = "$LARGE_SUM" ]
  [ "$(get_sum b "http://[$IP6_a]/large")" = "$LARGE_SUM" ]
  run on b ab -q -k -n 2000 -c 20 "http://$IP_a/index.html"
  [[ "$output" == *"Complete requests:      2000"* ]]
  [[ "$output" == *"Failed requests:        0"* ]]
  runs_as lighttpd www-data
  off_the_host lighttpd
  # The log is written when a buffer is full, or at a signal.
  kill -HUP "$(cat "$WORK/lighttpd/pid")"
  wait_for 10 grep -q "^$IP_b .*GET /large .* 200 8000000" "$WORK/lighttpd/access.log"
  wait_for 10 grep -q "^$IP6_b .*GET /large .* 200 8000000" "$WORK/lighttpd/access.log"
}

@test "lighttpd as a proxy" {
  claim lighttpd lighttpd client "mod_proxy to another member"
  http_upstream b 8000
  [ "$(get_sum b "http://$IP_a/far/large")" = "$LARGE_SUM" ]
  grep -q "^$IP_a .*GET /large" "$WORK/upstream.log"
}
