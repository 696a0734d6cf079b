#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# The examples of examples/compose and examples/swarm, as they are: a controller with its own planet, everything
# in one container, one service and programs without a network, a stack on a swarm of one node. A request passes
# in each.
# usage: examples.sh [all_in_one|sidecar|pod|swarm...]     (after build.sh; BASES chooses the base, default the first)
set -euo pipefail
case ${1:-} in -h | --help)
  sed -n '3,6s/^# //p' "$0"
  exit 0
  ;;
esac
# shellcheck source=docker-test/common.sh
. "$(dirname "$0")/common.sh"
BASE=${BASES%% *}
export NETCON_IMAGE=netcon:$BASE NETCON_LIB_IMAGE=netcon-lib:$BASE

# compose EXAMPLE ARGUMENTS...: with our label on everything, by a second file.
compose() {
  local example=$1
  shift
  docker-compose -p "$RUN-$example" --project-directory "$TOP/examples/compose/$example" \
    -f "$TOP/examples/compose/$example/compose.yaml" -f "$WORK/$example.yaml" "$@"
}
# labelled EXAMPLE "SERVICES" "VOLUMES" NETWORK: that file; NETWORK is the text of the default network.
labelled() {
  local word
  {
    echo "services:"
    for word in $2; do printf '  %s:\n    labels: {"%s": "%s"}\n' "$word" "$LABEL" "$RUN"; done
    echo "volumes:"
    for word in $3; do printf '  %s:\n    labels: {"%s": "%s"}\n' "$word" "$LABEL" "$RUN"; done
    printf 'networks:\n  default: %s\n' "$4"
  } >"$WORK/$1.yaml"
}
healthy() { # EXAMPLE SERVICE
  [ "$(docker inspect -f '{{.State.Health.Status}}' "$(compose "$1" ps -q "$2")")" = healthy ]
}
served() { grep -q "^200 $SIZE bytes" "$1"; } # FILE with what a client printed

controller() {
  export UNIVERSE=$RUN-net
  # A second file replaces a network as a whole: the same, without a way out, and ours.
  labelled controller controller controller "{name: $UNIVERSE, internal: true, labels: {\"$LABEL\": \"$RUN\"},
    ipam: {config: [{subnet: 172.31.93.0/24}]}}"
  labelled all-in-one "web client" web "{external: true, name: $UNIVERSE}" # its client asks in other steps, too
  claim "controller: docker-compose up" compose controller up -d
  claim "controller: healthy" until_ok 30 healthy controller controller
  NWID=$(compose controller exec -T controller zerotier-cli -j controller create --name examples --public \
    --pool 10.147.17.1-10.147.17.254 --route 10.147.17.0/24 | sed -n 's/.*"nwid" *: *"\([0-9a-f]*\)".*/\1/p' | head -n 1)
  export NWID PLANET=$WORK/planet
  compose controller exec -T controller cat /var/lib/zerotier-one/planet >"$PLANET"
  chmod 644 "$PLANET"
  claim "controller: a network and a planet" [ "${#NWID}:$(head -c 1 "$PLANET" | od -An -tu1 | tr -d ' ')" = 16:1 ]
  before=$(sha256sum <"$PLANET")
  compose controller restart >/dev/null 2>&1
  claim "controller: healthy after a restart" until_ok 30 healthy controller controller
  compose controller exec -T controller cat /var/lib/zerotier-one/planet >"$WORK/planet.after"
  claim "controller: its planet is the same" [ "$before" = "$(sha256sum <"$WORK/planet.after")" ]
}

address() { # EXAMPLE SERVICE
  compose "$1" exec -T "$2" zerotier-cli wait "$NWID" --timeout 60 >/dev/null
  compose "$1" exec -T "$2" zerotier-cli get "$NWID" ip4 | sed 's/.* //; s,/.*,,' | tr -d '\r' | head -n 1
}
ask() { # ADDRESS: by the client of the all-in-one example
  WEB_ADDRESS=$1 compose all-in-one run --rm client >"$WORK/client.log" 2>&1 && served "$WORK/client.log"
}
all_in_one() {
  export APP_IMAGE=netcon-all-in-one:$BASE
  claim "all-in-one: docker-compose up" compose all-in-one up -d --no-build web
  claim "all-in-one: healthy" until_ok 30 healthy all-in-one web
  local ip
  ip=$(address all-in-one web)
  claim "all-in-one: one container's program is served by the other's" until_ok 30 ask "$ip"
}

alone() { # CONTAINER: no interface but loopback
  [ "$(docker exec -e LD_PRELOAD= "$1" ls /sys/class/net)" = lo ]
}
sidecar() {
  labelled sidecar "service library web client" "state nc library" "{external: true, name: $UNIVERSE}"
  local ip APP_IMAGE=netcon-example-app:$BASE
  claim "sidecar: docker-compose up" compose sidecar up -d
  claim "sidecar: the client without a network is served by the server without a network" \
    until_ok 30 sidecar_served
  local web
  web=$(compose sidecar ps -q web)
  claim "sidecar: the server has no interface but loopback" alone "$web"
  claim "sidecar: it has our directory and our library, nothing else" sidecar_mounts "$web"
  ip=$(compose sidecar exec -T service zerotier-cli get "$NWID" ip4 | sed 's/.* //; s,/.*,,' | tr -d '\r' | head -n 1)
  APP_IMAGE=netcon-all-in-one:$BASE
  claim "sidecar: a peer is served, too" until_ok 30 ask "$ip"
  compose sidecar restart service web >/dev/null 2>&1
  claim "sidecar: ... also after a restart of both, at the same address" until_ok 60 ask "$ip"
}
sidecar_served() {
  compose sidecar logs --no-color client 2>/dev/null | sed 's/^[^|]*| //' >"$WORK/sidecar.log"
  served "$WORK/sidecar.log"
}
sidecar_mounts() {
  [ "$(docker inspect -f '{{range .Mounts}}{{.Destination}} {{.RW}}{{"\n"}}{{end}}' "$1" | sort | paste -sd' ' | sed 's/^ *//')" = "/library false /nc false" ]
}

