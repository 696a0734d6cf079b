#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# The image's variables, and what its first process does with signals, statuses, orphans and crashes.
# usage: image.sh      (after build.sh; BASES chooses the base, default the first)
set -euo pipefail
case ${1:-} in -h | --help)
  sed -n '3,4s/^# //p' "$0"
  exit 0
  ;;
esac
# shellcheck source=docker-test/common.sh
. "$(dirname "$0")/common.sh"
IMAGE=netcon:${BASES%% *}
STATE=/var/lib/zerotier-one

# plain NAME [docker run options...] [-- arguments]: a container of the image without a network of the engine.
plain() {
  local name=$RUN-$1 options=()
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  [ $# -eq 0 ] || shift
  docker run --pull never -d --name "$name" --label "$LABEL=$RUN" --network none "${options[@]}" "$IMAGE" "$@" >/dev/null
}
in_it() { docker exec "$RUN-$1" "${@:2}"; }
is_up() { in_it "$1" zerotier-cli info; }
up() { until_ok 30 is_up "$1"; }
status_of() { timeout 90 docker wait "$RUN-$1"; }
ends_with() { # NAME STATUS
  local status
  status=$(status_of "$1")
  docker logs "$RUN-$1" 2>&1 | tail -n 5
  echo "status $status, not $2"
  [ "$status" = "$2" ]
}
# Not grep -q: it ends early, and what writes into the pipe then fails.
log_has() { docker logs "$RUN-$1" 2>&1 | grep -F -- "$2" >/dev/null; }
log_count() { docker logs "$RUN-$1" 2>&1 | grep -cF -- "$2" || true; }
node() { in_it "$1" zerotier-cli info | cut -d' ' -f3; }

# ---- variables

secrets() {
  local secret token=0123456789abcdef01234567 address
  secret=$(docker run --pull never --rm --label "$LABEL=$RUN" --network none --entrypoint zerotier-idtool "$IMAGE" generate)
  address=${secret%%:*}
  mkdir -m 755 "$WORK/secrets"
  echo "$secret" >"$WORK/secrets/identity"
  echo "$token" >"$WORK/secrets/token"
  chmod 644 "$WORK/secrets"/*
  plain files -v "$WORK/secrets:/run/secrets:ro" -e ZEROTIER_IDENTITY_SECRET_FILE=/run/secrets/identity \
    -e ZEROTIER_API_SECRET=file:/run/secrets/token
  plain values -e "ZEROTIER_IDENTITY_SECRET=$secret" -e "ZEROTIER_IDENTITY_PUBLIC=${secret%:*}" -e "ZEROTIER_API_SECRET=$token"
  for name in files values; do
    up "$name"
    claim "$name: the identity is the one given" [ "$(node "$name")" = "$address" ]
    claim "$name: the token is the one given" in_it "$name" zerotier-cli "-T$token" info
    claim "$name: another token is refused" not in_it "$name" zerotier-cli "-Twrong" info
  done
  claim "the secret is not in the service's environment by file" \
    not in_it files sh -c "tr '\\0' '\\n' </proc/1/environ | grep -F '$secret'"
  plain both -v "$WORK/secrets:/run/secrets:ro" -e ZEROTIER_API_SECRET=x -e ZEROTIER_API_SECRET_FILE=/run/secrets/token
  claim "a secret by value and by file: refused" ends_with both 2
  claim "... with a sentence" log_has both "ZEROTIER_API_SECRET and ZEROTIER_API_SECRET_FILE are both set. Keep one."
  plain nofile -e ZEROTIER_IDENTITY_SECRET_FILE=/run/secrets/none
  claim "a secret's file that is missing: refused" ends_with nofile 2
}

networks() {
  plain joins -e ZEROTIER_JOIN_NETWORKS="8056c2e21c000001 8056C2E21C000002" -e ZEROTIER_ONE_NETWORK_IDS=8056c2e21c000003 \
    -e ZTNC_NETWORK=8056c2e21c000004 -- 8056c2e21c000005 8056c2e21c000001
  up joins
  claim "networks of three variables and of arguments are joined, each once" \
    [ "$(in_it joins zerotier-cli listnetworks | awk '$3 ~ /^8056/ { print $3 }' | sort | tr '\n' ' ')" = \
    "8056c2e21c000001 8056c2e21c000002 8056c2e21c000003 8056c2e21c000004 8056c2e21c000005 " ]
  plain nonetwork -e ZEROTIER_JOIN_NETWORKS=8056c2
  claim "what is no network id is refused" ends_with nonetwork 2
}

identities() {
  local first
  plain kept
  plain ephemeral -e ZTNC_IDENTITY=ephemeral
  for name in kept ephemeral; do
    up "$name"
    first=$(node "$name")
    docker restart "$RUN-$name" >/dev/null
    up "$name"
    if [ "$name" = kept ]; then
      claim "an identity is kept over a restart" [ "$first" = "$(node "$name")" ]
    else
      claim "an ephemeral one is not" [ "$first" != "$(node "$name")" ]
    fi
  done
}

settings() {
  member "$RUN-conf" "$IMAGE" -e ZT_PRIMARY_PORT=19993 -e ZT_PORT_MAPPING_ENABLED=false -e ZT_ALLOW_TCP_FALLBACK_RELAY=no \
    -e ZT_ALLOW_MANAGEMENT_FROM=127.0.0.0/8,10.0.0.0/8 -e ZTNC_LOG_LEVEL=debug
  up conf
  in_it conf cat "$STATE/local.conf" | tr -d ' \n' >"$WORK/local.conf"
  for text in '"primaryPort":19993' '"portMappingEnabled":false' '"allowTcpFallbackRelay":false' \
    '"allowManagementFrom":["127.0.0.0/8","10.0.0.0/8"]' '"logLevel":"debug"'; do
    claim "local.conf has $text" grep -qF "$text" "$WORK/local.conf"
  done
  claim "the service listens there" in_it conf sh -c 'grep -q ":4E19 " /proc/net/udp'
}

# Whatever cannot apply, or is not known, is named once.
odd_ones() {
  local names name options=()
  names=$(sed -n 's/^X([A-Z_]*, "\([A-Z_0-9]*\)", USELESS,.*/\1/p' "$TOP/container/vars.def")
  for name in $names ZTNC_NONSENSE ZEROTIER_NONSENSE ZT_NONSENSE; do options+=(-e "$name=1"); done
  plain odd "${options[@]}" -e TZ=Europe/Berlin
  up odd
  for name in $names; do
    claim "$name is named once" [ "$(log_count odd "$name is not applicable, ignored: ")" = 1 ]
  done
  for name in ZTNC_NONSENSE ZEROTIER_NONSENSE ZT_NONSENSE; do
    claim "$name is named once" [ "$(log_count odd "$name is not a variable of this image, ignored")" = 1 ]
  done
  docker run --pull never --rm --label "$LABEL=$RUN" --network none "$IMAGE" --help >"$WORK/help"
  sed -n 's/^X([A-Z_]*, "\([A-Z_0-9]*\)",.*/\1/p' "$TOP/container/vars.def" | while read -r name; do
    grep -q "^  $name\b" "$WORK/help" || echo "$name"
  done >"$WORK/unhelped"
  claim "--help lists every variable" [ ! -s "$WORK/unhelped" ]
}

# ---- a program beside the service

program() { # NAME SCRIPT: of sh, on the run's network
  member "$RUN-$1" "$IMAGE" "${@:3}" -- sh -c "$2"
}
runs() { log_has "$1" running; }
statuses() {
  program exits 'exit 7'
  program crashes 'kill -SEGV $$'
  member "$RUN-missing" "$IMAGE" -- no-such-program
  claim "the container ends with the program's status" ends_with exits 7
  claim "... with 128 and the signal's number if one ended it" ends_with crashes 139
  claim "... with 127 if there is no such program" ends_with missing 127
  program hides 'env; exit 0' -e ZEROTIER_API_SECRET=0123456789abcdef01234567
  claim "a program that ends well" ends_with hides 0
  claim "it is on the network, by the library" log_has hides "ZT_NC_NETWORK=$STATE/nc/$NWID"
  claim "it does not inherit secrets" not log_has hides 0123456789abcdef01234567
}

# Until TERM comes; what it then says shows that it had the time to.
PATIENT='trap "echo drained; exit 3" TERM; echo running; while :; do sleep 1 & wait $!; done'
signals() {
  local begin
  program drains "$PATIENT"
  until_ok 60 runs drains
  begin=$(now_ms)
  docker stop "$RUN-drains" >/dev/null
  claim "docker stop: the program is told, and its status is the container's" ends_with drains 3
  claim "... it had the time to drain" log_has drains drained
  claim "... in less than 5 s" [ $(($(now_ms) - begin)) -lt 5000 ]
  program waits "$PATIENT" -e ZTNC_NETWORK="$PRIVATE" -e ZTNC_WAIT_ONLINE=60
  until_ok 30 in_it waits test -s "$STATE/zerotier-one.pid"
  begin=$(now_ms)
  docker stop "$RUN-waits" >/dev/null
  claim "docker stop while it waits for the network: status 143" ends_with waits 143
  claim "... in less than 5 s" [ $(($(now_ms) - begin)) -lt 5000 ]
}

orphan_of_one() { # its pid, once process 1 is its parent
  # shellcheck disable=SC2016  # expanded over there
  in_it orphans sh -c 'for f in /proc/[0-9]*; do
    [ "$(cat $f/comm 2>/dev/null)" = sleep ] && grep -q "^PPid:.1$" $f/status && tr "\0" " " <$f/cmdline | grep -q "sleep 777" &&
      echo "${f#/proc/}" && exit 0; done; exit 1'
}
zombies() { in_it orphans sh -c 'grep -l "^State:.Z" /proc/[0-9]*/status 2>/dev/null'; }
orphans() {
  program orphans 'echo running; exec sleep 1000'
  until_ok 60 runs orphans
  in_it orphans sh -c 'sleep 777 & exit 0'
  claim "process 1 is the parent of what is left over" until_ok 10 orphan_of_one
  in_it orphans sh -c "kill -KILL $(orphan_of_one)"
  claim "... and reaps it" until_ok 10 not zombies
  claim "... and goes on" is_up orphans
  docker kill "$RUN-orphans" >/dev/null
}

crashes() {
  local first
  program bereft "$PATIENT"
  until_ok 60 runs bereft
  in_it bereft sh -c "kill -KILL \$(cat $STATE/zerotier-one.pid)"
  claim "the service crashes: the container ends with status 1" ends_with bereft 1
  claim "... and says why" log_has bereft "the service ended with status 137, and the program with it"
  claim "... after the program had the time to drain" log_has bereft drained
  program late 'echo never' -e ZTNC_NETWORK="$PRIVATE" -e ZTNC_WAIT_ONLINE=2
  claim "no authorisation: it ends with status 1 after ZTNC_WAIT_ONLINE" ends_with late 1
  claim "... without having started the program" not log_has late never
  claim "... and says what is missing" log_has late "$PRIVATE"

  plain restarted --restart on-failure:3
  up restarted
  first=$(node restarted)
  in_it restarted sh -c "kill -KILL \$(cat $STATE/zerotier-one.pid)"
  claim "the service alone crashes: the engine's policy starts it again" until_ok 30 was_restarted
  up restarted
  claim "... as the same node" [ "$first" = "$(node restarted)" ]
}
was_restarted() { [ "$(docker inspect -f '{{.RestartCount}}' "$RUN-restarted")" = 1 ] && is_up restarted; }

run_begin image
secrets
networks
identities
odd_ones
universe_up "$RUN"
PRIVATE=$(docker exec "$ROOT" zerotier-cli -j controller create --name private --pool 10.98.0.1-10.98.0.254 --route 10.98.0.0/24 |
  sed -n 's/.*"nwid" *: *"\([0-9a-f]*\)".*/\1/p' | head -n 1)
settings
statuses
signals
orphans
crashes
claims_end
