#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Build the packages (make-deb.sh, lintian included), install them in a fresh minimal Debian, use them,
# remove and purge them. Needs root; the fresh system is made by debootstrap below build/deb/root.
# usage: check-deb.sh [SUITE]   (default bookworm)
set -eu
suite=${1:-bookworm}
cd "$(dirname "$0")/.."
if [ "$(id -u)" -ne 0 ]; then
  echo "check-deb.sh: a chroot needs root; run it as root, or scripts/make-deb.sh alone" >&2
  exit 77
fi
scripts/make-deb.sh
root=$PWD/build/deb/root
passed=0 failed=0
# The machine's own mirror: what apt says it would fetch a package from.
# shellcheck disable=SC2016 # apt's own variable
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n 1)
[ -n "$mirror" ] || { echo "check-deb.sh: apt names no mirror; run apt-get update" >&2; exit 2; }
debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" "$mirror" >build/deb/debootstrap.log 2>&1 || {
  tail -n 20 build/deb/debootstrap.log >&2
  exit 1
}
cleanup() { umount "$root/proc" 2>/dev/null || true; rm -rf "$root"; }
trap cleanup EXIT
mount -t proc proc "$root/proc"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"
mkdir "$root/deb"
cp build/deb/*.deb "$root/deb/"
inside() { chroot "$root" env DEBIAN_FRONTEND=noninteractive LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }

check() { # NAME COMMAND...
  name=$1
  shift
  if "$@" >build/deb/step.log 2>&1; then
    echo "ok   deb $name"
    passed=$((passed + 1))
  else
    echo "FAIL deb $name"
    tail -n 20 build/deb/step.log
    failed=$((failed + 1))
  fi
}
not() { ! "$@"; }
user_is_there() { inside getent passwd zerotier-netcon; }
# shellcheck disable=SC2016 # expanded inside
serves() { # the installed service, as its own user: up, asked by the installed tool, stopped
  inside sh -euc '
    install -d -o zerotier-netcon -g zerotier-netcon -m 750 /var/lib/zerotier-netcon
    su -s /bin/sh zerotier-netcon -c "umask 027; zerotier-netcon-service -d -p0 /var/lib/zerotier-netcon"
    zerotier-netcon-cli info | grep "^200 info "
    zerotier-cli -j info | grep "\"online\""
    [ "$(stat -c %a /var/lib/zerotier-netcon/identity.secret)" = 600 ]
    kill "$(cat /var/lib/zerotier-netcon/zerotier-one.pid)"'
}
# shellcheck disable=SC2016
explains() { # the launcher finds its library and says what is missing
  inside sh -uc 'zerotier-intercept -n 1234567890abcdef true 2>&1 | grep -q zerotier'
}
purged() {
  inside apt-get purge -y 'zerotier-netcon*' 'libzerotierintercept*' &&
    not inside test -e /var/lib/zerotier-netcon &&
    not inside test -e /usr/sbin/zerotier-netcon-service
}

check "install" inside sh -c 'apt-get update && apt-get install -y --no-install-recommends /deb/*.deb'
check "the user is made" user_is_there
check "the service runs from the package" serves
check "zerotier-intercept finds its library" explains
check "pkg-config file" inside grep -r preload= /usr/lib --include=zerotierintercept.pc
check "remove keeps the identity" inside sh -c 'apt-get remove -y zerotier-netcon && test -f /var/lib/zerotier-netcon/identity.secret'
check "purge leaves nothing" purged
[ -z "${RESULTS:-}" ] || echo "$passed $failed 0" >>"$RESULTS"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
