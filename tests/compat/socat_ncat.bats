#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154,SC2016  # IP_x, LARGE_SUM: exported by compat_up; expanded by socat's shell
# socat and ncat: forking servers whose children get the connection as standard input, TLS, UDP, half-close.

load lib.bash

@test "socat: TCP server that forks and executes, half-closed by the client" {
  claim socat socat server "TCP-LISTEN and TCP6-LISTEN with fork and EXEC, SOCAT_PEERADDR, TLS"
  claim socat socat client "8 MB, half-closed, answered by its SHA-256, over TCP, TCP6 and TLS"
  openssl req -x509 -newkey rsa:2048 -nodes -keyout "$WORK/key" -out "$WORK/cert" -days 2 -subj /CN=compat 2>/dev/null
  serve a socat4 socat TCP-LISTEN:9000,fork,reuseaddr SYSTEM:'sha256sum; echo $SOCAT_PEERADDR'
  serve a socat6 socat TCP6-LISTEN:9001,fork,reuseaddr,ipv6only=1 SYSTEM:sha256sum
  serve a socats socat "OPENSSL-LISTEN:9002,fork,reuseaddr,cert=$WORK/cert,key=$WORK/key,verify=0" SYSTEM:'head -c 8000000 | sha256sum'
  wait_for 15 on b socat -u OPEN:/dev/null "TCP:$IP_a:9002"
  run on b socat -t 30 - "TCP:$IP_a:9000" <"$WORK/www/large"
  [ "$output" = "$LARGE_SUM  -
$IP_b" ]
  run on b socat -t 30 - "TCP6:[$IP6_a]:9001" <"$WORK/www/large"
  [ "$output" = "$LARGE_SUM  -" ]
  run on b socat -t 30 - "OPENSSL:$IP_a:9002,verify=1,cafile=$WORK/cert,commonname=compat" <"$WORK/www/large"
  [ "$output" = "$LARGE_SUM  -" ]
  off_the_host socat4
  off_the_host socats
}

@test "socat: UDP" {
  claim socat socat server "UDP4-RECVFROM with fork"
  claim socat socat client "a datagram and its reply"
  serve a socatu socat UDP4-RECVFROM:9003,fork SYSTEM:'read -r line; echo "$line from $SOCAT_PEERADDR"'
  answered() { [ "$(echo hello | on b socat -t 1 - "UDP4:$IP_a:9003")" = "hello from $IP_b" ]; }
  wait_for 20 answered
  off_the_host socatu
}

@test "ncat: TCP, TLS and UDP, keep-open with a program for each connection" {
  claim ncat ncat server "keep-open with a shell for each connection, TLS, UDP"
  claim ncat ncat client "8 MB up by TCP and down by verified TLS, by SHA-256; a datagram"
  openssl req -x509 -newkey rsa:2048 -nodes -keyout "$WORK/nkey" -out "$WORK/ncert" -days 2 -subj "/CN=compat" 2>/dev/null
  # (Natively, too, ncat as an echo of 8 MB blocks for ever: each end writes and nobody reads.)
  serve a ncat ncat -l -k 9010 --sh-exec 'head -c 8000000 | sha256sum'
  serve a ncats ncat -l -k --ssl --ssl-cert "$WORK/ncert" --ssl-key "$WORK/nkey" 9011 --sh-exec "cat '$WORK/www/large'"
  wait_for 15 on b ncat -z "$IP_a" 9010
  wait_for 15 on b ncat -z "$IP_a" 9011
  for _ in 1 2; do
    [ "$(on b timeout 60 ncat --no-shutdown "$IP_a" 9010 <"$WORK/www/large")" = "$LARGE_SUM  -" ]
  done
  [ "$(on b timeout 60 ncat --recv-only --ssl --ssl-verify --ssl-trustfile "$WORK/ncert" --ssl-servername compat "$IP_a" 9011 | sum)" = "$LARGE_SUM" ]
  # (ncat leaves at the end of its input, before a reply to its datagram.)
  serve a ncatu ncat -l -u 9012 --recv-only
  serve a heard socat -u UDP4-RECV:9013 STDOUT
  to_ncat() { echo hello | on b socat -u - "UDP4:$IP_a:9012" && grep -q hello "$WORK/ncatu.log"; }
  from_ncat() { echo hello | on b ncat -u "$IP_a" 9013 && grep -q hello "$WORK/heard.log"; }
  wait_for 20 to_ncat
  wait_for 20 from_ncat
  off_the_host ncat
  off_the_host ncatu
}
