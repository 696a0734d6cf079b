#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154  # IP_x: exported by compat_up
# PostgreSQL as its own user: TCP with TLS, rules by address, psql, pgbench, and a standby on the other member.

load lib.bash

setup_file() {
  compat_up
  PG=$(cd /usr/lib/postgresql 2>/dev/null && printf '%s\n' * | sort -n | tail -1)
  export PG=${PG:-15}
  export PGBIN=/usr/lib/postgresql/$PG/bin PGCONNECT_TIMEOUT=20
  installed "postgresql-$PG" && [ "$(id -u)" -eq 0 ] || return 0
  install -d -m 700 -o postgres "$WORK/pg" "$WORK/standby" "$WORK/pg-run" "$WORK/standby-run"
  setpriv --reuid=postgres --regid=postgres --init-groups "$PGBIN/initdb" -D "$WORK/pg" -A trust >"$WORK/initdb.log"
  openssl req -x509 -newkey rsa:2048 -nodes -keyout "$WORK/pg/server.key" -out "$WORK/pg/server.crt" -days 2 \
    -subj /CN=compat 2>/dev/null
  chown postgres "$WORK/pg/server.key" "$WORK/pg/server.crt"
  chmod 600 "$WORK/pg/server.key"
  cat >>"$WORK/pg/postgresql.conf" <<CONF
listen_addresses = '*'
unix_socket_directories = '$WORK/pg-run'
ssl = on
log_connections = on
log_line_prefix = '%h '
CONF
  cat >"$WORK/pg/pg_hba.conf" <<CONF
local all all trust
host all refused $IP_b/32 reject
host all all 127.0.0.1/32 trust
host all all samenet trust
host replication all $IP_b/32 trust
CONF
  serve_as postgres a postgres "$PGBIN/postgres" -D "$WORK/pg"
  wait_for 30 on b "$PGBIN/psql" -h "$IP_a" -U postgres -c 'select 1'
}

query() { # NAME HOST SQL [USER]
  on "$1" "$PGBIN/psql" -h "$2" -p "${PORT:-5432}" -U "${4:-postgres}" -d postgres -v ON_ERROR_STOP=1 -X -q -At -c "$3"
}

@test "postgres: TLS over IPv4 and IPv6, addresses, rules by address, COPY of 3 MB" {
  claim "postgresql-$PG" PostgreSQL server "as its own user, a process per connection, TLS, pg_hba rules by address and samenet, inet_client_addr()"
  claim "postgresql-client-$PG" psql client "TLS over IPv4 and IPv6, COPY of 200 000 rows both ways by SHA-256, refusal by address"
  [ "$(query b "$IP_a" 'select inet_client_addr(), inet_server_addr(), ssl from pg_stat_ssl where pid = pg_backend_pid()')" = \
    "$IP_b|$IP_a|t" ]
  [ "$(query b "$IP6_a" 'select inet_client_addr(), inet_server_addr()')" = "$IP6_b|$IP6_a" ]
  run query b "$IP_a" 'select 1' refused
  [[ "$output" == *"pg_hba.conf rejects connection for host \"$IP_b\""* ]]
  seq 200000 | sed 's/$/ a row of the table/' >"$WORK/rows"
  query b "$IP_a" 'create table rows(line text)'
  query b "$IP_a" 'copy rows from stdin' <"$WORK/rows"
  [ "$(query b "$IP_a" 'copy rows to stdout' | sum)" = "$(sum <"$WORK/rows")" ]
  grep -q "^$IP_b LOG: .*connection authorized" "$WORK/postgres.log"
  runs_as postgres postgres
  off_the_host postgres
}

@test "pgbench: ten clients, and a connection for each transaction" {
  claim "postgresql-$PG" PostgreSQL server "pgbench with 10 clients, also with a new connection for each transaction"
  claim "postgresql-client-$PG" pgbench client "2000 transactions of 10 clients in 2 threads, 200 with a connection each, none failed"
  on b "$PGBIN/pgbench" -h "$IP_a" -U postgres -q -i -s 1 postgres
  run on b "$PGBIN/pgbench" -h "$IP_a" -U postgres -c 10 -j 2 -t 200 postgres
  [ "$status" -eq 0 ]
  [[ "$output" == *"transactions actually processed: 2000/2000"* ]]
  [[ "$output" == *"number of failed transactions: 0 (0.000%)"* ]]
  run on b "$PGBIN/pgbench" -h "$IP_a" -U postgres -n -C -S -c 4 -t 50 postgres
  [[ "$output" == *"transactions actually processed: 200/200"* ]]
  [[ "$output" == *"number of failed transactions: 0 (0.000%)"* ]]
  [ "$(query a 127.0.0.1 'select count(*) from pgbench_history')" = 2000 ]
}

caught_up() { [ "$(query b 127.0.0.1 'select count(*) from late' 2>/dev/null)" = 1000 ]; }

@test "postgres: pg_basebackup, and a standby on the other member that follows" {
  claim "postgresql-$PG" PostgreSQL client "pg_basebackup and a streaming standby that follows later writes"
  as postgres b "$PGBIN/pg_basebackup" -h "$IP_a" -U postgres -D "$WORK/standby" -R -X stream -c fast
  serve_as postgres b standby "$PGBIN/postgres" -D "$WORK/standby" -c "unix_socket_directories=$WORK/standby-run"
  wait_for 30 query b 127.0.0.1 'select 1'
  query a 127.0.0.1 'create table late as select generate_series(1, 1000) as n'
  wait_for 30 caught_up
  [ "$(query a 127.0.0.1 'select client_addr, state from pg_stat_replication')" = "$IP_b|streaming" ]
  off_the_host standby
}
