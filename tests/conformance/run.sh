#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
# CPython's own network tests, natively and under interception in one run (spec/intercept.md 7.3): what
# passes natively has to pass under interception, but for what expected.txt lists with a reason.
# usage: tests/conformance/run.sh [SUITE...]      such as test_socket; KEEP=folder keeps the results there
#
#   native   a network namespace with nothing but a loopback interface
#   ours     a virtual host of a private universe, whose service lives in that namespace
#
# Runs as an ordinary user (root becomes nobody). Needs root or user namespaces; says so and skips (77)
# without.
set -eu
cd "$(dirname "$0")/../.."
if [ "${NETCON_CONFORMANCE:-}" = "" ]; then
  scripts/install-packages.sh conformance || exit 2
  NETCON_CONFORMANCE=netns
  export NETCON_CONFORMANCE
  if [ "$(id -u)" -eq 0 ]; then
    # shellcheck disable=SC2016  # the inner shell's
    exec unshare -n sh -c 'ip link set lo up && exec setpriv --reuid=65534 --regid=65534 --clear-groups \
      --inh-caps=-all "$0" "$@"' "$0" "$@"
  elif unshare -Urn true 2>/dev/null; then
    me=$(id -u) mine=$(id -g)
    # shellcheck disable=SC2016
    exec unshare -Urn sh -c 'ip link set lo up && me=$1 mine=$2 && shift 2 &&
      exec unshare -U --map-user="$me" --map-group="$mine" "$0" "$@"' "$0" "$me" "$mine" "$@"
  fi
  echo "skipped: the native side needs a network namespace of its own; run as root or allow user namespaces"
  [ -z "${RESULTS:-}" ] || echo "0 0 1" >>"$RESULTS"
  exit 77
fi
BIN=${BIN:-$PWD}
export BIN
PATH="/usr/bin:/bin:$PATH"
. scripts/universe.sh
work=$(mktemp -d "${TMPDIR:-/tmp}/netcon-conformance.XXXXXX")
export HOME="$work"
cleanup() {
  universe_stop
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

mkdir "$work/universe"
universe_init "$work/universe"
universe_member a
for name in root a; do universe_start "$name"; done
nwid=$(universe_network '{"v4AssignMode":{"zt":true},"v6AssignMode":{"rfc4193":true},
  "ipAssignmentPools":[{"ipRangeStart":"10.92.0.1","ipRangeEnd":"10.92.0.254"}],
  "routes":[{"target":"10.92.0.0/24"}]}')
universe_join a "$nwid" >/dev/null
mkdir -p "${KEEP:=$work/results}"
/usr/bin/python3 tests/conformance/conformance.py --library "$BIN/libzerotierintercept.so" \
  --network "$UNIVERSE/a/nc_$nwid" --scratch "$work" --results "$KEEP" "$@"
