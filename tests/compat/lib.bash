# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck shell=bash
# For the tests of Debian's programs (make compat). How this works:
#
# - Each test begins with `claim PACKAGE PROGRAM ROLE "what it exercises"`, once for each program whose role it
#   proves. When the test ends, its claims go to $COMPAT_RESULTS as pass, fail or skip;
#   scripts/compat-matrix.sh makes docs/COMPATIBILITY.md of them.
# - A package that is not installed makes its tests skips that name it, or failures if COMPAT_STRICT or CI is set.
# - Servers live on member a, clients on member b, unless a test says otherwise. Daemons are configured as their
#   users have them (workers, own users, chroots), and started as root where Debian starts them so.

# shellcheck source=tests/e2e/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/lib.bash"

# compat_up: the universe of a file, open to the users that daemons become (settings.netcon.allow).
compat_up() {
  local user
  UNIVERSE_NETCON='{"allow": ['
  for user in nobody www-data postgres git avahi; do
    if id "$user" >/dev/null 2>&1; then UNIVERSE_NETCON+="$(id -u "$user"),"; fi
  done
  UNIVERSE_NETCON=${UNIVERSE_NETCON%,}']}'
  NETWORK_JSON=${NETWORK_JSON:-$(dual_stack_network)} universe_up a b
  IP6_a=$(address6 a fd77:)
  IP6_b=$(address6 b fd77:)
  export IP6_a IP6_b
  mkdir -p "$WORK/www"
  echo "hello from the virtual network" >"$WORK/www/index.html"
  head -c 8000000 /dev/urandom >"$WORK/www/large"
  LARGE_SUM=$(sum <"$WORK/www/large")
  export LARGE_SUM
}
compat_down() {
  if [ -n "${WORK:-}" ]; then universe_down; fi
}

installed() {
  case $(dpkg-query -W -f '${Status}' "$1" 2>/dev/null) in *" installed") return 0 ;; esac
  return 1
}

# claim PACKAGE PROGRAM ROLE TEXT: see above.
claim() {
  CLAIMS+=("$1"$'\t'"$2"$'\t'"$3"$'\t'"$4")
  [ "$(id -u)" -eq 0 ] || cannot "needs root: daemons change their user"
  installed "$1" || cannot "the package $1 is not installed (as root: scripts/install-packages.sh compat)"
}
cannot() {
  [ -z "${COMPAT_STRICT:-}${CI:-}" ] || {
    echo "$1" >&2
    return 1
  }
  skip "$1"
}

# Files that need other functions of these names define their own.
setup_file() {
  compat_up
}
setup() {
  CLAIMS=()
  bats_require_minimum_version 1.5.0
}
teardown_file() {
  compat_down
}

# What became of the claims.
teardown() {
  local claim result=fail
  if [ -n "${BATS_TEST_SKIPPED:-}" ]; then
    result=skip
  elif [ "${BATS_TEST_COMPLETED:-}" = 1 ]; then
    result=pass
  elif [ -n "${WORK:-}" ]; then
    tail -n 20 "$WORK"/*.log >&2 || true
  fi
  [ -n "${COMPAT_RESULTS:-}" ] || return 0
  for claim in "${CLAIMS[@]}"; do
    printf '%s\t%s\n' "$result" "$claim" >>"$COMPAT_RESULTS"
  done
}

sum() { sha256sum | cut -d' ' -f1; }

# as USER NAME COMMAND...: on(), but as that user from the start.
as() {
  local user=$1 name=$2
  shift 2
  setpriv --reuid="$user" --regid="$(id -gn "$user")" --init-groups \
    env HOME="$(getent passwd "$user" | cut -d: -f6)" LD_PRELOAD="$BIN/libzerotierintercept.so" ZT_NC_NETWORK="$UNIVERSE/$name/nc_$NWID" "$@"
}

# serve_as USER NAME LABEL COMMAND...: the same for serve().
serve_as() {
  local user=$1 name=$2 label=$3
  shift 3
  setpriv --reuid="$user" --regid="$(id -gn "$user")" --init-groups \
    env HOME="$(getent passwd "$user" | cut -d: -f6)" LD_PRELOAD="$BIN/libzerotierintercept.so" ZT_NC_NETWORK="$UNIVERSE/$name/nc_$NWID" \
    "$@" >"$WORK/$label.log" 2>&1 3>&- &
  echo $! >"$WORK/$label.childpid"
}

# daemon NAME LABEL PIDFILE COMMAND...: serve() for what leaves for the background by itself.
daemon() {
  local name=$1 label=$2 pidfile=$3
  shift 3
  # bats waits for whoever holds one of its descriptors.
  (
    for fd in /proc/self/fd/*; do
      fd=${fd##*/}
      if [ "$fd" -gt 2 ]; then eval "exec $fd>&-"; fi
    done
    on "$name" "$@" >"$WORK/$label.log" 2>&1 </dev/null
  )
  adopt "$label" "$pidfile"
}

