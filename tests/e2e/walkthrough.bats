#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154,SC2164  # IP_x, NWID: exported by universe_up; bats stops at a failing cd
# The original's walk-through, typed as its users typed it, from the repository's top.

setup() {
  load lib.bash
  universe_up b
}
teardown() {
  universe_down
}

listed() {
  ./zerotier-cli -D"$HOME_A" listnetworks | grep -q " OK .* $HOME_A/nc_$NWID .*10\.77\.0\."
}

@test "service -d -p, cli join, listnetworks, LD_PRELOAD and ZT_NC_NETWORK exported, a server" {
  cd "$TOP"
  HOME_A=$WORK/a
  mkdir "$HOME_A"
  cp "$WORK/planet" "$HOME_A/planet"
  ./zerotier-netcon-service -d -p"$(free_port)" "$HOME_A"
  ./zerotier-cli -D"$HOME_A" join "$NWID" | grep -q '^200 join OK$'
  universe_api root POST "/controller/network/$NWID/member/$(cut -d: -f1 "$HOME_A/identity.public")" \
    '{"authorized":true}' >/dev/null
  wait_for 20 listed
  ip=$(universe_ipv4 a "$NWID")
  (
    export LD_PRELOAD=$PWD/libzerotierintercept.so ZT_NC_NETWORK=$HOME_A/nc_$NWID
    cd "$WORK/www" 2>/dev/null || mkdir "$WORK/www" && cd "$WORK/www"
    echo "served by the walk-through" >index.html
    exec python3 -m http.server 80 3>&- >"$WORK/python.log" 2>&1
  ) &
  echo $! >"$WORK/python.childpid"
  wait_for 15 fetch b -o /dev/null "http://$ip/"
  [ "$(fetch b "http://$ip/")" = "served by the walk-through" ]
}

@test "the service generates identity and token when the home is empty, with the right modes" {
  mkdir "$WORK/fresh"
  "$BIN/zerotier-netcon-service" -d -p"$(free_port)" "$WORK/fresh"
  [ "$(stat -c %a "$WORK/fresh/identity.secret")" = 600 ]
  [ "$(stat -c %a "$WORK/fresh/authtoken.secret")" = 600 ]
  "$BIN/zerotier-idtool" validate "$WORK/fresh/identity.secret"
  [ "$(tr -d 'a-z0-9' <"$WORK/fresh/authtoken.secret" | wc -c)" -eq 0 ]
}
