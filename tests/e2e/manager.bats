#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Under a service manager: sd_notify, the units, and what shells complete.

load lib

setup_file() {
  universe_up a
  python3 -u - "$WORK/notify" >"$WORK/told" 2>&1 3>&- <<'PY' &
import socket, sys
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind(sys.argv[1])
while True:
    print(manager.recv(4096).decode().replace("\n", "|"), flush=True)
PY
  echo $! >"$WORK/manager.childpid"
  wait_for 10 test -S "$WORK/notify"
  mkdir "$WORK/m"
  cp "$UNIVERSE/planet" "$WORK/m/"
  echo '{"settings":{"bind":["127.0.0.1"],"allowSecondaryPort":false}}' >"$WORK/m/local.conf"
}

teardown_file() {
  universe_down
}

@test "the manager hears: ready, online, alive, stopping" {
  NOTIFY_SOCKET="$WORK/notify" WATCHDOG_USEC=400000 "$BIN/zerotier-netcon-service" -p0 "$WORK/m" \
    >"$WORK/m.log" 2>&1 3>&- &
  pid=$!
  wait_for 20 grep -q '^READY=1$' "$WORK/told"
  wait_for 20 grep -q '^STATUS=online$' "$WORK/told"
  wait_for 20 grep -q '^WATCHDOG=1$' "$WORK/told"
  kill "$pid"
  wait_for 20 grep -q '^STOPPING=1$' "$WORK/told"
  wait_for 10 is_gone "$pid"
  [ "$(grep -n READY "$WORK/told" | cut -d: -f1)" -lt "$(grep -n STOPPING "$WORK/told" | cut -d: -f1)" ]
}

@test "one that cannot be heard is no reason to stop" {
  NOTIFY_SOCKET="$WORK/nobody" WATCHDOG_USEC=garbage "$BIN/zerotier-netcon-service" -p0 "$WORK/m" \
    >"$WORK/m2.log" 2>&1 3>&- &
  pid=$!
  wait_for 20 grep -q 'main: up' "$WORK/m2.log"
  grep -q 'WATCHDOG_USEC is no time' "$WORK/m2.log"
  grep -q 'the service manager does not hear us' "$WORK/m2.log"
  kill "$pid"
  wait_for 10 is_gone "$pid"
}

@test "the units are good, and the system's is locked up" {
  command -v systemd-analyze >/dev/null || skip "systemd-analyze is not installed"
  make -C "$TOP" -s install-systemd DESTDIR="$WORK/root" PREFIX=/usr SBINDIR="$BIN" STATEDIR=/var/lib/zerotier-netcon
  unit=$WORK/root/usr/lib/systemd/system/zerotier-netcon.service
  systemd-analyze verify --man=no "$unit"
  systemd-analyze security --offline=true --threshold=20 "$unit"
}

completions() { # WORD...: what bash offers for the last one
  PATH="$BIN:$PATH" bash -c '. "$0/packaging/completion/zerotier-cli.bash"
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _zerotier_cli; printf "%s\n" "${COMPREPLY[@]}"' "$TOP" "$@"
}

@test "bash completes every command of the help, and joined networks" {
  "$BIN/zerotier-cli" -h | sed -n '/^Available commands/,/^$/s/^  \([a-z]*\) .*/\1/p' | sort >"$WORK/commands"
  [ -s "$WORK/commands" ]
  completions zerotier-cli '' | sort | cmp - "$WORK/commands"
  [ "$(completions zerotier-cli "-D$UNIVERSE/a" leave '')" = "$NWID" ]
  completions zerotier-cli controller '' | grep -q '^authorise$'
  [ "$(completions zerotier-cli set "$NWID" allowD | wc -l)" -eq 2 ]
}

@test "the other shells read their files" {
  if command -v fish >/dev/null; then
    PATH="$BIN:$PATH" fish -c "source $TOP/packaging/completion/zerotier-cli.fish; complete -C 'zerotier-cli listn'" | grep -q '^listnetworks'
  fi
  if command -v zsh >/dev/null; then zsh -n "$TOP/packaging/completion/_zerotier-cli"; fi
  command -v fish zsh >/dev/null || skip "neither fish nor zsh is installed"
}
