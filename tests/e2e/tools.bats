#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154,SC2153  # IP_x, NWID: exported by universe_up
bats_require_minimum_version 1.5.0
# What zerotier-cli has beyond the reference: controller, health, wait, diagnose, whois, capture; and
# the numbers of /metrics.

setup_file() {
  load lib.bash
  universe_up a b
}
teardown_file() {
  load lib.bash
  universe_down
}
setup() {
  load lib.bash
}

cli() { # NAME ARGUMENTS...
  local name=$1
  shift
  "$BIN/zerotier-cli" -D"$UNIVERSE/$name" "$@"
}

metrics() { # NAME [curl options]
  local name=$1
  shift
  curl -sS --noproxy '*' --max-time 10 "$@" \
    "http://127.0.0.1:$(cat "$UNIVERSE/$name/zerotier-one.port")/metrics"
}

# The value of one sample.
sample() { # TEXT NAME-WITH-LABELS
  awk -v name="$2" '$1 == name { print $2 }' <<<"$1"
}

# A conversation on the network: a small page from a to b.
talk() {
  mkdir -p "$WORK/www"
  echo hello >"$WORK/www/index.html"
  [ -e "$WORK/talk.childpid" ] || serve a talk python3 -m http.server -d "$WORK/www" 8080
  wait_for 15 fetch b -o /dev/null "http://$IP_a:8080/"
}

is_hopeless() { # NAME
  cli "$1" diagnose | grep -q "^problem *The node is OFFLINE"
}

captures_are() { # COUNT
  [ "$(cli a get "$NWID" netcon -j | jq .captures)" = "$1" ]
}

waiting_are() { # COUNT: askers of a that wait for an answer
  [ "$(cli a -j diagnose | jq .facts.waiting)" = "$1" ]
}

members_have() { # NETWORK TEXT
  cli root controller members "$1" | grep -q "$2"
}

status_is() { # NWID STATUS
  [ "$(cli a get "$1" status)" = "$2" ]
}

@test "controller: a network by name, from create to delete" {
  run --separate-stderr cli root controller create --name demo --pool 10.144.0.1-10.144.0.254 \
    --route 10.144.0.0/24
  [ "$status" -eq 0 ]
  [[ "$output" =~ ^[0-9a-f]{16}$ ]]
  local nwid=$output address
  address=$(universe_address a)
  cli root controller list | grep -q "^200 controller list $nwid demo PRIVATE 0 0$"
  cli a join "$nwid"
  wait_for 15 members_have demo "$address WAITING"
  run --separate-stderr cli root controller authorise demo "$address"
  [ "$status" -eq 0 ]
  [ "$output" = "200 controller authorise OK" ]
  run --separate-stderr cli a wait "$nwid" --timeout 20
  [ "$status" -eq 0 ]
  cli root controller members "$nwid" | grep -q "$address AUTHORISED 10.144.0."
  cli root controller set demo --name other multicastLimit=7
  [ "$(cli root controller show other | jq .multicastLimit)" = 7 ]
  [ "$(cli root controller show other "$address" | jq .authorized)" = true ]
  cli root controller deauthorise other "$address"
  wait_for 20 status_is "$nwid" ACCESS_DENIED
  run --separate-stderr cli a health
  [ "$status" -eq 1 ]
  [[ "$stderr" = *"$nwid"*ACCESS_DENIED* ]]
  run cli a diagnose
  [ "$status" -eq 1 ]
  [[ "$output" = *"Network $nwid is ACCESS_DENIED"*"Next: Have the controller's operator authorise"* ]]
  cli root controller remove other "$address"
  cli a leave "$nwid"
  cli root controller delete other
  run cli root controller show other
  [ "$status" -eq 1 ]
}

@test "controller: what is not there and what is wrong gets a sentence" {
  run --separate-stderr cli root controller show nothing
  [ "$status" -eq 1 ]
  [[ "$stderr" = *"no network nothing"*"controller list"* ]]
  run --separate-stderr cli root controller authorise "$NWID" xyz
  [ "$status" -eq 2 ]
  [[ "$stderr" = *"xyz is no node address"* ]]
  run --separate-stderr cli root controller create --pool 10.1.0.1
  [ "$status" -eq 2 ]
  [[ "$stderr" = *"--pool wants"* ]]
  run --separate-stderr cli root controller
  [ "$status" -eq 2 ]
  [[ "$stderr" = *"controller create"* ]]
}

