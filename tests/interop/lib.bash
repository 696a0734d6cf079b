# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck shell=bash
# Universes in which zerotier-one stands in some places and ours in the others.
#
# Every node lives in a network namespace of its own, all of them on one bridge in another; nothing
# leads out of there. Nodes are root, ctl, a and b; each is "ours" or "theirs". Their homes hold a
# planet that lists the universe's own root, so neither program ever asks for a public one.
#
#   ZEROTIER_ONE   the zerotier-one to run; without it every test is skipped

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export BIN=${BIN:-$TOP}
# shellcheck source=scripts/universe.sh
. "$TOP/scripts/universe.sh"

NODES="root ctl a b"
PORT=9993

interop_need() {
  [ -n "${ZEROTIER_ONE:-}" ] || skip "ZEROTIER_ONE names no zerotier-one binary"
  [ -x "$ZEROTIER_ONE" ] || skip "ZEROTIER_ONE=$ZEROTIER_ONE is no program"
  [ "$(id -u)" -eq 0 ] || skip "network namespaces with a tun device need root"
  [ -c /dev/net/tun ] || skip "there is no /dev/net/tun, which zerotier-one needs"
}

# --- hosts -----------------------------------------------------------------------------------------

# A namespace per node; their names begin with $NS, which holds our process id. Every host is in a /24
# of its own (10.98.1.1, 10.98.2.1, ...): a root hears one stranger per /24 and 2 s (vl1 15.1), and
# sixteen universes would wait for that.
hosts_up() {
  WORK=$(mktemp -d "${TMPDIR:-/tmp}/netcon-interop.XXXXXX")
  chmod 755 "$WORK"
  NS=nci$$
  local name
  ip netns add "$NS-br"
  ip -n "$NS-br" link add br0 type bridge
  ip -n "$NS-br" link set br0 up
  for name in $NODES; do
    ip netns add "$NS-$name"
    ip link add "v$name" netns "$NS-br" type veth peer name eth0 netns "$NS-$name"
    ip -n "$NS-br" link set "v$name" master br0 up
    ip -n "$NS-$name" link set lo up
    ip -n "$NS-$name" link set eth0 up
    ip -n "$NS-$name" addr add "$(host_ip "$name")/16" dev eth0
  done
  PYTHON=$(python3 -c 'import sys; print(sys.executable)')
  mkdir "$WORK/www"
  head -c 67108864 /dev/urandom >"$WORK/www/big"
  SUM=$(sha256sum <"$WORK/www/big")
  export WORK NS PYTHON SUM
}

hosts_down() {
  [ -n "${WORK:-}" ] || return 0
  local name
  for name in $NODES; do ip netns del "$NS-$name" || true; done
  ip netns del "$NS-br" || true
  if [ -z "${INTEROP_KEEP:-}" ]; then rm -rf "$WORK"; else echo "# kept: $WORK" >&3; fi
}

host_ip() {
  case $1 in root) echo 10.98.1.1 ;; ctl) echo 10.98.2.1 ;; a) echo 10.98.3.1 ;; b) echo 10.98.4.1 ;; esac
}

at() { # NAME COMMAND...: run it on that host, not on the virtual network
  local name=$1
  shift
  ip netns exec "$NS-$name" "$@"
}

# --- nodes -----------------------------------------------------------------------------------------

kind() { eval "echo \$KIND_$1"; }
kinds() { echo "$(kind root) $(kind ctl) $(kind a) $(kind b)"; }
is_ours() { [ "$(kind "$1")" = ours ]; }

# An identity per node and kind, made once per file by the program that will use it.
identity_of() { # NAME
  local folder
  folder=$WORK/identity-$1-$(kind "$1")
  if [ ! -d "$folder" ]; then
    mkdir "$folder"
    if is_ours "$1"; then
      "$BIN/zerotier-idtool" generate "$folder/identity.secret" "$folder/identity.public" >/dev/null
    else
      "$ZEROTIER_ONE" -i generate "$folder/identity.secret" "$folder/identity.public" >/dev/null
    fi
  fi
  echo "$folder"
}

