# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck shell=bash disable=SC2034,SC2154,SC2317  # read by build.sh, test.sh and inside/; they call these
# The C test server of the original's suite: one file for every request, at most 1 MiB.
PACKAGES="gcc libc6-dev"
prepare() { cc -O2 -D_GNU_SOURCE -o /usr/local/bin/httpstub /netcon-test/httpstub.c -lpthread; }
serve() {
  cd /tmp || exit
  { cat "$DATA/index.html" && head -c 1000000 "$DATA/big"; } >"$DATA/stub"
  mv "$DATA/stub" "$DATA/big"
  exec httpstub -p 8402 -f "$DATA/big" -q
}
# The big file is what every request gets.
check() {
  retry curl -sS --fail --max-time 5 "http://$PEER:8402/"
  curl -sS --max-time 60 -o /dev/null -w '%{time_total}\n' "http://$PEER:8402/?[1-21]" >samples
  latency "$(awk '{ print $1 * 1000 }' samples | median)" "21 requests of 1 MB"
  begin=$(now_us)
  curl -sS --fail --max-time 60 -o big "http://$PEER:8402/"
  took "$(stat -c %s big)" $(($(now_us) - begin))
  head -n 1 big | grep -aq "welcome to the machine!"
  sha big
}