@test "health is 0 when every network is usable, 1 when the service is down" {
  run --separate-stderr cli a health
  [ "$status" -eq 0 ]
  [ "$output" = "200 health OK 1/1" ]
  [ "$(cli a -j health | jq .healthy)" = true ]
  run cli none health
  [ "$status" -eq 1 ]
}

@test "wait ends in time, and when it is left" {
  local nwid
  nwid=$(cli root controller create --name slow --pool 10.145.0.1-10.145.0.9 --route 10.145.0.0/24)
  cli a join "$nwid"
  run --separate-stderr cli a wait "$nwid" --timeout 0.5
  [ "$status" -eq 1 ]
  [[ "$stderr" = *"not ready in time"* ]]
  "$BIN/zerotier-cli" -D"$UNIVERSE/a" wait "$nwid" --timeout 30 >"$WORK/waited" 2>&1 3>&- &
  local pid=$!
  cli a leave "$nwid"
  wait "$pid" || true
  grep -q "not joined" "$WORK/waited"
  cli root controller delete slow
}

@test "an asker that waits and goes away is forgotten" {
  local nwid
  nwid=$(cli root controller create --name gone)
  cli a join "$nwid"
  "$BIN/zerotier-cli" -D"$UNIVERSE/a" wait "$nwid" --timeout 600 3>&- &
  local pid=$!
  wait_for 10 waiting_are 1
  kill "$pid"
  wait_for 10 waiting_are 0
  cli a leave "$nwid"
  cli root controller delete gone
}

@test "diagnose: a healthy node has no problem" {
  talk
  run cli a diagnose
  [ "$status" -eq 0 ]
  [[ "$output" = *"Root $(universe_address root) answers at 127.0.0.1/$UNIVERSE_ROOT_PORT"* ]]
  [[ "$output" = *"Network $NWID is OK, 1 addresses"* ]]
  [[ "$output" = *"Peer $(universe_address b) is reached directly"* ]]
  [ "$(cli a -j diagnose | jq .healthy)" = true ]
  [ "$(cli a -j diagnose | jq '.facts.networks[0].clockSkewMs | . > -60000 and . < 60000')" = true ]
}

@test "whois: by address and by virtual IP" {
  talk
  run cli a whois "$IP_b"
  [ "$status" -eq 0 ]
  [[ "$output" = "$(universe_address b)"*"on        $NWID"*"member of $NWID"* ]]
  run cli b whois "$(universe_address a)"
  [ "$status" -eq 0 ]
  [[ "$output" = *"identity  $(cat "$UNIVERSE/a/identity.public")"* ]]
  run cli a whois "$IP_a"
  [[ "$output" = "$(universe_address a) (this node)"* ]]
  run --separate-stderr cli a whois 10.77.0.253
  [ "$status" -eq 1 ]
  [[ "$stderr" = *"no joined network knows"* ]]
  run --separate-stderr cli a whois 1234567890
  [ "$status" -eq 1 ]
  run --separate-stderr cli a whois example
  [ "$status" -eq 2 ]
}

@test "capture: a pcap file that tcpdump reads" {
  talk
  "$BIN/zerotier-cli" -D"$UNIVERSE/a" capture "$NWID" -w "$WORK/a.pcap" -c 6 3>&- &
  local pid=$!
  wait_for 10 captures_are 1
  fetch b -o /dev/null "http://$IP_a:8080/"
  wait "$pid"
  run tcpdump -nr "$WORK/a.pcap"
  [ "$status" -eq 0 ]
  [ "$(grep -c . <<<"$(tcpdump -nr "$WORK/a.pcap" 2>/dev/null)")" -eq 6 ]
  [[ "$output" = *"$IP_b."*" > $IP_a.8080: Flags [S]"* ]]
  wait_for 10 captures_are 0
}

@test "capture: one that is interrupted leaves a good file and no capture behind" {
  talk
  "$BIN/zerotier-cli" -D"$UNIVERSE/a" capture "$NWID" -w "$WORK/cut.pcap" 3>&- &
  local pid=$!
  wait_for 10 captures_are 1
  fetch b -o /dev/null "http://$IP_a:8080/"
  wait_for 10 sh -c "[ \$(stat -c %s '$WORK/cut.pcap') -gt 200 ]"
  kill -9 "$pid"
  wait_for 10 captures_are 0
  tcpdump -nr "$WORK/cut.pcap" >/dev/null
  run --separate-stderr cli a capture 0123456789abcdef -w -
  [ "$status" -eq 1 ]
  [[ "$stderr" = *"not joined"* ]]
  run --separate-stderr cli a capture "$NWID"
  [ "$status" -eq 2 ]
}