# universe_of ROOT CTL A B, each ours or theirs: fresh homes with one planet, started.
universe_of() {
  KIND_root=$1 KIND_ctl=$2 KIND_a=$3 KIND_b=$4
  export KIND_root KIND_ctl KIND_a KIND_b
  UNIVERSE=$WORK/u
  export UNIVERSE
  rm -rf "$UNIVERSE"
  mkdir "$UNIVERSE"
  local name
  "$BIN/zerotier-idtool" mkplanet --key "$WORK/planet.key" --out "$UNIVERSE/planet" \
    "$(identity_of root)/identity.public=$(host_ip root)/$PORT" >/dev/null
  for name in $NODES; do
    mkdir "$UNIVERSE/$name"
    cp "$(identity_of "$name")"/identity.* "$UNIVERSE/planet" "$UNIVERSE/$name/"
    echo '{"settings":{"allowTcpFallbackRelay":false,"portMappingEnabled":false,"softwareUpdate":"disable"}}' \
      >"$UNIVERSE/$name/local.conf"
    node_start "$name"
  done
}

node_start() {
  local program=$BIN/zerotier-netcon-service
  is_ours "$1" || program=$ZEROTIER_ONE
  # No function here: the pid must be the program's own.
  ip netns exec "$NS-$1" "$program" -U -p$PORT "$UNIVERSE/$1" >>"$UNIVERSE/$1/output.log" 2>&1 3>&- &
  echo $! >"$WORK/node-$1.pid"
}

process_end() { # PIDFILE: end it and wait for that
  [ -f "$1" ] || return 0
  local pid
  pid=$(cat "$1")
  rm "$1"
  kill "$pid" 2>/dev/null || return 0
  wait_for 10 is_gone "$pid" || kill -9 "$pid"
}

node_stop() { process_end "$WORK/node-$1.pid"; }