# ---- the pod of examples/kubernetes, as its manifest says

pod_compose() { docker-compose -p "$RUN-pod" -f "$WORK/pod.json" "$@"; }
pod() {
  local folder=$WORK/pod service web
  export APP_IMAGE=netcon-example-app:$BASE
  mkdir -m 755 "$folder" "$folder/identity" "$folder/planet"
  docker run --pull never --rm --label "$LABEL=$RUN" --network none --entrypoint zerotier-idtool "$NETCON_IMAGE" generate \
    >"$folder/identity/identity.secret"
  cp "$PLANET" "$folder/planet/planet"
  chmod 644 "$folder"/*/*
  "$TOP/docker-test/pod.py" "$LABEL" "$RUN" "$UNIVERSE" "$NWID" "$folder" >"$WORK/pod.json"
  claim "pod: its containers start in their order" pod_compose up -d
  service=$(pod_compose ps -q service) web=$(pod_compose ps -q web)
  claim "pod: the node is the one of the Secret" sh -c "docker exec $service zerotier-cli info | grep -F \" \$(cut -c1-10 '$folder/identity/identity.secret') \""
  claim "pod: the program's own probe succeeds" until_ok 40 is_healthy "$web"
  APP_IMAGE=netcon-all-in-one:$BASE
  claim "pod: a peer is served" until_ok 30 ask "$(docker exec "$service" zerotier-cli get "$NWID" ip4 | sed 's/.* //; s,/.*,,')"
  claim "pod: the server does not listen on the pod's own network" \
    sh -c "docker exec -e LD_PRELOAD= $web true && ! docker exec -e LD_PRELOAD= $web grep -q ':0050 [0:]* 0A ' /proc/net/tcp"
  pod_compose down -v >/dev/null 2>&1
}
is_healthy() { [ "$(docker inspect -f '{{.State.Health.Status}}' "$1")" = healthy ]; }

# ---- a swarm of one node; ours if the engine was in none

SWARM_IS_OURS=no
swarm_begin() {
  [ "$(docker info --format '{{.Swarm.LocalNodeState}}')" = inactive ] || return 0
  docker swarm init --advertise-addr 127.0.0.1 >/dev/null && SWARM_IS_OURS=yes
}
swarm_end() {
  docker stack rm "$RUN" >/dev/null 2>&1 || true
  # Its tasks end after the command does.
  until_ok 60 stack_is_gone || true
  [ "$SWARM_IS_OURS" = no ] || docker swarm leave --force >/dev/null
  SWARM_IS_OURS=no
}
stack_is_gone() {
  [ -z "$(docker ps -aq --filter "label=$LABEL=$RUN" --filter label=com.docker.stack.namespace="$RUN")" ] &&
    [ -z "$(docker network ls -q --filter "label=com.docker.stack.namespace=$RUN")" ]
}
stack_file() { # our label on what the stack makes
  local word
  echo 'version: "3.8"'
  echo "services:"
  for word in service library web; do
    printf '  %s:\n    labels: {"%s": "%s"}\n    deploy: {labels: {"%s": "%s"}}\n' "$word" "$LABEL" "$RUN" "$LABEL" "$RUN"
  done
  printf 'volumes:\n  state:\n    labels: {"%s": "%s"}\n' "$LABEL" "$RUN"
}
task() { docker ps -q --filter "label=com.docker.swarm.service.name=${RUN}_$1" --filter status=running | head -n 1; }
task_is_healthy() { [ "$(docker inspect -f '{{.State.Health.Status}}' "$(task "$1")")" = healthy ]; }
task_runs() { [ -n "$(task "$1")" ]; }
swarm() {
  export SHARED=$WORK/shared TOKEN=$WORK/token PORT=0 APP_IMAGE=netcon-example-app:$BASE
  mkdir -m 755 "$SHARED"
  mkdir -m 777 "$SHARED/nc" "$SHARED/library" # this run need not be root's
  head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$TOKEN"
  stack_file >"$WORK/stack.yaml"
  swarm_begin
  claim "swarm: docker stack deploy" docker stack deploy --resolve-image never -c "$TOP/examples/swarm/stack.yaml" -c "$WORK/stack.yaml" "$RUN"
  claim "swarm: the service is healthy" until_ok 60 task_is_healthy service
  claim "swarm: the program runs once library and network are there" until_ok 60 task_runs web
  claim "swarm: the API's token is the secret" docker exec "$(task service)" zerotier-cli "-T$(cat "$TOKEN")" info
  local ip
  ip=$(docker exec "$(task service)" zerotier-cli get "$NWID" ip4 | sed 's/.* //; s,/.*,,')
  APP_IMAGE=netcon-all-in-one:$BASE
  claim "swarm: a peer is served" until_ok 30 ask "$ip"
  docker kill "$(task service)" >/dev/null
  claim "swarm: ... also after the service was killed: it and then the program are replaced" until_ok 90 ask "$ip"
  swarm_end
  claim "swarm: nothing of the stack is left" stack_is_gone
}
examples_end() {
  swarm_end
  run_end
}

run_begin examples
trap examples_end EXIT
SIZE=$(docker run --pull never --rm --label "$LABEL=$RUN" --network none --entrypoint stat "$NETCON_IMAGE" \
  -L -c %s /usr/share/common-licenses/Apache-2.0)
[ $# -gt 0 ] || set -- all_in_one sidecar pod swarm
controller
for step in "$@"; do "$step"; done
claims_end
