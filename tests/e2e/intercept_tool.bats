#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154,SC2016 # IP_x come from universe_up, stderr from run; quotes are for others
bats_require_minimum_version 1.5.0
# zerotier-intercept: what users run, what it refuses, what it explains.

setup_file() {
  load lib.bash
  universe_up a b
  mkdir "$WORK/bin"
  cat >"$WORK/hello.c" <<'C'
#include <stdio.h>
int main(void) { puts("hello"); return 0; }
C
  cc -static -o "$WORK/bin/static" "$WORK/hello.c"
  cc -o "$WORK/bin/dynamic" "$WORK/hello.c"
  mkdir "$WORK/www"
  echo content >"$WORK/www/index"
  serve a www python3 -m http.server -d "$WORK/www" --bind 0.0.0.0 80
  wait_for 20 on b curl -s --noproxy '*' "http://$IP_a/index"
}
teardown_file() {
  load lib.bash
  universe_down
}
setup() {
  load lib.bash
  cd "$WORK" || exit
}

tool() {
  env -u LD_PRELOAD -u ZT_NC_NETWORK "$BIN/zerotier-intercept" "$@"
}

@test "the only network is the default; -n takes its id, its name, its path" {
  for choice in "" "-n $NWID" "-n ${NWID^^}" "--network=e2e" "-n $UNIVERSE/b/nc_$NWID" "-n $UNIVERSE/b/nc/$NWID"; do
    # shellcheck disable=SC2086  # words
    run -0 --separate-stderr tool -D "$UNIVERSE/b" $choice curl -sS --noproxy '*' --max-time 30 "http://$IP_a/index"
    [ "$output" = content ]
  done
  ZEROTIER_HOME=$UNIVERSE/b run -0 tool curl -sS --noproxy '*' --max-time 30 "http://$IP_a/index"
  [ "$output" = content ]
}

@test "what is not joined, or not there, is said with what to do" {
  run -125 --separate-stderr tool -D "$UNIVERSE/b" -n 1234567890abcdef true
  [[ "$stderr" == *"1234567890abcdef is not joined; join it with"*"$NWID  e2e"* ]]
  run -125 --separate-stderr tool -D "$UNIVERSE/b" -n elsewhere true
  [[ "$stderr" == *"no joined network is named elsewhere"*"$NWID  e2e"* ]]
  run -125 --separate-stderr tool -D "$WORK/nowhere" true
  [[ "$stderr" == *"no network is joined"*"-D"* ]]
  run -125 --separate-stderr tool -n "$WORK/nowhere" true
  [[ "$stderr" == *"$WORK/nowhere: No such file"* ]]
  run -125 --separate-stderr tool
  [[ "$stderr" == *"insufficient arguments"* ]]
  ZT_NC_POLICY=none run -125 --separate-stderr tool -D "$UNIVERSE/b" true
  [[ "$stderr" == *"ZT_NC_POLICY=none is unknown: set it to all, split or deny"* ]]
  ZT_NC_POLICY="split" run -0 tool -D "$UNIVERSE/b" true
  run -125 --separate-stderr tool --nonsense true
  [[ "$stderr" == *"nonsense"*"--help"* ]]
}

@test "several networks: the choice is asked for, and works by name" {
  second=$(universe_network '{"name":"other net","private":false,"v4AssignMode":{"zt":true},
    "ipAssignmentPools":[{"ipRangeStart":"10.78.0.1","ipRangeEnd":"10.78.0.254"}],
    "routes":[{"target":"10.78.0.0/24","via":null}]}')
  universe_join b "$second" >/dev/null
  run -125 --separate-stderr tool -D "$UNIVERSE/b" true
  [[ "$stderr" == *"several networks"*"other net"* ]]
  run -0 tool -D "$UNIVERSE/b" -n "other net" sh -c 'echo "$ZT_NC_NETWORK"'
  [ "$output" = "$UNIVERSE/b/nc/$second/sock" ]
  "$BIN/zerotier-cli" -D"$UNIVERSE/b" leave "$second"
}

@test "exit status and signals are the program's" {
  run -7 tool -D "$UNIVERSE/b" sh -c 'exit 7'
  run -0 tool -D "$UNIVERSE/b" -- true
  "$BIN/zerotier-intercept" -D "$UNIVERSE/b" sleep 100 3>&- &
  pid=$!
  is_sleep() { [ "$(cat "/proc/$pid/comm")" = sleep ]; }
  wait_for 20 is_sleep
  kill -TERM "$pid"
  code=0
  wait "$pid" || code=$?
  [ "$code" -eq 143 ]
}

