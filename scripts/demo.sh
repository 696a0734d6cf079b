#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Build a private ZeroTier universe on loopback and run unmodified programs on it. Needs no root.
# usage: demo.sh [--keep]     --keep leaves the universe running and prints how to use it
set -eu
cd "$(dirname "$0")/.."
keep=no
for argument in "$@"; do
  case $argument in
  --keep) keep=yes ;;
  -h | --help)
    sed -n '3,4s/^# //p' "$0"
    exit 0
    ;;
  *)
    echo "demo.sh: unknown argument '$argument'; --keep and --help are known" >&2
    exit 2
    ;;
  esac
done
scripts/install-packages.sh build demo || exit 2

if [ -t 1 ]; then bold=$(printf '\033[1m') plain=$(printf '\033[0m'); else bold='' plain=''; fi
step() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
# show NAME COMMAND...: print a command as the reader would type it, run it, show its output.
show() {
  printf '%s$ %s%s\n' "$bold" "$*" "$plain"
  "$@" 2>&1 | sed 's/^/    /'
}

step "building (a few seconds when it was built before)"
${MAKE:-make} -j"$(nproc)" all

work=$(mktemp -d "${TMPDIR:-/tmp}/netcon-demo.XXXXXX")
chmod 755 "$work"
export BIN="$PWD"
. scripts/universe.sh
children=
cleanup() {
  status=$?
  for pid in $children; do kill "$pid" 2>/dev/null || true; done
  for pid in $children; do wait "$pid" 2>/dev/null || true; done
  universe_stop
  if [ "$status" -ne 0 ]; then
    echo "demo: failed; the homes with their logs are in $work" >&2
  else
    rm -rf "$work"
  fi
}
trap cleanup EXIT
trap 'exit 130' INT TERM
interfaces_before=$(ip -o link 2>/dev/null | wc -l)

step "a universe of our own: identities, a planet, three services (no root, no tun device)"
universe_init "$work"
universe_member a
universe_member b
for name in root a b; do
  universe_start "$name"
done
for name in root a b; do
  wait_for 15 sh -c "'$BIN/zerotier-cli' -D'$work/$name' info | grep -q ONLINE"
  show "$BIN/zerotier-cli" -D"$work/$name" info
done

step "a private network, and two members on it"
nwid=$(universe_network '{"name":"demo","private":true,"v4AssignMode":{"zt":true},
  "ipAssignmentPools":[{"ipRangeStart":"10.144.0.1","ipRangeEnd":"10.144.0.254"}],
  "routes":[{"target":"10.144.0.0/24","via":null}]}')
[ -n "$nwid" ] || { echo "demo: the controller created no network" >&2; exit 1; }
ip_a=$(universe_join a "$nwid")
ip_b=$(universe_join b "$nwid")
show "$BIN/zerotier-cli" -D"$work/a" listnetworks
show "$BIN/zerotier-cli" -D"$work/b" listnetworks

lib=$BIN/libzerotierintercept.so
# in_b COMMAND...: run a program on the network, as container B.
in_b() { env LD_PRELOAD="$lib" ZT_NC_NETWORK="$work/b/nc_$nwid" "$@"; }
# serve_a FOLDER COMMAND...: the same in the background; exec, so that the pid is the program's own.
serve_a() {
  (
    cd "$1"
    shift
    exec env LD_PRELOAD="$lib" ZT_NC_NETWORK="$work/a/nc_$nwid" "$@"
  ) &
  children="$children $!"
}

step "container A ($ip_a): nginx, redis-server and python3 -m http.server, unmodified"
www=$work/www
mkdir -p "$www" "$work/nginx"
echo "hello from nginx on a ZeroTier network" >"$www/index.html"
head -c 16777216 /dev/urandom >"$www/bigfile"
cat >"$work/nginx.conf" <<EOF
worker_processes 2;
pid $work/nginx/pid;
error_log $work/nginx/error.log;
events {}
http {
  access_log off;
  client_body_temp_path $work/nginx/body;
  proxy_temp_path $work/nginx/proxy;
  fastcgi_temp_path $work/nginx/fastcgi;
  uwsgi_temp_path $work/nginx/uwsgi;
  scgi_temp_path $work/nginx/scgi;
  server { listen 80; root $www; }
}
EOF
nginx=$(command -v nginx || echo /usr/sbin/nginx)
printf '%s$ LD_PRELOAD=%s ZT_NC_NETWORK=%s nginx -c nginx.conf%s\n' "$bold" libzerotierintercept.so "$work/a/nc_$nwid" "$plain"
serve_a "$work" "$nginx" -e "$work/nginx/error.log" -c "$work/nginx.conf" -g 'daemon off;'
serve_a "$work" redis-server --port 6379 --bind 0.0.0.0 --protected-mode no --save '' --logfile "$work/redis.log"
python_port=$(free_port)
serve_a "$www" python3 -u -m http.server "$python_port" >"$work/python.log" 2>&1

