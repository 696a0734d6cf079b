#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# The image under the strictest options, and a program in a container without any network.
# usage: hardened.sh      (after build.sh; BASES chooses the base, default the first)
# Says for each claim whether it holds; prints the image's size, the time to healthy and the time to stop.
set -euo pipefail
case ${1:-} in -h | --help)
  sed -n '3,5s/^# //p' "$0"
  exit 0
  ;;
esac
# shellcheck source=docker-test/common.sh
. "$(dirname "$0")/common.sh"
BASE=${BASES%% *}

image_bytes() { docker image inspect -f '{{.Size}}' "$1"; }

HARD=(--read-only --cap-drop ALL --security-opt no-new-privileges)
STATE=/var/lib/zerotier-one

# Of every base whose image is there; the first one must be.
is_built() { docker image inspect "netcon:$1" >/dev/null 2>&1; }
size() {
  local base over
  for base in $BASES; do
    [ "$base" = "$BASE" ] || is_built "$base" || continue
    over=$(($(image_bytes "netcon:$base") - $(image_bytes "debian:$base-slim")))
    awk -v b="$over" -v base="$base" 'BEGIN { printf "SIZE netcon:%s is %.1f MB over its base\n", base, b / 1e6 }'
    claim "the service's image is less than 25 MB over its base" [ "$over" -lt 25000000 ]
  done
  awk -v b="$(image_bytes "netcon-lib:$BASE")" -v base="$BASE" 'BEGIN { printf "SIZE netcon-lib:%s is %.1f MB\n", base, b / 1e6 }'
}
starts() { # the other bases; the first one's start is measured below, under the strictest options
  local base begin
  for base in $BASES; do
    if [ "$base" = "$BASE" ] || ! is_built "$base"; then continue; fi
    begin=$(now_ms)
    member "$RUN-$base" "netcon:$base"
    until_ok 30 docker exec "$RUN-$base" zerotier-cli health
    echo "START of netcon:$base to a network with an address in $(($(now_ms) - begin)) ms"
    claim "... in less than 5 s" [ $(($(now_ms) - begin)) -lt 5000 ]
    docker rm -f -v "$RUN-$base" >/dev/null
  done
}

# ---- the hardened service; its directory nc/ is a volume, the rest of its state a tmpfs
is_healthy() { [ "$(docker inspect -f '{{.State.Health.Status}}' "$1")" = healthy ]; }
service() {
  local begin
  docker volume create --label "$LABEL=$RUN" "$RUN-nc" >/dev/null
  # A new volume takes owner and mode of the image's directory; this one is made for any user of group 0.
  docker run --pull never --rm --label "$LABEL=$RUN" --user 0:0 --entrypoint install -v "$RUN-nc:/nc" "netcon:$BASE" -d -m 775 -g 0 /nc/
  begin=$(now_ms)
  member "$RUN-service" "netcon:$BASE" "${HARD[@]}" --user 12345:0 --tmpfs "$STATE" -v "$RUN-nc:$STATE/nc" \
    --health-interval 1s
  claim "read-only, no capability, no new privileges, uid 12345: the service is healthy" \
    until_ok 30 docker exec "$RUN-service" zerotier-cli health
  echo "START of netcon:$BASE to a network with an address in $(($(now_ms) - begin)) ms"
  claim "... in less than 5 s" [ $(($(now_ms) - begin)) -lt 5000 ]
  claim "the engine's own health check says so, too" until_ok 20 is_healthy "$RUN-service"
  IP=$(address_of "$RUN-service")
}
process_one() {
  claim "process 1 is the service's supervisor, no shell" \
    sh -c "[ \"\$(docker exec $RUN-service cat /proc/1/comm)\" = zt-supervisor ]"
  claim "it runs as 12345, without capabilities, with a filter of system calls" \
    sh -c "docker exec $RUN-service sh -c 'cat /proc/\$(cat $STATE/zerotier-one.pid)/status' >$WORK/status && grep -q '^Uid:.12345' $WORK/status &&
      grep -q '^CapBnd:.0*$' $WORK/status && grep -q '^NoNewPrivs:.1' $WORK/status && grep -q '^Seccomp_filters:.2' $WORK/status"
  # An orphan: its parent, started by exec, ends before it.
  docker exec "$RUN-service" sh -c 'sh -c "sleep 0.2" & exit 0'
  sleep 0.6
  claim "what is left to process 1 is reaped" \
    not docker exec "$RUN-service" sh -c 'grep -l "^State:.Z" /proc/[0-9]*/status'
}

