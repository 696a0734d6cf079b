# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck shell=bash
# Shared by the long tests: a universe of two virtual hosts, and what a service weighs.
#
# A service is back where it began when it holds as many descriptors as then, lists no socket that was
# not there, and is no heavier than a stated bound. What it weighs is its proportional set size; the
# memory of kernel sockets is not in there, the growth of the machine's slabs is printed beside it.

# shellcheck source=scripts/universe.sh
. scripts/universe.sh

# soak_limit N: room for N descriptors in every process that follows, or a sentence and the end.
soak_limit() {
  local hard
  hard=$(ulimit -Hn)
  if [ "$hard" != unlimited ] && [ "$hard" -lt "$1" ]; then
    echo "$0: needs $1 descriptors in one process, the limit is $hard: raise it (as root: ulimit -Hn $1;" \
      "for good: LimitNOFILE= of the unit, or nofile in limits.conf), or ask for less" >&2
    exit 2
  fi
  ulimit -Sn "$1"
}

# soak_universe MEMBER...: services, one network; sets NWID and IP_<member>.
soak_universe() {
  local name
  WORK=$(mktemp -d "${TMPDIR:-/tmp}/netcon-soak.XXXXXX")
  chmod 755 "$WORK"
  universe_init "$WORK"
  for name in "$@"; do universe_member "$name"; done
  for name in root "$@"; do universe_start "$name"; done
  NWID=$(universe_network '{"name":"soak","private":true,"v4AssignMode":{"zt":true},
    "ipAssignmentPools":[{"ipRangeStart":"10.78.0.1","ipRangeEnd":"10.78.0.254"}],
    "routes":[{"target":"10.78.0.0/24","via":null}]}')
  for name in "$@"; do printf -v "IP_$name" '%s' "$(universe_join "$name" "$NWID")"; done
}

# on NAME COMMAND...: a program on the network as that host.
on() {
  local name=$1
  shift
  env LD_PRELOAD="$BIN/libzerotierintercept.so" ZT_NC_NETWORK="$UNIVERSE/$name/nc_$NWID" "$@"
}

service_pid() { cat "$UNIVERSE/$1/zerotier-one.pid"; }
service_descriptors() { find "/proc/$(service_pid "$1")/fd" -mindepth 1 | wc -l; }
service_kib() { awk '/^Pss:/ { print $2 }' "/proc/$(service_pid "$1")/smaps_rollup"; }
service_wakeups() { # of the loop's thread, which sleeps whenever it has nothing to do
  local pid
  pid=$(service_pid "$1")
  awk '/^voluntary_ctxt_switches/ { print $2 }' "/proc/$pid/task/$pid/status"
}
service_sockets() { # how many virtual sockets; TIME-WAIT, which is nobody's, is not among them
  "$BIN/zerotier-cli" -D"$UNIVERSE/$1" sockets -j | jq length
}
slab_kib() { awk '/^Slab:/ { print $2 }' /proc/meminfo; }

# is_back NAME DESCRIPTORS SOCKETS: as many of both as then.
is_back() {
  [ "$(service_descriptors "$1")" -le "$2" ] && [ "$(service_sockets "$1")" -le "$3" ]
}