@test "not found is 127, not executable 126" {
  run -127 --separate-stderr tool -D "$UNIVERSE/b" no-such-program-here
  [[ "$stderr" == *"no such program in PATH"* ]]
  run -127 tool -D "$UNIVERSE/b" ./no-such-program-here
  echo x >plain
  run -126 --separate-stderr tool -D "$UNIVERSE/b" ./plain
  [[ "$stderr" == *"is it executable"* ]]
  run -126 tool -D "$UNIVERSE/b" ./www
}

@test "a static program is refused, with another way" {
  run -126 --separate-stderr tool -D "$UNIVERSE/b" bin/static
  [[ "$stderr" == *"statically linked"*"dynamically linked build"* ]]
  [ -z "$output" ]
  PATH=$WORK/bin:$PATH run -126 --separate-stderr tool -D "$UNIVERSE/b" static
  printf '#! %s/bin/static\n' "$WORK" >script
  chmod +x script
  run -126 --separate-stderr tool -D "$UNIVERSE/b" ./script
  [[ "$stderr" == *"bin/static is statically linked"* ]]
}

@test "set-user-ID, set-group-ID and capabilities are refused to those who gain by them" {
  [ "$(id -u)" -eq 0 ] || skip "needs root to make such files"
  chmod 755 "$UNIVERSE" "$UNIVERSE/b" "$UNIVERSE/b/nc"
  chmod 666 "$UNIVERSE/b/nc/$NWID/sock"
  mkdir -p "$WORK/rights"
  nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
  nobody test -x "$BIN/zerotier-intercept" || skip "the build is not readable for others"
  for bits in u+s g+s caps; do
    cp bin/dynamic "rights/$bits"
    if [ "$bits" = caps ]; then setcap cap_net_raw+ep rights/caps || continue; else chmod "$bits" "rights/$bits"; fi
    run -126 --separate-stderr nobody "$BIN/zerotier-intercept" -D "$UNIVERSE/b" "rights/$bits"
    [[ "$stderr" == *"ignores LD_PRELOAD"*"setpriv --no-new-privs"* ]]
    run -0 nobody setpriv --no-new-privs "$BIN/zerotier-intercept" -D "$UNIVERSE/b" "rights/$bits"
    [ "$output" = hello ]
    run -0 tool -D "$UNIVERSE/b" "rights/$bits" # root gains nothing
  done
}

@test "a program for another machine is refused" {
  cp bin/dynamic bin/foreign
  printf '\xf3\x00' | dd of=bin/foreign bs=1 seek=18 conv=notrunc status=none # RISC-V
  run -126 --separate-stderr tool -D "$UNIVERSE/b" bin/foreign
  [[ "$stderr" == *"for another machine"*"--library"* ]]
  cp bin/dynamic bin/narrow
  printf '\x01' | dd of=bin/narrow bs=1 seek=4 conv=notrunc status=none # ELFCLASS32
  run -126 --separate-stderr tool -D "$UNIVERSE/b" bin/narrow
  [[ "$stderr" == *"32-bit"* ]]
}

@test "scripts: with env, without a first line, with an interpreter that is gone" {
  printf '#!/usr/bin/env sh\necho "env $1"\n' >by_env
  printf 'echo "none $1"\n' >by_none
  printf '#!/nowhere/python\n' >by_ghost
  chmod +x by_env by_none by_ghost
  run -0 tool -D "$UNIVERSE/b" ./by_env x
  [ "$output" = "env x" ]
  run -0 tool -D "$UNIVERSE/b" ./by_none y
  [ "$output" = "none y" ]
  run -126 --separate-stderr tool -D "$UNIVERSE/b" ./by_ghost
  [[ "$stderr" == *"/nowhere/python is not there"* ]]
}

@test "a program for musl gets the library for musl, or a sentence" {
  command -v musl-gcc >/dev/null || skip "no musl-gcc (package musl-tools)"
  musl-gcc -Wall -o "$WORK/bin/musl" "$TOP/tests/e2e/musl.c"
  make -s -C "$TOP" musl
  run -0 --separate-stderr tool -D "$UNIVERSE/b" "$WORK/bin/musl" "$IP_a" 80 /index
  [[ "$output" == "virtual $IP_b"*content ]]
  run -0 --separate-stderr tool -D "$UNIVERSE/b" "$WORK/bin/musl" localhost 80 /index
  [ "$output" = "connect: Connection refused" ]
  mkdir "$WORK/alone"
  cp "$BIN/build/release/libzerotierintercept.so" "$WORK/alone/"
  run -126 --separate-stderr tool -D "$UNIVERSE/b" --library "$WORK/alone/libzerotierintercept.so" "$WORK/bin/musl" "$IP_a" 80 /
  [[ "$stderr" == *"make musl"*"$WORK/alone/libzerotierintercept-musl.so"* ]]
}

