# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck shell=bash disable=SC2034  # read by those who source this
# Shared by build.sh, test.sh and the others: which engine, which tests, what is ours.

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=$(dirname "$HERE")
# Only what carries this label is ever touched.
LABEL=netcon.docker-test
RESULTS_DIR=$HERE/_results
ARCH=$(uname -m)
# BASES: Debian releases to build on; the first one also carries root, controller and monitor.
BASES=${BASES:-bookworm trixie bullseye sid}
# `docker build` with BuildKit needs a plugin that Debian's package lacks; every Dockerfile here works with both.
export DOCKER_BUILDKIT=${DOCKER_BUILDKIT:-0}

# shellcheck source=docker-test/engine.sh
. "$HERE/engine.sh"

# A test is PROGRAM-BASE-ARCH; those whose name contains one of the patterns.
tests_matching() {
  local file base name pattern
  [ $# -gt 0 ] || set -- ''
  for base in $BASES; do
    for file in "$HERE"/programs/*.sh; do
      name=$(basename "$file" .sh)-$base-$ARCH
      for pattern in "$@"; do
        if [[ $name == *"$pattern"* ]]; then
          echo "$name"
          break
        fi
      done
    done
  done
}
program_of() { echo "${1%-*-*}"; }
base_of() {
  local rest=${1%-*}
  echo "${rest##*-}"
}

# until_ok SECONDS COMMAND...: until it succeeds; says what it waited for when it gives up.
until_ok() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$deadline" ]; then
      echo "gave up waiting for: $*" >&2
      return 1
    fi
    sleep 0.1
  done
}

now_ms() { date +%s%3N; }

# Everything with our label and of this run, or of all runs.
remove_ours() {
  local filter="label=$LABEL${1:+=$1}" ids
  ids=$(docker ps -aq --filter "$filter")
  # shellcheck disable=SC2086  # lists of ids
  [ -z "$ids" ] || docker rm -f -v $ids >/dev/null
  ids=$(docker network ls -q --filter "$filter")
  # shellcheck disable=SC2086
  [ -z "$ids" ] || docker network rm $ids >/dev/null
  ids=$(docker volume ls -q --filter "$filter")
  # shellcheck disable=SC2086
  [ -z "$ids" ] || docker volume rm $ids >/dev/null
}

# universe_up RUN: a network without a way out, root and controller in a container; sets NET, ROOT, NWID and
# leaves the planet in $WORK/planet.
universe_up() {
  RUN=$1 NET=$1-net ROOT=$1-root
  docker network create --internal --label "$LABEL=$RUN" "$NET" >/dev/null
  # shellcheck disable=SC2016  # expanded over there
  docker run --pull never -d --name "$ROOT" --label "$LABEL=$RUN" --network "$NET" --entrypoint sh "netcon:${BASES%% *}" -c '
    cd $ZEROTIER_HOME &&
    zerotier-idtool generate identity.secret identity.public >/dev/null &&
    zerotier-idtool mkplanet --key planet.key --out planet identity.public="$(hostname -i)"/9993 >/dev/null &&
    exec zerotier-netcon-init' >/dev/null
  until_ok 60 docker exec "$ROOT" zerotier-cli health
  docker cp -q "$ROOT:/var/lib/zerotier-one/planet" "$WORK/planet" 2>/dev/null ||
    docker cp "$ROOT:/var/lib/zerotier-one/planet" "$WORK/planet" >/dev/null
  chmod 644 "$WORK/planet"
  NWID=$(docker exec "$ROOT" zerotier-cli -j controller create --name docker --pool 10.99.0.1-10.99.3.254 --route 10.99.0.0/22 --public |
    sed -n 's/.*"nwid" *: *"\([0-9a-f]*\)".*/\1/p' | head -n 1)
  [ -n "$NWID" ]
}

# member NAME IMAGE [docker run options...] [-- arguments]: a container on the run's universe.
member() {
  local name=$1 image=$2 options=()
  shift 2
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  [ $# -eq 0 ] || shift
  docker run --pull never -d --name "$name" --label "$LABEL=$RUN" --network "$NET" -v "$WORK/planet:/planet:ro" \
    -e ZTNC_PLANET=/planet -e ZTNC_NETWORK="$NWID" "${options[@]}" "$image" "$@" >/dev/null
}

# The IPv4 address of a member; waits for it in the container.
address_of() {
  until_ok 60 docker exec "$1" zerotier-cli wait "$NWID" --timeout 60 &&
    docker exec "$1" zerotier-cli get "$NWID" ip4 | sed 's/.* //; s,/.*,,' | head -n 1
}

# ---- scripts that say of each claim whether it holds

passed=0 failed=0
# claim TEXT COMMAND...: counts.
claim() {
  local text=$1
  shift
  if "$@" >"$WORK/claim.log" 2>&1; then
    passed=$((passed + 1))
    echo "ok: $text"
  else
    failed=$((failed + 1))
    echo "NOT OK: $text"
    tail -n 8 "$WORK/claim.log" | sed 's/^/    /'
  fi
}
not() { ! "$@"; }

# run_begin NAME: an engine, RUN and WORK; everything of them is removed at the end.
run_begin() {
  engine_start run
  RUN=netcon-$1-$$
  WORK=$(mktemp -d "${TMPDIR:-/tmp}/netcon-$1.XXXXXX")
  chmod 755 "$WORK"
  trap run_end EXIT
  trap 'exit 1' HUP INT TERM
}
run_end() {
  remove_ours "$RUN"
  rm -rf "$WORK"
  engine_stop
}
# The last line, and the status.
claims_end() {
  if [ -n "${RESULTS:-}" ]; then echo "$passed $failed 0" >>"$RESULTS"; fi
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ]
}
