#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154  # IP_x: exported by compat_up
# dnsmasq, and unbound in a chroot that forwards to it, asked by dig over UDP and TCP.

load lib.bash

setup_file() {
  compat_up
  local text
  text=$(head -c 100 /dev/zero | tr '\0' x)
  cat >"$WORK/dnsmasq.conf" <<CONF
keep-in-foreground
no-resolv
no-hosts
edns-packet-max=4096
user=dnsmasq
pid-file=$WORK/dnsmasq.pid
log-facility=-
log-queries=extra
host-record=name.compat.test,10.1.2.3,fd00::3
$(for i in $(seq 20); do echo "txt-record=long.compat.test,$i-$text"; done)
CONF
  installed dnsmasq-base && [ "$(id -u)" -eq 0 ] || return 0
  serve a dnsmasq /usr/sbin/dnsmasq -C "$WORK/dnsmasq.conf"
  wait_for 20 answers "$IP_a" name.compat.test A 10.1.2.3
}

ask() { # SERVER NAME TYPE OPTIONS...
  on b dig +short +tries=5 +timeout=2 "@$1" "${@:2}"
}
answers() { # SERVER NAME TYPE WANTED OPTIONS...
  [ "$(ask "$1" "$2" "$3" "${@:5}")" = "$4" ]
}

@test "dnsmasq answers dig: UDP and TCP, IPv4 and IPv6, long answers" {
  claim dnsmasq-base dnsmasq server "as its own user; reads interfaces and addresses by netlink; UDP and TCP, IPv4 and IPv6, EDNS and truncation, the client's address in the log"
  claim bind9-dnsutils dig client "UDP, TCP, EDNS, and TCP after a truncated answer, over IPv4 and IPv6"
  for server in "$IP_a" "$IP6_a"; do
    answers "$server" name.compat.test A 10.1.2.3
    answers "$server" name.compat.test AAAA fd00::3 +tcp
    [ "$(ask "$server" long.compat.test TXT +bufsize=512 | wc -c)" -gt 2000 ]
    [ "$(ask "$server" long.compat.test TXT +bufsize=4096 +ignore | wc -c)" -gt 2000 ]
  done
  run on b dig +bufsize=512 +ignore "@$IP_a" long.compat.test TXT
  [[ "$output" == *" tc "* ]]
  grep -q "$IP_b/[0-9]* query\[A\] name.compat.test from $IP_b" "$WORK/dnsmasq.log"
  runs_as dnsmasq dnsmasq
  off_the_host dnsmasq
}

@test "unbound, in a chroot, forwards to the other member's dnsmasq" {
  claim unbound unbound server "own user, chroot, two threads with so-reuseport; UDP and TCP on both families"
  claim unbound unbound client "forwards over UDP and TCP to another member's dnsmasq, keeps answers"
  mkdir -p "$WORK/unbound"
  chown unbound "$WORK/unbound"
  cat >"$WORK/unbound/unbound.conf" <<CONF
server:
  directory: "$WORK/unbound"
  chroot: "$WORK/unbound"
  username: "unbound"
  pidfile: ""
  use-syslog: no
  logfile: ""
  log-queries: yes
  num-threads: 2
  so-reuseport: yes
  interface: 0.0.0.0
  interface: ::0
  access-control: 10.77.0.0/24 allow
  access-control: fd77::/64 allow
  do-not-query-localhost: no
  module-config: "iterator"
  local-zone: "test." nodefault
  local-data: "own.compat.local. A 10.4.5.6"
  do-daemonize: no
forward-zone:
  name: "compat.test"
  forward-addr: $IP_a
remote-control:
  control-enable: no
CONF
  serve b unbound /usr/sbin/unbound -d -c "$WORK/unbound/unbound.conf"
  from_a() { [ "$(on a dig +short +tries=5 +timeout=2 "@$IP_b" "${@:2}")" = "$1" ]; }
  wait_for 20 from_a 10.4.5.6 own.compat.local A
  from_a 10.1.2.3 name.compat.test A
  from_a fd00::3 name.compat.test AAAA +tcp
  [ "$(on a dig +short +tcp "@$IP6_b" long.compat.test TXT | wc -c)" -gt 2000 ]
  wait_for 5 grep -q "info: $IP_a name.compat.test. A IN" "$WORK/unbound.log"
  grep -q "query\[TXT\] long.compat.test from $IP_b" "$WORK/dnsmasq.log"
  runs_as unbound unbound
  off_the_host unbound
}