@test "the service ends while askers wait and a capture runs" {
  local nwid pids
  universe_member d
  universe_start d
  wait_for 20 is_online d
  nwid=$(cli root controller create --name end --pool 10.146.0.1-10.146.0.9 --route 10.146.0.0/24)
  cli d join "$nwid"
  "$BIN/zerotier-cli" -D"$UNIVERSE/d" wait "$nwid" --timeout 60 3>&- &
  pids=$!
  "$BIN/zerotier-cli" -D"$UNIVERSE/d" capture "$nwid" -w "$WORK/end.pcap" 3>&- &
  pids="$pids $!"
  wait_for 10 sh -c "'$BIN/zerotier-cli' -D'$UNIVERSE/d' -j diagnose | jq -e '.facts.waiting == 2'"
  universe_stop_one d
  # shellcheck disable=SC2086  # two numbers
  wait $pids || true
  tcpdump -nr "$WORK/end.pcap" >/dev/null
  run grep -i "abort\|panic\|fatal" "$UNIVERSE/d/netcon.log"
  [ "$status" -eq 1 ]
  [ -s "$UNIVERSE/d/metrics.prom" ]
  [ ! -e "$UNIVERSE/d/zerotier-one.pid" ]
  cli root controller delete end
}

@test "metrics: names, values, the token that opens nothing else" {
  talk
  local token text
  token=$(cat "$UNIVERSE/a/metricstoken.secret")
  [ "$(stat -c %a "$UNIVERSE/a/metricstoken.secret")" = 600 ]
  text=$(metrics a -H "X-ZT1-Auth: $token")
  [ "$(sample "$text" zt_num_networks)" = 1 ]
  [ "$(sample "$text" 'zt_packet{direction="tx",packet_type="hello"}')" -gt 0 ]
  [ "$(sample "$text" 'zt_packet{direction="rx",packet_type="frame"}')" -gt 0 ]
  [ "$(sample "$text" "zt_network_packets{accepted=\"yes\",direction=\"rx\",network_id=\"$NWID\"}")" -gt 0 ]
  [ "$(sample "$text" "zt_peer_packets{direction=\"rx\",node_id=\"$(universe_address root)\"}")" -gt 0 ]
  [ "$(sample "$text" "zt_peer_latency_count{node_id=\"$(universe_address root)\"}")" -gt 0 ]
  [ "$(sample "$(metrics root -H "Authorization: Bearer $(cat "$UNIVERSE/root/authtoken.secret")")" \
    controller_member_auth_count)" -ge 2 ]
  # of virtual hosts and their stacks
  for name in 'ztnc_tcp_bytes_total{%s,direction="rx"}' 'ztnc_tcp_segments_total{%s,direction="tx"}' \
    'ztnc_stack_heap_bytes{%s}' 'ztnc_stack_neighbours{%s}'; do
    # shellcheck disable=SC2059  # the network goes into the name
    [ "$(sample "$text" "$(printf "$name" "network_id=\"$NWID\"")")" -gt 0 ]
  done
  # No family is told twice, and each sample stands below its head.
  [ -z "$(grep '^# TYPE' <<<"$text" | sort | uniq -d)" ]
  run awk '$1 == "#" { family = $3; next }
    { name = $1; sub(/\{.*/, "", name); if (index(name, family) != 1) print }' <<<"$text"
  [ -z "$output" ]
  wait_for 5 test -s "$UNIVERSE/a/metrics.prom"
  [ "$(metrics a -o /dev/null -w '%{http_code}')" = 401 ]
  [ "$(curl -sS --noproxy '*' -o /dev/null -w '%{http_code}' -H "X-ZT1-Auth: $token" \
    "http://127.0.0.1:$(cat "$UNIVERSE/a/zerotier-one.port")/status")" = 401 ]
}

@test "diagnose: the root does not answer" {
  universe_stop_one root
  universe_member c
  universe_start c
  wait_for 10 is_hopeless c
  run cli c diagnose
  [ "$status" -eq 1 ]
  [[ "$output" = *"Root $(universe_address root) does not answer"*"The node is OFFLINE"* ]]
}