step "container B ($ip_b): curl and redis-cli reach them"
curl_b() { in_b curl -sS --noproxy '*' --max-time 20 "$@"; }
wait_for 15 curl_b -o /dev/null "http://$ip_a/"
wait_for 15 curl_b -o /dev/null "http://$ip_a:$python_port/"
printf '%s$ curl http://%s/%s\n' "$bold" "$ip_a" "$plain"
curl_b "http://$ip_a/" | sed 's/^/    /'
printf '%s$ curl -o bigfile http://%s/bigfile; sha256sum (16 MiB)%s\n' "$bold" "$ip_a" "$plain"
curl_b -o "$work/received" -w '    %{size_download} bytes, %{speed_download} bytes/s\n' "http://$ip_a/bigfile"
sent=$(sha256sum <"$www/bigfile") received=$(sha256sum <"$work/received")
[ "$sent" = "$received" ] || { echo "demo: the file arrived damaged" >&2; exit 1; }
echo "    identical: ${sent%% *}"
printf '%s$ curl http://%s:%s/   (python3 -m http.server)%s\n' "$bold" "$ip_a" "$python_port" "$plain"
curl_b "http://$ip_a:$python_port/index.html" | sed 's/^/    /'
redis_b() { in_b redis-cli -h "$ip_a" "$@"; }
wait_for 15 redis_b ping
printf '%s$ redis-cli -h %s set greeting "welcome to the machine"; get greeting%s\n' "$bold" "$ip_a" "$plain"
redis_b set greeting "welcome to the machine" | sed 's/^/    /'
reply=$(redis_b get greeting)
echo "    $reply"
[ "$reply" = "welcome to the machine" ] || { echo "demo: redis answered something else" >&2; exit 1; }

step "the host itself is not on that network"
# Asked on the host's own loopback: a packet to the virtual address would leave by its default route.
printf '%s$ curl http://127.0.0.1:%s/   (on the host, without the library)%s\n' "$bold" "$python_port" "$plain"
if curl -sS --noproxy '*' --max-time 2 -o /dev/null "http://127.0.0.1:$python_port/" 2>"$work/host.err"; then
  echo "demo: the host reached the server, which it must not" >&2
  exit 1
fi
sed 's/^/    /' "$work/host.err"
printf '%s$ ip route get %s   (no interface of ours leads there)%s\n' "$bold" "$ip_a" "$plain"
{ ip route get "$ip_a" 2>&1 || true; } | sed 's/^/    /'
if ip route get "$ip_a" 2>/dev/null | grep -qE '^local|dev (zt|tun|tap)'; then
  echo "demo: the host has a way to the virtual network, which it must not" >&2
  exit 1
fi
show ip -br addr
interfaces_after=$(ip -o link 2>/dev/null | wc -l)
[ "$interfaces_before" = "$interfaces_after" ] || { echo "demo: a network interface appeared" >&2; exit 1; }
echo "    (no new interface)"

if [ "$keep" = yes ]; then
  trap - EXIT INT TERM
  cat <<EOF

${bold}The universe stays up in $work. To use it:${plain}
    export LD_PRELOAD=$lib
    export ZT_NC_NETWORK=$work/a/nc_$nwid        # or .../b/nc_$nwid
    curl http://$ip_a/
    $BIN/zerotier-cli -D$work/a listnetworks
To end it:
    kill$children
    for home in root a b; do kill \$(cat $work/\$home/zerotier-one.pid); done; rm -r $work
EOF
  exit 0
fi
step "cleaning up"
echo "everything worked"
