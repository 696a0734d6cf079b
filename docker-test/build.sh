#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Build the images of the tests whose name (PROGRAM-BASE-ARCH) contains one of PATTERNs.
# usage: build.sh [PATTERN...]      e.g. build.sh httpd; build.sh bookworm; build.sh ''
# BASES="bookworm trixie" limits Debian's releases. Base images that are neither here nor in a registry that
# can be reached are made by scripts/make-base-image.sh. At most two builds run at a time.
set -euo pipefail
case ${1:-} in -h | --help)
  sed -n '3,6s/^# //p' "$0"
  exit 0
  ;;
esac
# shellcheck source=docker-test/common.sh
. "$(dirname "$0")/common.sh"

# build NAME ARGUMENTS...: one image; its log only if it fails.
build() {
  local name=$1 log begin=$SECONDS
  shift
  log=$(mktemp "${TMPDIR:-/tmp}/netcon-build.XXXXXX")
  # The host's network: Debian's mirror may be reached only from there.
  if docker build --network host --label "$LABEL=image" -t "$name" "$@" >"$log" 2>&1; then
    echo "built $name in $((SECONDS - begin)) s"
    rm -f "$log"
  else
    grep -vE '^( --->|Step |Removing|  (CC|AR|LD) )' "$log" | tail -n 30 >&2
    echo "building $name failed; log: $log" >&2
    return 1
  fi
}

has_base() {
  docker image inspect "debian:$1-slim" >/dev/null 2>&1 || docker pull -q "debian:$1-slim" >/dev/null 2>&1 ||
    "$TOP/scripts/make-base-image.sh" "$1"
}

# The service's image, and that of the library: two targets of one file, built once.
build_netcon() {
  local base=$1 arguments
  arguments=(-f "$TOP/Dockerfile.netcon" --build-arg "BASE=debian:$base-slim"
    --build-arg "REVISION=$(git -C "$TOP" rev-parse --short HEAD 2>/dev/null || echo unknown)"
    --build-arg "CREATED=$(date -u +%Y-%m-%dT%H:%M:%SZ -d "@$(git -C "$TOP" log -1 --format=%ct 2>/dev/null || date +%s)")")
  has_base "$base" && build "netcon:$base" "${arguments[@]}" "$TOP" &&
    build "netcon-lib:$base" "${arguments[@]}" --target lib "$TOP"
}

build_monitor() { build netcon-monitor -f "$TOP/Dockerfile.monitor" --build-arg "NETCON=netcon:${BASES%% *}" "$TOP"; }

# What examples.sh runs, on the first base only.
build_examples() {
  local base=${BASES%% *}
  build "netcon-all-in-one:$base" --build-arg "NETCON_IMAGE=netcon:$base" "$TOP/examples/compose/all-in-one" &&
    build "netcon-example-app:$base" -f "$HERE/Dockerfile.app" --build-arg "BASE=debian:$base-slim" "$HERE/inside"
}

build_program() {
  local program base
  program=$(program_of "$1") base=$(base_of "$1")
  build "netcon-test:$program-$base" -f "$HERE/Dockerfile.program" --build-arg "NETCON=netcon:$base" \
    --build-arg "PROGRAM=$program" "$TOP"
}

# in_pairs FUNCTION WORD...: FUNCTION for each word, two at a time.
in_pairs() {
  local function=$1 bad=0 word running=()
  shift
  for word in "$@"; do
    "$function" "$word" &
    running+=($!)
    if [ ${#running[@]} -ge 2 ]; then
      wait "${running[0]}" || bad=1
      running=("${running[@]:1}")
    fi
  done
  for word in "${running[@]}"; do wait "$word" || bad=1; done
  return "$bad"
}

engine_start build
trap engine_stop EXIT
mapfile -t tests < <(tests_matching "$@")
[ ${#tests[@]} -gt 0 ] || {
  echo "no test has one of these in its name: $*" >&2
  exit 2
}
# lwIP's source comes from this machine's apt once, not once per image.
"$TOP/scripts/get-lwip.sh"
mapfile -t bases < <({ echo "${BASES%% *}"; for t in "${tests[@]}"; do base_of "$t"; done; } | awk '!seen[$0]++')
in_pairs build_netcon "${bases[@]}"
build_monitor
build_examples
in_pairs build_program "${tests[@]}"
docker images --filter "label=$LABEL" --format '{{.Repository}}:{{.Tag}} {{.Size}}' | grep -E '^netcon(:|-monitor)' | sort