# adopt LABEL PIDFILE: the process of that file is that server from now on.
adopt() {
  wait_for 20 test -s "$2"
  cp "$2" "$WORK/$1.childpid"
}

# family PID: it and its descendants.
family() {
  local child
  echo "$1"
  # shellcheck disable=SC2013  # words are meant
  for child in $(cat "/proc/$1/task/"*/children 2>/dev/null); do family "$child"; done
}

# off_the_host LABEL: no process of that server holds a socket of the host's network.
off_the_host() {
  local pids
  pids=$(family "$(cat "$WORK/$1.childpid")")
  # shellcheck disable=SC2086  # a list
  python3 - $pids <<'PY'
import glob, os, sys
inodes = {}
for name in ("tcp", "tcp6", "udp", "udp6", "udplite", "raw", "raw6", "icmp", "icmp6"):
    try:
        with open("/proc/net/" + name) as table:
            for line in list(table)[1:]:
                inodes[line.split()[9]] = name + " " + line.split()[1]
    except FileNotFoundError:
        pass
seen = 0
for pid in sys.argv[1:]:
    for fd in glob.glob(f"/proc/{pid}/fd/*"):
        try:
            target = os.readlink(fd)
        except FileNotFoundError:
            continue
        seen += 1
        if target.startswith("socket:[") and target[8:-1] in inodes:
            sys.exit(f"process {pid} holds a socket of the host: {inodes[target[8:-1]]}")
if seen == 0:
    sys.exit("no process of that server is left")
PY
}

# runs_as LABEL USER: some process of that server does.
runs_as() {
  local pid uid
  uid=$(id -u "$2")
  for pid in $(family "$(cat "$WORK/$1.childpid")"); do
    if awk -v uid="$uid" '/^Uid:/ { exit !($2 == uid && $3 == uid && $4 == uid) }' "/proc/$pid/status"; then return 0; fi
  done
  return 1
}

# get_sum NAME URL [curl options]: the sum of what curl reads there.
get_sum() {
  fetch "$@" | sum
}

# http_upstream NAME PORT [LABEL]: a small server of www/ with keep-alive, for what proxies.
http_upstream() {
  serve "$1" "${3:-upstream}" /usr/bin/python3 -u -c '
import http.server, sys
class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
http.server.ThreadingHTTPServer.request_queue_size = 128
http.server.ThreadingHTTPServer(("", int(sys.argv[2])), lambda *a: Handler(*a, directory=sys.argv[1])).serve_forever()' \
    "$WORK/www" "$2"
  wait_for 20 fetch a -o /dev/null "http://$(address_of "$1"):$2/index.html"
}
address_of() {
  local name="IP_$1"
  echo "${!name}"
}

# refused_at PORT: does a refuse b there?
refused_at() {
  local status=0
  fetch b -o /dev/null "http://$IP_a:$1/" || status=$?
  [ "$status" -eq 7 ]
}
