#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Remove every container, network, volume and image that carries the suite's label, and the results.
# usage: remove-all.sh
set -euo pipefail
# shellcheck source=docker-test/common.sh
. "$(dirname "$0")/common.sh"
engine_start run
trap engine_stop EXIT
remove_ours ""
images=$(docker images -q --filter "label=$LABEL" | sort -u)
# shellcheck disable=SC2086  # a list of ids
[ -z "$images" ] || docker rmi -f $images >/dev/null
rm -rf "$RESULTS_DIR"
