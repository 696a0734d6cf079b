# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck shell=sh
# A private ZeroTier universe on loopback, for the demo, the end-to-end tests and the benches: to be
# sourced. One service is root and controller ("root"), the others are plain members.
#
#   universe_init DIR        make DIR/root with its identity, and the planet
#   universe_member NAME     make DIR/NAME, a home that knows the planet
#   universe_start NAME      start its service (a daemon; its pid is in DIR/NAME/zerotier-one.pid)
#   universe_network JSON    create a network on the controller; prints its id
#   universe_join NAME NWID  join, authorise, wait for OK and an address; prints the address
#   universe_stop            stop every service that was started, and nothing else
#
# BIN is where the programs are (default: the top of the tree); UNIVERSE is DIR after universe_init.
# UNIVERSE_IP_<NAME> overrides 127.0.0.1 for a home (benches use namespaces), UNIVERSE_RUN_<NAME> is a
# prefix for its commands, such as "ip netns exec x". UNIVERSE_NETCON is the JSON of settings.netcon.

: "${BIN:=$PWD}"

# wait_for SECONDS COMMAND...: until the command succeeds; says what it waited for when it gives up.
wait_for() {
  _deadline=$(($(date +%s) + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    if [ "$(date +%s)" -ge "$_deadline" ]; then
      echo "gave up waiting for: $*" >&2
      return 1
    fi
    sleep 0.05
  done
}

# A port nobody has, on UDP and TCP.
free_port() {
  python3 - <<'PY'
import random, socket
while True:
    port = random.randrange(20000, 32000)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as t, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
            t.bind(("127.0.0.1", port))
            u.bind(("127.0.0.1", port))
        print(port)
        break
    except OSError:
        pass
PY
}

universe_ip() {
  eval "echo \"\${UNIVERSE_IP_$1:-127.0.0.1}\""
}

# universe_run NAME COMMAND...: run a command where that home lives.
universe_run() {
  _name=$1
  shift
  eval "_prefix=\${UNIVERSE_RUN_$_name:-}"
  # shellcheck disable=SC2086,SC2154  # the prefix is a list of words
  $_prefix "$@"
}

universe_home() {
  mkdir -p "$UNIVERSE/$1"
  _netcon=
  if [ -n "${UNIVERSE_NETCON:-}" ]; then _netcon=", \"netcon\": $UNIVERSE_NETCON"; fi
  cat >"$UNIVERSE/$1/local.conf" <<EOF
{"settings": {"bind": ["$(universe_ip "$1")"], "allowSecondaryPort": false, "portMappingEnabled": false,
  "allowTcpFallbackRelay": false$_netcon}}
EOF
  "$BIN/zerotier-idtool" generate "$UNIVERSE/$1/identity.secret" "$UNIVERSE/$1/identity.public" >/dev/null
}

universe_init() {
  UNIVERSE=$1
  universe_home root
  UNIVERSE_ROOT_PORT=$(free_port)
  "$BIN/zerotier-idtool" mkplanet --key "$UNIVERSE/planet.key" --out "$UNIVERSE/planet" \
    "$UNIVERSE/root/identity.public=$(universe_ip root)/$UNIVERSE_ROOT_PORT" >/dev/null
  cp "$UNIVERSE/planet" "$UNIVERSE/root/planet"
}

universe_member() {
  universe_home "$1"
  cp "$UNIVERSE/planet" "$UNIVERSE/$1/planet"
}

universe_start() {
  if [ "$1" = root ]; then _port=$UNIVERSE_ROOT_PORT; else _port=$(free_port); fi
  # shellcheck disable=SC2086  # options are words
  universe_run "$1" "$BIN/zerotier-netcon-service" -d ${SERVICE_OPTIONS:-} -p"$_port" "$UNIVERSE/$1" \
    2>"$UNIVERSE/$1/start.log" || {
    cat "$UNIVERSE/$1/start.log" >&2
    return 1
  }
}

universe_address() {
  cut -d: -f1 "$UNIVERSE/$1/identity.public"
}

# universe_api NAME METHOD PATH [JSON]: one call of its JSON API.
universe_api() {
  universe_run "$1" curl -sS --noproxy '*' --max-time 10 -X "$2" \
    -H "X-ZT1-Auth: $(cat "$UNIVERSE/$1/authtoken.secret")" ${4:+-d "$4"} \
    "http://127.0.0.1:$(cat "$UNIVERSE/$1/zerotier-one.port")$3"
}

universe_network() {
  universe_api root POST "/controller/network/$(universe_address root)______" "$1" |
    sed -n 's/.*"nwid" *: *"\([0-9a-f]*\)".*/\1/p'
}

# The IPv4 address of NAME on NWID, once its status is OK.
universe_ipv4() {
  universe_run "$1" "$BIN/zerotier-cli" -D"$UNIVERSE/$1" listnetworks |
    awk -v nwid="$2" '$3 == nwid && / OK / { n = split($NF, ips, ","); for (i = 1; i <= n; i++)
      if (ips[i] ~ /\./) { sub("/.*", "", ips[i]); print ips[i]; found = 1; exit } } END { exit !found }'
}

universe_join() {
  universe_run "$1" "$BIN/zerotier-cli" -D"$UNIVERSE/$1" join "$2" >/dev/null
  universe_api root POST "/controller/network/$2/member/$(universe_address "$1")" '{"authorized":true}' >/dev/null
  wait_for 20 universe_ipv4 "$1" "$2" || return 1
  universe_ipv4 "$1" "$2"
}

# Has the process ended, with what it held? A zombie has (who reaps a daemon, and when, is the machine's
# affair), but not while other threads of it are left: they hold its descriptors and locks.
is_gone() {
  _status=$(cat "/proc/$1/status" 2>/dev/null) || return 0
  case $_status in *"State:	Z"*"Threads:	1
"*) return 0 ;; esac
  return 1
}

# Stop one service by the pid it wrote, and wait for its end.
universe_stop_one() {
  [ -f "$UNIVERSE/$1/zerotier-one.pid" ] || return 0
  _pid=$(cat "$UNIVERSE/$1/zerotier-one.pid")
  kill "$_pid" 2>/dev/null || return 0
  wait_for 8 is_gone "$_pid" || kill -9 "$_pid" 2>/dev/null || true
}

universe_stop() {
  for _home in "$UNIVERSE"/*/; do
    universe_stop_one "$(basename "$_home")"
  done
}
