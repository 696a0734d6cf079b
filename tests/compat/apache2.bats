#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154  # IP_x, LARGE_SUM: exported by compat_up
# apache2 as Debian starts it (root, children of www-data, one dual-stack socket), with both process models.

load lib.bash

setup_file() {
  compat_up
  cat >"$WORK/cgi" <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\n%s %s %s' "$REMOTE_ADDR" "$SERVER_ADDR" "$SERVER_PORT"
CGI
  chmod 755 "$WORK/cgi"
}

# apache MPM OPTIONS: start it on member a with that model.
apache() {
  mkdir -p "$WORK/$1"
  cat >"$WORK/$1.conf" <<CONF
ServerRoot /etc/apache2
ServerName compat
LoadModule mpm_$1_module /usr/lib/apache2/modules/mod_mpm_$1.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
LoadModule cgi_module /usr/lib/apache2/modules/mod_cgi.so
LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
User www-data
Group www-data
PidFile $WORK/$1/pid
DefaultRuntimeDir $WORK/$1
ErrorLog $WORK/$1/error.log
LogFormat "%a %u %t \"%r\" %>s %B" short
CustomLog $WORK/$1/access.log short
Listen 80
KeepAlive On
EnableSendfile On
$2
DocumentRoot $WORK/www
ScriptAlias /cgi $WORK/cgi
ProxyPass /far/ http://$IP_b:8000/
ProxyPass /dead/ http://$IP_b:8999/
CONF
  daemon a "$1" "$WORK/$1/pid" /usr/sbin/apache2 -f "$WORK/$1.conf" -k start
  wait_for 15 fetch b -o /dev/null "http://$IP_a/index.html"
}

serves() {
  [ "$(get_sum b "http://$IP_a/large")" = "$LARGE_SUM" ]
  [ "$(get_sum b "http://[$IP6_a]/large")" = "$LARGE_SUM" ]
  [ "$(fetch b "http://$IP_a/cgi")" = "$IP_b $IP_a 80" ]
  [ "$(fetch b "http://[$IP6_a]/cgi")" = "$IP6_b $IP6_a 80" ]
  wait_for 5 grep -q "^$IP_b - .*GET /large .* 200 8000000" "$WORK/$1/access.log"
  runs_as "$1" www-data
  off_the_host "$1"
}

resumed() {
  [ "$(grep -c "resuming normal operations" "$WORK/$1/error.log")" -ge 2 ]
}

loaded() { # ab's clients, a graceful restart in between
  on b ab -q -n 3000 -c 30 "http://$IP_a/index.html" >"$WORK/ab" 2>&1 3>&- &
  local loader=$!
  on a /usr/sbin/apache2 -f "$WORK/$1.conf" -k graceful
  wait_for 20 resumed "$1"
  wait "$loader"
  grep -q '^Complete requests: *3000$' "$WORK/ab"
  grep -q '^Failed requests: *0$' "$WORK/ab"
}

proxies() {
  http_upstream b 8000
  [ "$(get_sum b "http://$IP_a/far/large")" = "$LARGE_SUM" ]
  grep -q "^$IP_a .*GET /large" "$WORK/upstream.log"
  [ "$(fetch b --no-fail -o /dev/null -w '%{http_code}' "http://$IP_a/dead/")" = 503 ]
  stop_served upstream
}

@test "apache2 with mpm_event serves over IPv4 and IPv6" {
  claim apache2 "apache2 (event)" server "processes of www-data with threads, one dual-stack socket, sendfile of 8 MB, CGI, addresses in log and environment"
  apache event $'StartServers 2\nThreadsPerChild 25'
  serves event
}

@test "apache2 with mpm_event: graceful restart under ab" {
  claim apache2 "apache2 (event)" server "graceful restart under 30 clients without a failed request"
  claim apache2-utils ab client "3000 requests of 30 clients, none failed"
  loaded event
}

@test "apache2 with mpm_event as a proxy" {
  claim apache2 "apache2 (event)" client "mod_proxy_http to another member, 503 for a refused upstream"
  proxies
  stop_served event
}

@test "apache2 with mpm_prefork serves over IPv4 and IPv6" {
  claim apache2 "apache2 (prefork)" server "processes of www-data that take turns to accept, one dual-stack socket, sendfile of 8 MB, CGI, addresses in log and environment"
  wait_for 20 refused_at 80
  apache prefork $'StartServers 5\nMaxRequestWorkers 40'
  serves prefork
}

@test "apache2 with mpm_prefork: graceful restart under ab" {
  claim apache2 "apache2 (prefork)" server "graceful restart under 30 clients without a failed request"
  claim apache2-utils ab client "3000 requests of 30 clients, none failed"
  loaded prefork
}

@test "apache2 with mpm_prefork as a proxy" {
  claim apache2 "apache2 (prefork)" client "mod_proxy_http to another member, 503 for a refused upstream"
  proxies
}
