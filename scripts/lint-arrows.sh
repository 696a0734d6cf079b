#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Check that modules know only what docs/ARCHITECTURE.md lets them know: by their #include lines, and
# for core/ by the symbols its archive leaves undefined.
# usage: lint-arrows.sh [libcore.a]
set -eu
cd "$(dirname "$0")/.."
bad=0
complain() {
  echo "arrows: $*" >&2
  bad=1
}

# MODULE: folders whose headers it may include.
allowed() {
  case $1 in
  base) echo base ;;
  core) echo "base core" ;;
  controller) echo "base core controller" ;;
  stack) echo "base stack arch lwip netif" ;;
  rpc) echo "base rpc" ;;
  intercept) echo "base rpc intercept" ;;
  service) echo "base core controller stack rpc service" ;;
  cli) echo "base core cli" ;;
  launch) echo "base rpc launch" ;;
  container) echo "base container" ;;
  esac
}
# MODULE: system headers it may never include.
forbidden() {
  case $1 in
  core | controller) echo 'sys/socket.h|netinet/|unistd.h|fcntl.h|time.h|sys/time.h|pthread.h|sys/epoll.h|stdio_ext.h' ;;
  core-extra) echo 'jansson.h' ;;
  stack) echo 'sys/socket.h|time.h|pthread.h|sys/epoll.h' ;; # sys/time.h: lwIP wants struct timeval
  intercept) echo 'jansson.h|sodium.h|openssl/|microhttpd.h|curl/|locale.h' ;;
  *) echo '^$' ;;
  esac
}

for module in base core controller stack rpc intercept service cli launch container; do
  files=$(git ls-files "$module/*.c" "$module/*.h")
  [ -n "$files" ] || continue
  ok=$(allowed "$module" | tr ' ' '|')
  # shellcheck disable=SC2086  # a list of files without blanks
  found=$(grep -nE '^#include "' $files | grep -vE '#include "('"$ok"')/' | grep -vE '^stack/[^:]*:[0-9]+:#include "lwipopts.h"' || true)
  [ -z "$found" ] || complain "$module includes what it may not know:
$found"
  # shellcheck disable=SC2086
  found=$(grep -nE "^#include <($(forbidden "$module"))" $files || true)
  [ -z "$found" ] || complain "$module includes a header it may not use:
$found"
done
found=$(git ls-files 'core/*.[ch]' | xargs grep -nE '^#include <jansson.h>' || true)
[ -z "$found" ] || complain "core/ may not know JSON: $found"
# Only mem.c allocates in core/; stdio is allowed for the abort message and for formatting into memory.
archive=${1:-build/release/libcore.a}
if [ -f "$archive" ]; then
  found=$(nm -A -u "$archive" | grep -E ' U (socket|sendto|recvfrom|open|open64|fopen|fopen64|read|write|time|clock_gettime|gettimeofday|getenv|pthread_[a-z_]+|getrandom|random|rand)$' || true)
  [ -z "$found" ] || complain "core does I/O, asks a clock or holds a thread: $found"
  found=$(nm -A -u "$archive" | grep -E ' U (malloc|calloc|realloc|free)$' | grep -v ':mem\.o:' || true)
  [ -z "$found" ] || complain "core allocates outside mem.c: $found"
fi
exit "$bad"
