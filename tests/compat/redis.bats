#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154  # IP_x: exported by compat_up
# redis: server, command line, benchmark, and a replica on the other member, as Debian binds it (IPv4 and IPv6).

load lib.bash

setup_file() {
  compat_up
  installed redis-server && installed redis-tools || return 0
  mkdir -p "$WORK/redis-a" "$WORK/redis-b"
  serve a redis redis-server --port 6379 --bind '*' '-::*' --protected-mode no --save '' --dir "$WORK/redis-a" \
    --enable-debug-command yes
  wait_for 15 on b redis-cli -h "$IP_a" ping
}

@test "redis-server: values, INFO, publish and subscribe" {
  claim redis-server redis-server server "IPv4 and IPv6, a value of 3 MB, CLIENT LIST with the virtual address, publish and subscribe"
  claim redis-tools redis-cli client "values by SHA-256, subscription"
  head -c 3000000 /dev/urandom >"$WORK/value"
  on b redis-cli -h "$IP_a" -x set large <"$WORK/value"
  [ "$(on b redis-cli --raw -h "$IP_a" get large | head -c -1 | sum)" = "$(sum <"$WORK/value")" ]
  [ "$(on b redis-cli --raw -h "$IP6_a" get large | head -c -1 | sum)" = "$(sum <"$WORK/value")" ]
  [[ "$(on b redis-cli -h "$IP_a" client list)" == *" addr=$IP_b:"*" laddr=$IP_a:6379 "* ]]
  serve b subscriber redis-cli --csv -h "$IP_a" subscribe news
  wait_for 10 grep -q '"subscribe","news",1' "$WORK/subscriber.log"
  [ "$(on b redis-cli -h "$IP_a" publish news hello)" = 1 ]
  wait_for 10 grep -q '"message","news","hello"' "$WORK/subscriber.log"
  off_the_host redis
}

@test "redis-benchmark: 50 clients, and pipelines" {
  claim redis-server redis-server server "redis-benchmark with 50 clients, and pipelined"
  claim redis-tools redis-benchmark client "20 000 commands of 50 clients, 100 000 in pipelines of 32"
  on b redis-cli -h "$IP_a" config resetstat
  run on b redis-benchmark -h "$IP_a" -n 10000 -c 50 -t set,get -q
  [ "$status" -eq 0 ]
  [[ "$output" != *rror* ]]
  run on b redis-benchmark -h "$IP_a" -n 50000 -c 50 -P 32 -t set,get -q
  [ "$status" -eq 0 ]
  [[ "$output" != *rror* ]]
  stats=$(on b redis-cli -h "$IP_a" info commandstats)
  # Pipelines are filled: a few more than asked for.
  for command in set get; do
    [[ "$stats" =~ cmdstat_$command:calls=6[0-9]{4},.*rejected_calls=0,failed_calls=0 ]]
  done
}

same_digest() {
  local first
  first=$(on a redis-cli -h 127.0.0.1 debug digest)
  [ -n "$first" ] && [ "$first" = "$(on b redis-cli -h 127.0.0.1 debug digest)" ]
}

@test "redis: replication to the other member, and what is written afterwards" {
  claim redis-server redis-server client "a replica: full synchronisation and the stream of writes, equal by DEBUG DIGEST; WAIT acknowledged"
  on a redis-cli flushall
  on a redis-cli debug populate 20000 key 100
  serve b replica redis-server --port 6379 --bind '*' '-::*' --protected-mode no --save '' --dir "$WORK/redis-b" \
    --enable-debug-command yes --replicaof "$IP_a" 6379
  wait_for 30 grep -q "MASTER <-> REPLICA sync: Finished with success" "$WORK/replica.log"
  wait_for 30 same_digest
  [ "$(on b redis-cli dbsize)" = 20000 ]
  on a redis-cli set after sync
  [ "$(on a redis-cli wait 1 20000)" = 1 ]
  [ "$(on b redis-cli get after)" = sync ]
  [[ "$(on a redis-cli info replication)" == *"slave0:ip=$IP_b,port=6379,state=online"* ]]
  off_the_host replica
}
