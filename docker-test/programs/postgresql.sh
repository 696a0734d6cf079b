# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck shell=bash disable=SC2034,SC2154,SC2317  # read by build.sh, test.sh and inside/; they call these
PACKAGES="postgresql"
serve() {
  bin=$(echo /usr/lib/postgresql/*/bin)
  "$bin/initdb" -D /tmp/pg -A trust -U netcon --no-sync >/tmp/initdb.log
  echo "host all all 10.99.0.0/22 trust" >>/tmp/pg/pg_hba.conf
  exec "$bin/postgres" -D /tmp/pg -c listen_addresses=0.0.0.0 -c unix_socket_directories=/tmp -c fsync=off
}
check() {
  sql() { psql -X -q -At -h "$PEER" -U netcon "$@"; }
  retry sql -d postgres -c 'select 1'
  sql -d postgres -c "create table t as select i, md5(i::text) as v from generate_series(1, 200000) i"
  [ "$(sql -d postgres -c 'select host(inet_server_addr())')" = "$PEER" ]
  for i in $(seq 101); do echo 'select 1;'; done >queries
  { printf '%s\n' '\timing on'; cat queries; } | sql -d postgres | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' >samples
  latency "$(median <samples)" "101 queries"
  begin=$(now_us)
  sql -d postgres -c 'select v from t order by i' >big
  took "$(stat -c %s big)" $(($(now_us) - begin))
  # What the server computes of its own data must be what arrived.
  [ "$(sql -d postgres -c "select encode(sha256(convert_to(string_agg(v, E'\\n' order by i) || E'\\n', 'utf8')), 'hex') from t")" = \
    "$(sha256sum big | cut -d' ' -f1)" ]
  sql -d postgres -c 'copy t from stdin' <<<"$(awk 'BEGIN { for (i = 0; i < 50000; i++) print i "\tx" }')"
  [ "$(sql -d postgres -c 'select count(*) from t')" = 250000 ]
}
