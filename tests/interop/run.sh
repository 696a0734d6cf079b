#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Interoperability with zerotier-one: run tests/interop and print the table of the sixteen universes.
# usage: ZEROTIER_ONE=/path/to/zerotier-one run.sh [bats file...]
set -eu
cd "$(dirname "$0")/../.."
INTEROP_TABLE=$(mktemp)
export INTEROP_TABLE
trap 'rm -f "$INTEROP_TABLE"' EXIT
status=0
[ $# -gt 0 ] || set -- tests/interop
scripts/run-bats.sh "$@" || status=$?
[ -s "$INTEROP_TABLE" ] || exit "$status"
echo
echo "A-B/B-A are MB/s of 64 MiB by TCP, B fetching from A and A from B."
awk 'BEGIN { line = "%-7s %-10s %-7s %-7s %-6s %-3s %-6s %-4s %-8s %-9s\n"
    printf line, "root", "controller", "A", "B", "ONLINE", "OK", "direct", "ping", "2500-B", "A-B/B-A" }
  { split("", done); speed = "-"
    for (i = 5; i <= NF; i++) if ($i ~ /\//) speed = $i; else done[$i] = 1
    printf line, $1, $2, $3, $4, has("online"), has("ok"), has("direct"), has("ping"), has("ping2500"), speed }
  function has(step) { return step in done ? "yes" : "NO" }' "$INTEROP_TABLE"
exit "$status"