# ---- an application container that has nothing but the directory and the library
application() {
  local lib=$WORK/libzerotierintercept.so id
  id=$(docker create --label "$LABEL=$RUN" "netcon:$BASE")
  docker cp "$id:/usr/lib/netcon/libzerotierintercept.so" "$lib" >/dev/null
  docker rm "$id" >/dev/null
  docker run --pull never -d --name "$RUN-app" --label "$LABEL=$RUN" --network none "${HARD[@]}" --user 23456:23456 --tmpfs /tmp \
    -v "$RUN-nc:/nc" -v "$lib:/lib/libzerotierintercept.so:ro" \
    -e LD_PRELOAD=/lib/libzerotierintercept.so -e "ZT_NC_NETWORK=/nc/$NWID" --entrypoint sh "netcon-test:nginx-$BASE" -c '
      export DATA=/tmp/data; LD_PRELOAD= mkdir $DATA
      LD_PRELOAD= head -c 33554432 /dev/urandom >$DATA/big; echo "welcome to the machine!" >$DATA/index.html
      printf "%s\n" "pid /tmp/pid; error_log stderr; events { } http { access_log off; client_body_temp_path /tmp/a;" \
        "proxy_temp_path /tmp/b; fastcgi_temp_path /tmp/c; uwsgi_temp_path /tmp/d; scgi_temp_path /tmp/e;" \
        "server { listen 80; root /tmp/data; location /slow/ { alias /tmp/data/; limit_rate 200k; } } }" >/tmp/nginx.conf
      exec nginx -e stderr -c /tmp/nginx.conf -g "daemon off;"' >/dev/null
  member "$RUN-peer" netcon-monitor -- "$NWID"
  address_of "$RUN-peer" >/dev/null
  claim "nginx without any network serves a peer through the mounted directory" \
    until_ok 20 in_peer curl -sS --fail --max-time 3 -o /tmp/big "http://$IP/big"
  claim "... byte for byte" sh -c "docker exec $RUN-peer test -s /tmp/big && [ \"\$(docker exec $RUN-app sha256sum /tmp/data/big | cut -d' ' -f1)\" = \
    \"\$(docker exec $RUN-peer sha256sum /tmp/big | cut -d' ' -f1)\" ]"
}
in_peer() {
  docker exec -e LD_PRELOAD=/usr/lib/netcon/libzerotierintercept.so -e "ZT_NC_NETWORK=$STATE/nc/$NWID" "$RUN-peer" "$@"
}
# What that container can reach without the library: nothing. Asked by a raw connect of bash, so that no
# program's own rules are tested; ENETUNREACH is the kernel's answer where there is no interface.
reach() { # ADDRESS PORT
  docker exec -e LD_PRELOAD= "$RUN-app" bash -c "exec 3<>/dev/tcp/$1/$2" 2>&1 || true
}
unreachable() { reach "$@" | grep -q 'Network is unreachable'; }
nothing_else() {
  local root
  root=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$ROOT")
  claim "without the library the engine's network is unreachable" unreachable "$root" 9993
  claim "... and so is the virtual network" unreachable "$IP" 80
  claim "... it has no interface but loopback" \
    sh -c "[ \"\$(docker exec -e LD_PRELOAD= $RUN-app ls /sys/class/net)\" = lo ]"
  claim "... its loopback has no listener: nginx listens on the virtual network only" \
    sh -c "docker exec -e LD_PRELOAD= $RUN-app true && ! docker exec -e LD_PRELOAD= $RUN-app grep -q ' 0A ' /proc/net/tcp /proc/net/tcp6"
  claim "with the library, an address outside of the virtual network is refused" \
    sh -c "docker exec $RUN-app true && ! docker exec $RUN-app bash -c 'exec 3<>/dev/tcp/$root/9993'"
}

# ---- the end
stopping() {
  local begin took
  # Slow by the server's will: what a slow reader still has in its buffers it reads first, as on Linux.
  in_peer curl -sS --max-time 60 -o /tmp/slow "http://$IP/slow/big" >"$WORK/slow" 2>&1 &
  local curl=$!
  until_ok 20 docker exec "$RUN-peer" test -s /tmp/slow
  begin=$(now_ms)
  docker stop "$RUN-service" >/dev/null
  took=$(($(now_ms) - begin))
  echo "STOP in $took ms"
  claim "docker stop ends in less than 5 s" [ "$took" -lt 5000 ]
  claim "... with status 0" sh -c "[ \"\$(docker inspect -f '{{.State.ExitCode}}' $RUN-service)\" = 0 ]"
  claim "the peer is told: its transfer fails" not wait "$curl"
  took=$(($(now_ms) - begin))
  echo "PEER saw its connection end $took ms after the stop: $(tr '\r\n' '  ' <"$WORK/slow" | cut -c1-120)"
  claim "a peer's connection is closed, it does not time out" [ "$took" -lt 8000 ]
}

run_begin hard
size
universe_up "$RUN"
starts
service
process_one
application
nothing_else
stopping
claims_end
