#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154  # IP_x: exported by compat_up
# iperf3: TCP in each direction and both at once, four streams, UDP, IPv6.

load lib.bash

setup_file() {
  compat_up
  installed iperf3 || return 0
  serve a iperf3 iperf3 -s --forceflush
  wait_for 15 grep -q "Server listening" "$WORK/iperf3.log"
}

# measured WHAT OPTIONS...: run a test on b, retrying while the server is busy with the one before.
measured() {
  accepted() { on b iperf3 -J "$@" >"$WORK/iperf3.json"; }
  wait_for 60 accepted "${@:2}"
  python3 - "$1" "$WORK/iperf3.json" <<'PY'
import json, sys
end = json.load(open(sys.argv[2]))["end"]
kinds = {"tcp": [("sum_sent", "sum_received")],
         "bidir": [("sum_sent", "sum_received"), ("sum_sent_bidir_reverse", "sum_received_bidir_reverse")]}
for sent, received in kinds.get(sys.argv[1], []):
    # What is under way when the clock stops is not counted.
    assert end[sent]["bytes"] > 10_000_000 and end[received]["bytes"] > 0.8 * end[sent]["bytes"], end
if sys.argv[1] == "udp":
    assert end["sum"]["packets"] > 500 and end["sum"]["lost_percent"] < 10, end
PY
}

@test "iperf3 over TCP: up, down, four streams, both directions, IPv6" {
  claim iperf3 iperf3 server "TCP in each direction, four streams, both directions at once, IPv6; TCP_INFO, TCP_MAXSEG"
  claim iperf3 iperf3 client "TCP in each direction, four streams, both directions at once, IPv6"
  measured tcp -c "$IP_a" -t 1
  measured tcp -c "$IP_a" -t 1 -R
  measured tcp -c "$IP_a" -t 1 -P 4 -M 1200
  measured bidir -c "$IP_a" -t 2 --bidir
  measured tcp -6 -c "$IP6_a" -t 1
  off_the_host iperf3
}

@test "iperf3 over UDP, up and down" {
  claim iperf3 iperf3 server "UDP in each direction, under 10 % lost"
  claim iperf3 iperf3 client "UDP in each direction, under 10 % lost"
  measured udp -c "$IP_a" -u -b 20M -l 1200 -t 1
  measured udp -c "$IP_a" -u -b 20M -l 1200 -t 1 -R
  off_the_host iperf3
}
