# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck shell=bash disable=SC2034,SC2154,SC2317  # read by build.sh, test.sh and inside/; they call these
PACKAGES=redis-server
serve() {
  # The big file as a value, by the Unix socket, once the server is there.
  redis-server --port 6379 --bind 0.0.0.0 --protected-mode no --save '' --dir /tmp --unixsocket /tmp/redis.sock &
  until redis-cli -s /tmp/redis.sock ping >/dev/null 2>&1; do sleep 0.1; done
  redis-cli -s /tmp/redis.sock -x set big <"$DATA/big" >/dev/null
  redis-cli -s /tmp/redis.sock set ready yes >/dev/null
  wait
}
check() {
  redis() { redis-cli -h "$PEER" "$@"; }
  is_ready() { [ "$(redis get ready)" = yes ]; }
  retry is_ready
  [ "$(redis eval 'return "welcome to the machine!"' 0)" = "welcome to the machine!" ]
  redis-benchmark -h "$PEER" -c 1 -n 500 -t ping_mbulk --csv >bench
  latency "$(tail -n 1 bench | tr -d '"' | cut -d, -f5)" "500 pings"
  redis-benchmark -h "$PEER" -c 20 -n 5000 -t set,get -q
  begin=$(now_us)
  redis --raw get big >received && mv received big
  took "$(stat -c %s big)" $(($(now_us) - begin))
  truncate -s -1 big # redis-cli ends it with a newline
  sha big
}