universe_end() {
  local file
  for file in "$WORK"/*.childpid "$WORK"/node-*.pid; do process_end "$file"; done
}

node_cli() { # NAME COMMAND...: by the node's own zerotier-cli
  local name=$1
  shift
  if is_ours "$name"; then
    at "$name" "$BIN/zerotier-cli" -D"$UNIVERSE/$name" "$@"
  else
    at "$name" "$ZEROTIER_ONE" -q -D"$UNIVERSE/$name" "$@"
  fi
}

node_api() { # NAME METHOD PATH [JSON]
  at "$1" curl -sS --fail --noproxy '*' --max-time 10 -X "$2" \
    -H "X-ZT1-Auth: $(cat "$UNIVERSE/$1/authtoken.secret")" ${4:+-d "$4"} "http://127.0.0.1:$PORT$3"
}

node_address() { cut -d: -f1 "$UNIVERSE/$1/identity.public"; }
is_online() { node_cli "$1" info | grep -q ' ONLINE'; }

all_online() {
  local name
  for name in $NODES; do wait_for 30 is_online "$name" || return 1; done
}

network_make() { # sets NWID
  NWID=$(node_api ctl POST "/controller/network/$(node_address ctl)______" \
    '{"name":"interop","private":true,"v4AssignMode":{"zt":true},
      "ipAssignmentPools":[{"ipRangeStart":"10.99.0.1","ipRangeEnd":"10.99.0.254"}],
      "routes":[{"target":"10.99.0.0/24","via":null}]}' |
    sed -n 's/.*"nwid" *: *"\([0-9a-f]*\)".*/\1/p')
  export NWID
  [ ${#NWID} -eq 16 ]
}

authorize() { # NAME true|false
  node_api ctl POST "/controller/network/$NWID/member/$(node_address "$1")" "{\"authorized\":$2}" >/dev/null
}

status_is() { # NAME STATUS
  node_cli "$1" listnetworks | awk -v id="$NWID" -v status=" $2 " \
    '$3 == id && index($0, status) { found = 1 } END { exit !found }'
}

known_ip() { # NAME: the address it had when it joined
  eval "echo \$IP_$1"
}
has_address() { [ -n "$(virtual_ip "$1")" ]; }
virtual_ip() { # NAME: its IPv4 address once the network is OK there
  node_cli "$1" listnetworks | awk -v id="$NWID" '$3 == id && / OK / { n = split($NF, list, ",")
    for (i = 1; i <= n; i++) if (list[i] ~ /^[0-9.]+\//) { sub("/.*", "", list[i]); print list[i]; exit } }'
}

member_join() { # NAME: sets IP_<name>
  node_cli "$1" join "$NWID" >/dev/null
  authorize "$1" true
  # zerotier-one's controller can lose an authorisation that comes while it stores the member's first
  # request (seen once in 60 universes: ACCESS_DENIED for good); said again, it is kept.
  if ! wait_for 15 has_address "$1"; then
    authorize "$1" true
    wait_for 30 has_address "$1" || return 1
  fi
  printf -v "IP_$1" '%s' "$(virtual_ip "$1")"
  export "IP_$1"
}

is_direct() { # NAME TO: its peer list has a direct path there
  node_cli "$1" peers | awk -v to="$(node_address "$2")" '$1 == to && / DIRECT / { found = 1 } END { exit !found }'
}

# --- programs on the virtual network ---------------------------------------------------------------

# on_words NAME: sets ON, what comes before a command: the interceptor for ours, the kernel for theirs.
on_words() {
  ON=(ip netns exec "$NS-$1")
  is_ours "$1" || return 0
  ON+=(env LD_PRELOAD="$BIN/libzerotierintercept.so" ZT_NC_NETWORK="$UNIVERSE/$1/nc_$NWID")
}

on() { # NAME COMMAND...: run a program on the network as that member
  on_words "$1"
  shift
  "${ON[@]}" "$@"
}

serve() { # NAME LABEL COMMAND...: in the background until universe_end
  local name=$1 label=$2
  shift 2
  on_words "$name"
  "${ON[@]}" "$@" >"$WORK/$label.log" 2>&1 3>&- &
  echo $! >"$WORK/$label.childpid"
}

serve_files() { # NAME [PORT]: WORK/www on that port, else 8080
  serve "$1" "www-$1${2:+-$2}" "$PYTHON" -u -m http.server "${2:-8080}" --bind 0.0.0.0 --directory "$WORK/www"
}

fetch() { # NAME FROM PATH [curl options]
  local name=$1 from="IP_$2" path=$3
  shift 3
  on "$name" curl -sS --fail --noproxy '*' --max-time 60 "$@" "http://${!from}:8080/$path"
}

connects() { # NAME TO PORT: within a second
  local to="IP_$2"
  on "$1" curl -sS --noproxy '*' --max-time 1 -o /dev/null "http://${!to}:$3/"
}

moves_big() { # NAME FROM: 64 MiB with the right hash; prints MB/s
  local speed
  speed=$(fetch "$1" "$2" big -o "$WORK/received" -w '%{speed_download}') || return 1
  [ "$(sha256sum <"$WORK/received")" = "$SUM" ] || return 1
  awk -v speed="$speed" 'BEGIN { printf "%.0f\n", speed / 1e6 }'
}

pings() { # NAME TO BYTES
  local to="IP_$2"
  on "$1" ping -q -c 3 -i 0.2 -W 2 -s "$3" "${!to}"
}

# network_up: a network of ctl with a and b on it, files served by both.
network_up() {
  all_online || return 1
  network_make || return 1
  member_join a || return 1
  member_join b || return 1
  serve_files a
  serve_files b
  wait_for 20 fetch b a '' -o /dev/null || return 1
  wait_for 20 fetch a b '' -o /dev/null
}

# Said when a test fails: what every node thinks and the ends of the logs.
explain() {
  local name
  for name in $NODES; do
    echo "--- $name ($(kind "$name"), $(node_address "$name"))"
    node_cli "$name" info
    node_cli "$name" listnetworks
    node_cli "$name" peers
    tail -n 15 "$UNIVERSE/$name/output.log"
  done 2>&1
}
