#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154,SC2164,SC2016,SC2317  # IP_x, NWID: exported by universe_up; bats stops at a failing cd; for sh
# What programs do with privileges (chroot, setuid, exec: decision S4), and what strangers cannot do with
# names (decision S2). Needs root: a user can neither chroot nor make a network namespace of the same owner.

bats_require_minimum_version 1.5.0

setup_file() {
  [ "$(id -u)" -eq 0 ] || return 0
  load lib.bash
  universe_up a
}
teardown_file() {
  [ "$(id -u)" -eq 0 ] || return 0
  load lib.bash
  universe_down
}
setup() {
  [ "$(id -u)" -eq 0 ] || skip "needs root"
  load lib.bash
  PERL='use Socket; socket(S, PF_INET, SOCK_STREAM, 0) or die "socket: $!\n"; print "exec\n"'
}

@test "sockets go on after chroot() and setuid(), and a further exec" {
  mkdir -p "$WORK/empty"
  run on a python3 - "$WORK/empty" "$PERL" <<'PY'
import encodings.idna, os, socket, sys
before = socket.create_server(("127.0.0.1", 0))
pid = os.fork()
if pid == 0:
    os.chroot(sys.argv[1])
    os.chdir("/")
    os.setgid(65534)
    os.setuid(65534)
    inside = socket.create_connection(before.getsockname())
    print("chroot", inside.getpeername() == before.getsockname(), flush=True)
    os._exit(0)
os.waitpid(pid, 0)
before.accept()
os.setgid(65534)
os.setuid(65534)
socket.create_connection(before.getsockname())
print("setuid", flush=True)
# execv() takes libc's environment, in which the library announced the connection that it keeps. perl: a
# private python may be out of reach of that user.
os.execv("/bin/sh", ["sh", "-c", "env | grep -c ^ZT_NC_CTL=; exec perl -e '%s'" % sys.argv[2]])
PY
  [ "$status" -eq 0 ]
  [ "$output" = "chroot True
setuid
1
exec" ]
}

@test "another user's program is refused, also with somebody else's ZT_NC_CTL" {
  run on a python3 - "$PERL" <<'PY'
import os, socket, sys
os.setgroups([])
pid = os.fork()
if pid == 0:
    # A clean environment: nothing is handed over. Descriptor 900 and a cookie that is not its own.
    env = {k: v for k, v in os.environ.items()} | {"ZT_NC_CTL": "900:4711"}
    os.closerange(3, 1024)
    os.dup2(os.open("/dev/null", os.O_RDWR), 900)
    os.set_inheritable(900, True)
    os.setgid(65534)
    os.setuid(65534)
    os.execve("/usr/bin/perl", ["perl", "-e", sys.argv[1]], env)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PY
  [[ "$output" == "socket: Permission denied"*13 ]]
}

@test "a name forged in another network namespace proves nothing" {
  run unshare -n python3 - "$UNIVERSE/a/nc_$NWID" <<'PY'
import array, errno, os, socket, struct, sys
MAGIC, HELLO, SOCKET, LISTEN, NAME, HAVE_FD, HAVE_REPLY = 0x434e545a, 1, 2, 4, 8, 4, 8
def call(ctl, op, body, a):
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    mine.settimeout(10)
    fds = [theirs.fileno()] if a is None else [a.fileno(), theirs.fileno()]
    flags = HAVE_REPLY | (HAVE_FD if a is not None else 0)
    ctl.sendmsg([struct.pack("IHHIi", 16 + len(body), op, flags, 1, 0) + body],
                [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
    theirs.close()
    reply, cmsgs, _, _ = mine.recvmsg(500, 100)
    got = [socket.socket(fileno=array.array("i", c[2][:4])[0]) for c in cmsgs]
    return struct.unpack_from("i", reply, 12)[0], got
ctl = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
ctl.connect(sys.argv[1])
ctl.send(struct.pack("IHHIi", 40, HELLO, 0, 0, 0) + struct.pack("IHHIIQ", MAGIC, 1, 1, os.getpid(), 0, 0))
assert struct.unpack_from("i", ctl.recv(500), 12)[0] == 0
# Our own socket is ours, in this namespace too.
error, fds = call(ctl, SOCKET, struct.pack("iiiIQ", 2, 1, 6, 0, 0), None)
assert error == 0
print("own", call(ctl, NAME, struct.pack("II", 0, 0), fds[0])[0])
# Names are no secret (/proc/net/unix); here, unlike in the service's namespace, nobody has this one.
forged = fds[0].getsockname()
for op, body in ((NAME, struct.pack("II", 0, 0)), (LISTEN, struct.pack("iI", 5, 0))):
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    a.bind(forged)
    print("forged", errno.errorcode[call(ctl, op, body, a)[0]])
    a.close()
PY
  [ "$status" -eq 0 ]
  [ "$output" = "own 0
forged EBADF
forged EBADF" ]
}

@test "settings.netcon.allow lets a user in from the moment it is written, and out again" {
  listed() {
    setpriv --reuid=65534 --regid=65534 --clear-groups env LD_PRELOAD="$BIN/libzerotierintercept.so" \
      ZT_NC_NETWORK="$UNIVERSE/a/nc_$NWID" perl -e "$PERL"
  }
  run -13 listed
  [[ "$output" == "socket: Permission denied"* ]]
  cp "$UNIVERSE/a/local.conf" "$WORK/before.conf"
  sed 's|"settings": {|"settings": {"netcon": {"allow": [65534]}, |' "$WORK/before.conf" >"$WORK/new.conf"
  mv "$WORK/new.conf" "$UNIVERSE/a/local.conf"
  wait_for 10 listed
  run listed
  [ "$output" = exec ]
  # One who is not listed is still refused, now by the service.
  run -13 setpriv --reuid=65533 --regid=65533 --clear-groups env LD_PRELOAD="$BIN/libzerotierintercept.so" \
    ZT_NC_NETWORK="$UNIVERSE/a/nc_$NWID" perl -e "$PERL"
  [[ "$output" == "socket: Permission denied"* ]]
  grep -q "uid=65533" "$UNIVERSE/a/netcon.log"
  mv "$WORK/before.conf" "$UNIVERSE/a/local.conf"
  refused() { ! listed; }
  wait_for 10 refused
}

# Containers mount that directory, and run as whoever they like (decisions S3, S4).
@test "the socket's directory serves a stranger where the mode lets him in" {
  pid=$(cat "$UNIVERSE/a/zerotier-one.pid")
  kill "$pid"
  wait_for 10 is_gone "$pid"
  sed -i 's|"settings": {|"settings": {"netcon": {"socketMode": "0666"}, |' "$UNIVERSE/a/local.conf"
  grep -q socketMode "$UNIVERSE/a/local.conf"
  universe_start a
  wait_for 20 test -S "$UNIVERSE/a/nc/$NWID/sock"
  for network in "$UNIVERSE/a/nc/$NWID" "$UNIVERSE/a/nc_$NWID"; do
    run setpriv --reuid 65534 --regid 65534 --clear-groups env LD_PRELOAD="$BIN/libzerotierintercept.so" \
      ZT_NC_NETWORK="$network" perl -e "$PERL"
    [ "$output" = exec ]
  done
}

# No LD_PRELOAD: the file that the loader reads for every program, in a mount namespace of its own. No network
# there either, so what is not intercepted reaches nothing.
preload_file() {
  [ ! -e "$WORK/etc" ] || return 0
  mkdir "$WORK/etc"
  cp -a /etc/. "$WORK/etc"
  cp "$BIN/build/release/libzerotierintercept.so" "$WORK/"
  echo "$WORK/libzerotierintercept.so" >"$WORK/etc/ld.so.preload"
}
preloaded() { # COMMAND...: in a shell of its own (run, &), which it becomes
  exec unshare -mn sh -c 'mount --bind "$0" /etc && exec "$@"' "$WORK/etc" "$@"
}

@test "by /etc/ld.so.preload: programs with ZT_NC_NETWORK are intercepted, others are not" {
  preload_file
  preloaded env ZT_NC_NETWORK="$UNIVERSE/a/nc_$NWID" python3 -m http.server 8080 >"$WORK/preload.log" 2>&1 3>&- &
  echo $! >"$WORK/preload.childpid"
  wait_for 20 on a curl -s -o /dev/null --noproxy '*' "http://$IP_a:8080/"
  run preloaded env ZT_NC_NETWORK="$UNIVERSE/a/nc_$NWID" curl -sS --fail --noproxy '*' -o /dev/null -w '%{remote_ip}' "http://$IP_a:8080/"
  [ "$output" = "$IP_a" ]
  run preloaded curl -sS --noproxy '*' --max-time 10 "http://$IP_a:8080/"
  [ "$status" -eq 7 ]
}

@test "by /etc/ld.so.preload: a set-user-ID program takes no settings from its caller" {
  preload_file
  cp "$(readlink -f "$(command -v curl)")" "$WORK/curl-as-root"
  chmod 4755 "$WORK/curl-as-root"
  nobody_gets() { # PROGRAM
    preloaded setpriv --reuid 65534 --regid 65534 --clear-groups env ZT_NC_EXPLAIN=1 \
      ZT_NC_NETWORK="$UNIVERSE/a/nc_$NWID" "$1" -sS --noproxy '*' --max-time 10 "http://$IP_a:8080/"
  }
  run nobody_gets curl
  [[ "$output" == *"netcon["* ]]
  run nobody_gets "$WORK/curl-as-root"
  [ "$status" -eq 7 ]
  [[ "$output" != *"netcon["* ]]
}
