# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck shell=bash disable=SC2034,SC2154,SC2317  # read by build.sh, test.sh and inside/; they call these
# python3 -m http.server
PACKAGES=python3
serve() { exec python3 -u -m http.server --directory "$DATA" 80; }
check() { http_check 80 big; }
