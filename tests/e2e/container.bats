#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154,SC2164  # IP_x, NWID: exported by universe_up; bats stops at a failing cd
# An unprivileged container: no capability, no new privileges, a read-only root, an empty network namespace,
# namespaces of its own for everything else, and of the service nothing but HOME/nc/NWID, read-only (issue
# 4, acceptance; decision S3). bubblewrap makes it; docker-test/hardened.sh does the same with an engine.

setup_file() {
  load lib.bash
  confined_works || return 0
  universe_up a b
  mkdir -p "$WORK/www"
  head -c 3000000 /dev/urandom >"$WORK/www/file"
  chmod -R a+rX "$WORK/www" "$UNIVERSE/a" "$UNIVERSE/b"
}
teardown_file() {
  load lib.bash
  confined_works || return 0
  universe_down
}
setup() {
  load lib.bash
  confined_works || skip "bubblewrap is not installed, or user namespaces are not allowed"
  LIB=/run/libzerotierintercept.so
}
# BARE: the profile. / is a tmpfs that is made read-only last; /tmp is the only place to write to.
confined_works() {
  BARE=(bwrap --unshare-user --unshare-all --uid 12345 --gid 12345 --die-with-parent --new-session --cap-drop ALL
    --clearenv --setenv PATH /usr/sbin:/usr/bin --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib
    --symlink usr/lib64 /lib64 --symlink usr/sbin /sbin --ro-bind /etc /etc --proc /proc --dev /dev --tmpfs /tmp)
  "${BARE[@]}" true 2>/dev/null
}
# confined NAME [bwrap options] -- COMMAND...: with the network of that host.
confined() {
  local name=$1 options=()
  shift
  while [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  shift
  "${BARE[@]}" --ro-bind "$UNIVERSE/$name/nc/$NWID" /run/nc --ro-bind "$BIN/libzerotierintercept.so" "$LIB" "${options[@]}" \
    --remount-ro / env LD_PRELOAD="$LIB" ZT_NC_NETWORK=/run/nc "$@"
}

# shellcheck disable=SC2016 # the inner shell expands it
@test "the profile is what it says" {
  run confined b -- sh -c 'id -u; grep -E "^(CapEff|CapPrm|CapBnd|NoNewPrivs)" /proc/self/status | tr "\t" " "
    for place in / /usr /etc /run/nc; do touch $place/x 2>&1 | grep -o "Read-only file system"; done
    sed -n "3,\$s/:.*//p" /proc/net/dev; ls /run/nc'
  echo "$output"
  [ "$output" = "12345
CapPrm: 0000000000000000
CapEff: 0000000000000000
CapBnd: 0000000000000000
NoNewPrivs: 1
Read-only file system
Read-only file system
Read-only file system
Read-only file system
    lo
sock" ]
}

@test "nginx and curl, each in such a container, meet on the network" {
  cat >"$WORK/nginx.conf" <<'CONF'
worker_processes 2; pid /tmp/pid; error_log stderr; daemon off;
events {}
http { access_log off; sendfile on; client_body_temp_path /tmp/a; proxy_temp_path /tmp/b;
  fastcgi_temp_path /tmp/c; uwsgi_temp_path /tmp/d; scgi_temp_path /tmp/e;
  server { listen 80; root /run/www; } }
CONF
  confined a --ro-bind "$WORK/www" /run/www --ro-bind "$WORK/nginx.conf" /run/nginx.conf -- \
    nginx -e stderr -c /run/nginx.conf >"$WORK/nginx.log" 2>&1 3>&- &
  echo $! >"$WORK/nginx.childpid"
  wait_for 20 fetch b -o /dev/null "http://$IP_a/file"
  confined b -- curl -sS --fail --noproxy '*' --max-time 30 "http://$IP_a/file" >"$WORK/got"
  cmp "$WORK/got" "$WORK/www/file"
  # Two of one host: the short cut.
  confined a -- curl -sS --fail --noproxy '*' --max-time 30 "http://$IP_a/file" >"$WORK/got"
  cmp "$WORK/got" "$WORK/www/file"
  # Without the library there is nothing.
  run confined b -- env -u LD_PRELOAD curl -sS --noproxy '*' --max-time 5 "http://$IP_a/file"
  [ "$status" -eq 7 ]
  stop_served nginx
}
