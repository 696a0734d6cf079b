# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck shell=bash
# Shared by every end-to-end test: a universe per file, torn down by what it started and nothing else.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export BIN=${BIN:-$TOP}
# Debian's programs first: a version manager's shell shims (pyenv, nvm) would be traced and judged in
# place of the program they start.
export PATH="/usr/bin:/bin:$PATH"
# shellcheck source=scripts/universe.sh
. "$TOP/scripts/universe.sh"

# The pool leaves .1 and everything from .200 on to nobody: tests that want an address without a member,
# or one they set themselves, take it from there.
#
# universe_up MEMBER...: root, members, one private network (NETWORK_JSON, if set); sets NWID and IP_<member>.
universe_up() {
  WORK=$(mktemp -d "${TMPDIR:-/tmp}/netcon-e2e.XXXXXX")
  chmod 755 "$WORK"
  export WORK
  universe_init "$WORK"
  local name
  for name in "$@"; do universe_member "$name"; done
  for name in root "$@"; do universe_start "$name"; done
  for name in root "$@"; do wait_for 20 is_online "$name"; done
  NWID=$(universe_network "${NETWORK_JSON:-$(cat <<'JSON'
{"name":"e2e","private":true,"v4AssignMode":{"zt":true},
 "ipAssignmentPools":[{"ipRangeStart":"10.77.0.2","ipRangeEnd":"10.77.0.199"}],
 "routes":[{"target":"10.77.0.0/24","via":null}]}
JSON
  )}")
  for name in "$@"; do
    printf -v "IP_$name" '%s' "$(universe_join "$name" "$NWID")"
    export "IP_$name"
  done
  export NWID UNIVERSE UNIVERSE_ROOT_PORT
}

# For NETWORK_JSON: addresses of every kind.
dual_stack_network() {
  cat <<'JSON'
{"name":"e2e6","private":true,"v4AssignMode":{"zt":true},
 "v6AssignMode":{"rfc4193":true,"6plane":true,"zt":true},
 "ipAssignmentPools":[{"ipRangeStart":"10.77.0.2","ipRangeEnd":"10.77.0.199"},
  {"ipRangeStart":"fd77::1","ipRangeEnd":"fd77::ff"}],
 "routes":[{"target":"10.77.0.0/24","via":null},{"target":"fd77::/64","via":null}]}
JSON
}

# address6 NAME PREFIX: its address that begins so (fd77: pool, fc: 6PLANE, fd: RFC 4193 or pool).
address6() {
  "$BIN/zerotier-cli" -D"$UNIVERSE/$1" listnetworks |
    awk -v nwid="$NWID" -v prefix="$2" '$3 == nwid { n = split($NF, ips, ","); for (i = 1; i <= n; i++)
      if (index(ips[i], prefix) == 1) { sub("/.*", "", ips[i]); print ips[i]; found = 1; exit } } END { exit !found }'
}

# link_local6 NAME: fe80::/64 with the MAC of its interface (RFC 4291, appendix A).
link_local6() {
  "$BIN/zerotier-cli" -D"$UNIVERSE/$1" listnetworks -j | python3 -c '
import ipaddress, json, sys
mac = bytes.fromhex(next(n for n in json.load(sys.stdin) if n["id"] == sys.argv[1])["mac"].replace(":", ""))
print(ipaddress.IPv6Address(bytes.fromhex("fe80" + "00" * 6) + bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]))
' "$NWID"
}

universe_down() {
  local pid
  for pid in $(cat "$WORK"/*.childpid 2>/dev/null); do
    kill "$pid" 2>/dev/null || true
  done
  universe_stop
  rm -rf "$WORK"
}

is_online() {
  "$BIN/zerotier-cli" -D"$UNIVERSE/$1" -j info | grep -q '"online": *true'
}

# on NAME COMMAND...: run a program on the network as that container.
on() {
  local name=$1
  shift
  env LD_PRELOAD="$BIN/libzerotierintercept.so" ZT_NC_NETWORK="$UNIVERSE/$name/nc_$NWID" "$@"
}

# serve NAME LABEL COMMAND...: the same in the background; stopped by universe_down or stop_served.
serve() {
  local name=$1 label=$2
  shift 2
  env LD_PRELOAD="$BIN/libzerotierintercept.so" ZT_NC_NETWORK="$UNIVERSE/$name/nc_$NWID" \
    "$@" >"$WORK/$label.log" 2>&1 3>&- &
  echo $! >"$WORK/$label.childpid"
}

stop_served() {
  kill "$(cat "$WORK/$1.childpid")"
  rm "$WORK/$1.childpid"
}

fetch() { # NAME URL [curl options]
  local name=$1
  shift
  on "$name" curl -sS --fail --noproxy '*' --max-time 60 "$@"
}

service_fds() { # NAME: how many descriptors its service holds
  find "/proc/$(cat "$UNIVERSE/$1/zerotier-one.pid")/fd" -mindepth 1 | wc -l
}

# nginx_conf FILE ROOT LISTEN: a configuration as users have it: a master and two workers.
nginx_conf() {
  mkdir -p "$WORK/nginx"
  cat >"$1" <<EOF
worker_processes 2;
pid $WORK/nginx/pid;
error_log $WORK/nginx/error.log;
events { worker_connections 1024; }
http {
  access_log off;
  sendfile on;
  keepalive_timeout 5;
  client_body_temp_path $WORK/nginx/body;
  proxy_temp_path $WORK/nginx/proxy;
  fastcgi_temp_path $WORK/nginx/fastcgi;
  uwsgi_temp_path $WORK/nginx/uwsgi;
  scgi_temp_path $WORK/nginx/scgi;
  server { listen $3; root $2; }
}
EOF
}
