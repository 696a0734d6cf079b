#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154  # IP_x: exported by compat_up
# mosquitto as its own user: messages of each quality, a large one, a last will, and a bridge between two brokers.

load lib.bash

setup_file() {
  compat_up
  installed mosquitto && installed mosquitto-clients && [ "$(id -u)" -eq 0 ] || return 0
  install -d -o mosquitto "$WORK/broker"
  printf 'user mosquitto\nlistener 1883\nallow_anonymous true\nlog_dest file %s\n' "$WORK/broker/log" >"$WORK/mosquitto.conf"
  serve a mosquitto /usr/sbin/mosquitto -c "$WORK/mosquitto.conf"
  wait_for 15 on b mosquitto_pub -h "$IP_a" -t up -m up
}

@test "mosquitto: publish and subscribe, retained, by quality, 2 MB, a last will" {
  claim mosquitto mosquitto server "own user, one dual-stack listener, qualities 0 to 2, 2 MB, retained, last will"
  claim mosquitto-clients "mosquitto_pub, mosquitto_sub" client "qualities 0 to 2, 2 MB by SHA-256, retained, last will"
  serve b sub mosquitto_sub -h "$IP_a" -t 'news/#' -q 2 -v
  wait_for 10 grep -q "$IP_b" "$WORK/broker/log"
  seen() { on b mosquitto_pub -h "$IP_a" -t news/ready -m ready && grep -q "news/ready ready" "$WORK/sub.log"; }
  wait_for 20 seen
  for quality in 0 1 2; do
    on b mosquitto_pub -h "$IP6_a" -t "news/$quality" -q $quality -m "quality $quality"
    wait_for 20 grep -q "news/$quality quality $quality" "$WORK/sub.log"
  done
  head -c 2000000 "$WORK/www/large" >"$WORK/two"
  on b mosquitto_pub -h "$IP_a" -t big -r -q 2 -f "$WORK/two"
  [ "$(on b mosquitto_sub -h "$IP_a" -t big -C 1 -N | sum)" = "$(sum <"$WORK/two")" ]
  serve b dying mosquitto_sub -i dying -h "$IP_a" -t nothing --will-topic news/will --will-payload gone
  wait_for 10 grep -q "as dying " "$WORK/broker/log"
  kill -9 "$(cat "$WORK/dying.childpid")"
  wait_for 20 grep -q "news/will gone" "$WORK/sub.log"
  runs_as mosquitto mosquitto
  off_the_host mosquitto
}

@test "mosquitto: a bridge from the other member" {
  claim mosquitto mosquitto client "a bridge between brokers of two members, both ways"
  printf '%s\n' 'user mosquitto' 'listener 1883' 'allow_anonymous true' 'connection far' "address $IP_a:1883" \
    'topic bridged/# both 1' 'log_dest stdout' >"$WORK/bridge.conf"
  serve b bridge /usr/sbin/mosquitto -c "$WORK/bridge.conf"
  wait_for 15 on b mosquitto_pub -h 127.0.0.1 -t up -m up
  serve a there mosquitto_sub -h 127.0.0.1 -t 'bridged/#' -q 1 -v
  serve b here mosquitto_sub -h 127.0.0.1 -t 'bridged/#' -q 1 -v
  outwards() { on b mosquitto_pub -h 127.0.0.1 -t bridged/out -q 1 -m out && grep -q "bridged/out out" "$WORK/there.log"; }
  inwards() { on a mosquitto_pub -h 127.0.0.1 -t bridged/in -q 1 -m in && grep -q "bridged/in in" "$WORK/here.log"; }
  wait_for 30 outwards
  wait_for 30 inwards
  off_the_host bridge
}
