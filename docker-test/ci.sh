#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# What CI runs of the container tests: nginx, redis and sshd on one base, the
# hardened run, the image's first process and the examples, in about four minutes from nothing.
# usage: ci.sh      Where no Docker engine answers and none can be started, it says so and succeeds.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install-packages.sh docker || { echo "docker: skipped, packages are missing"; exit 0; }
# shellcheck source=docker-test/common.sh
. docker-test/common.sh
if ! engine_start run; then
  echo "docker: skipped, there is no engine (the reason stands above)"
  exit 0
fi
engine_stop
begin=$SECONDS
docker-test/build.sh nginx-bookworm redis-bookworm sshd-bookworm
docker-test/test.sh nginx-bookworm redis-bookworm sshd-bookworm
docker-test/hardened.sh
docker-test/image.sh
docker-test/examples.sh
echo "-- docker: $((SECONDS - begin)) s"