@test "an LD_PRELOAD that is there comes first and stays" {
  other=$(ldconfig -p | awk '/libm\.so\.6/ { print $NF; exit }')
  LD_PRELOAD=$other run -0 "$BIN/zerotier-intercept" -D "$UNIVERSE/b" sh -c 'echo "$LD_PRELOAD"'
  [[ "$output" == "$other:"*/libzerotierintercept.so ]]
  LD_PRELOAD="$output" run -0 "$BIN/zerotier-intercept" -D "$UNIVERSE/b" sh -c 'echo "$LD_PRELOAD"'
  [ "$(grep -o libzerotierintercept <<<"$output" | wc -l)" -eq 1 ]
}

@test "on, off and show, as in the original" {
  run -0 env -u LD_PRELOAD -u ZT_NC_NETWORK bash -c ". '$BIN/zerotier-intercept' on -D '$UNIVERSE/b'
    curl -sS --noproxy '*' --max-time 30 'http://$IP_a/index'; '$BIN/zerotier-intercept' show
    . '$BIN/zerotier-intercept' off; echo \"<\$LD_PRELOAD\$ZT_NC_NETWORK>\"; '$BIN/zerotier-intercept' show"
  [ "${lines[0]}" = content ]
  [[ "${lines[1]}" == 'LD_PRELOAD="'*libzerotierintercept.so'"' ]]
  [ "${lines[2]}" = "<>" ]
  [ "${lines[3]}" = 'LD_PRELOAD=""' ]
}

@test "--explain says of each call what became of it" {
  run -0 --separate-stderr tool -D "$UNIVERSE/b" --explain curl -sS --noproxy '*' --max-time 30 "http://$IP_a/index"
  [ "$output" = content ]
  [[ "$stderr" =~ socket\(\)\ =\ [0-9]+:\ virtual ]]
  [[ "$stderr" =~ getpeername\([0-9]+\)\ =\ 0:\ virtual\ from\ $IP_b:[0-9]+\ to\ $IP_a:80 ]]
  run tool -D "$UNIVERSE/b" --explain=explained python3 -c '
import socket
socket.socket(socket.AF_UNIX)
try: socket.create_connection(("192.0.2.1", 80), 10)
except OSError: pass
l = socket.create_server(("0.0.0.0", 8888))
try: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)
except OSError: pass
'
  [ "$status" -eq 0 ] && [ -z "$output" ]
  grep -q 'socket() = [0-9]*: host, AF_UNIX' explained
  grep -q 'connect([0-9]*) = ENETUNREACH (101): virtual, no route' explained
  grep -q 'listen([0-9]*) = 0: virtual at 0.0.0.0:8888' explained
  grep -q 'socket() = EPERM (1): denied' explained
}

@test "zerotier-cli sockets: state, addresses, queues, user and process" {
  serve b listener python3 -c '
import socket, signal
s = socket.create_server(("0.0.0.0", 7777), backlog=5)
c, _ = s.accept()
signal.pause()
'
  is_listening() { "$BIN/zerotier-cli" -D"$UNIVERSE/b" sockets | grep -q "LISTEN.*0.0.0.0:7777"; }
  wait_for 20 is_listening
  serve a peer python3 -c "
import socket, signal
s = socket.create_connection(('$IP_b', 7777))
signal.pause()"
  is_connected() { "$BIN/zerotier-cli" -D"$UNIVERSE/a" sockets "$NWID" | grep -q "ESTAB.*$IP_a:.*$IP_b:7777"; }
  wait_for 20 is_connected
  run -0 "$BIN/zerotier-cli" -D"$UNIVERSE/b" sockets
  echo "$output"
  [[ "${lines[0]}" =~ ^Netid\ +State\ +Recv-Q\ +Send-Q\ +Local\ Address:Port ]]
  [[ "$output" =~ tcp\ +LISTEN\ +0\ +5\ +0.0.0.0:7777\ +\*:\*\ +$(id -u)\ +users:\(\(\"python3\",pid=$(cat "$WORK/listener.childpid")\)\) ]]
  run -0 "$BIN/zerotier-cli" -D"$UNIVERSE/a" -j sockets "$NWID"
  jq -e --arg local "$IP_a" '.[] | select(.remote | endswith(":7777")) |
    .state == "ESTAB" and (.local | startswith($local)) and .recvQ == 0 and .sendQ == 0 and .uid == '"$(id -u)" <<<"$output"
  run -2 --separate-stderr "$BIN/zerotier-cli" -D"$UNIVERSE/a" sockets nonsense
  [[ "$stderr" == *"16 hex digits"* ]]
  run -1 "$BIN/zerotier-cli" -D"$UNIVERSE/a" sockets 1234567890abcdef
  stop_served peer
  stop_served listener
}
