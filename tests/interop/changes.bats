#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# bats file_tags=interop
# What changes while the universe runs: authorisation, restarts of root and controller, a host's
# address. Member A is ours and B is zerotier-one; root and controller are either.

load lib

setup_file() {
  [ -n "${ZEROTIER_ONE:-}" ] && [ "$(id -u)" -eq 0 ] || return 0
  hosts_up
}
setup() { interop_need; }
teardown() {
  [ -n "${UNIVERSE:-}" ] || return 0
  [ -n "${BATS_TEST_COMPLETED:-}" ] || explain
  universe_end
}
teardown_file() { hosts_down; }

reaches() { fetch "$1" "$2" '' -o /dev/null --max-time 3; }
reaches_not() { ! reaches "$@"; }

# The others hear of it by a revocation. The member itself is told by our controller; theirs leaves it
# to ask again, which it does every 60 s.
deauthorise_and_back() { # MEMBER OTHER
  local patience=15
  is_ours ctl || patience=90
  authorize "$1" false
  wait_for 15 reaches_not "$2" "$1"
  wait_for "$patience" status_is "$1" ACCESS_DENIED
  authorize "$1" true
  wait_for 30 status_is "$1" OK
  # Ours gives a returning network a new stack: its programs start again, as after leave and join.
  process_end "$WORK/www-$1.childpid"
  serve_files "$1"
  wait_for 30 reaches "$2" "$1"
  wait_for 30 reaches "$1" "$2"
}

authorisation() { # CONTROLLER
  universe_of ours "$1" ours theirs
  network_up
  deauthorise_and_back a b
  deauthorise_and_back b a
}

lists_members() { is_direct root a && is_direct root b && is_direct root ctl; }

root_restart() { # ROOT
  universe_of "$1" ours ours theirs
  network_up
  wait_for 30 is_direct a b
  node_stop root
  reaches a b
  reaches b a
  node_start root
  wait_for 20 is_online root
  wait_for 120 lists_members
  all_online
  moves_big a b
  moves_big b a
}

has_name() { node_cli "$1" listnetworks | grep -q "^200 listnetworks $NWID $2 "; }

controller_restart() { # CONTROLLER
  universe_of ours "$1" ours theirs
  network_up
  node_stop ctl
  reaches a b
  node_start ctl
  wait_for 20 is_online ctl
  status_is a OK
  status_is b OK
  # It knows its networks and members still. They count as online again once they have asked, which
  # they do every 60 s; a revocation goes to those alone.
  node_api ctl POST "/controller/network/$NWID" '{"name":"renamed"}' >/dev/null
  wait_for 90 has_name a renamed
  wait_for 90 has_name b renamed
  [ "$(virtual_ip a)" = "$(known_ip a)" ]
  deauthorise_and_back b a
}

host_moves() { # NAME NEW-ADDRESS
  ip -n "$NS-$1" addr flush dev eth0 scope global
  ip -n "$NS-$1" addr add "$2/16" dev eth0
}

peer_path_is() { # NAME TO ADDRESS
  node_cli "$1" peers | awk -v to="$(node_address "$2")" -v path="$3/" \
    '$1 == to && index($NF, path) == 1 { found = 1 } END { exit !found }'
}

received_more_than() { [ "$(stat -c %s "$WORK/slow" 2>/dev/null || echo 0)" -gt "$1" ]; }

# A download is under way while the host of the side that sends, or receives, gets another address.
roams() { # MOVER OTHER NEW-ADDRESS, both ways in one connection each
  local from to
  for from in "$1" "$2"; do
    to=$2
    [ "$from" = "$1" ] || to=$1
    rm -f "$WORK/slow"
    serve "$to" slow curl -sS --fail --noproxy '*' --limit-rate 8M -o "$WORK/slow" \
      "http://$(virtual_ip "$from"):8080/big"
    wait_for 20 received_more_than 4000000
    if [ "$from" = "$1" ]; then host_moves "$1" "$3"; else host_moves "$1" "$(host_ip "$1")"; fi
    wait_for 150 is_gone "$(cat "$WORK/slow.childpid")"
    [ "$(sha256sum <"$WORK/slow")" = "$SUM" ]
    if [ "$from" = "$1" ]; then wait_for 60 peer_path_is "$2" "$1" "$3"; fi
  done
}

@test "deauthorise and authorise again, controller ours" { authorisation ours; }
@test "deauthorise and authorise again, controller theirs" { authorisation theirs; }
@test "restart of a root that is ours" { root_restart ours; }
@test "restart of a root that is theirs" { root_restart theirs; }
@test "restart of a controller that is ours" { controller_restart ours; }
@test "restart of a controller that is theirs" { controller_restart theirs; }

@test "the host of our member gets another address: connections live on" {
  universe_of ours ours ours theirs
  network_up
  roams a b 10.98.3.2
}
@test "the host of their member gets another address: connections live on" {
  universe_of ours ours ours theirs
  network_up
  roams b a 10.98.4.2
}
