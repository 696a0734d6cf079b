#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Everything: every program on every base, the hardened run, the image's first process, the examples. Needs an engine, or root and docker.io.
# usage: check.sh
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install-packages.sh docker
RESULTS=$(mktemp)
export RESULTS
trap 'rm -f "$RESULTS"' EXIT
bad=0
docker-test/build.sh ''
for step in test.sh hardened.sh image.sh examples.sh; do
  echo "== $step"
  "docker-test/$step" || bad=1
done
awk '{ p += $1; f += $2 } END { print p " passed, " f " failed" }' "$RESULTS"
exit "$bad"
