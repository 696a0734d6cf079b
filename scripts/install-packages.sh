#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Install the Debian packages that a step needs, from the machine's own apt configuration.
# usage: install-packages.sh [--check] build|demo|test|deb|docker|compat|conformance...
# As root it installs; as anybody else (or with --check) it prints the one line to type and exits 2
# when something is missing, 0 when nothing is. It never calls sudo.
set -eu
cd "$(dirname "$0")/.."
check=no
[ "$(id -u)" -eq 0 ] || check=yes
wanted=
for what in "$@"; do
  case $what in
  -h | --help)
    sed -n '3,6s/^# //p' "$0"
    exit 0
    ;;
  --check) check=yes ;;
  build | demo | test | deb | docker | compat | conformance) wanted="$wanted $(tr '\n' ' ' <"scripts/packages-$what.txt")" ;;
  *)
    echo "install-packages.sh: unknown step '$what'; use build, demo, test, deb, docker, compat or conformance" >&2
    exit 2
    ;;
  esac
done
missing=
for package in $wanted; do
  # A program installed by other means (node from elsewhere, say) counts as present.
  case $package in
  nodejs) command -v node >/dev/null && continue ;;
  esac
  status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
  case $status in
  *" installed") ;;
  *) missing="$missing $package" ;;
  esac
done
[ -n "$missing" ] || exit 0
if [ "$check" = yes ]; then
  echo "These packages are missing. As root, type:" >&2
  echo "    apt-get update && apt-get install --no-install-recommends$missing" >&2
  exit 2
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
# Servers installed for the tests must not start on their own.
policy=/usr/sbin/policy-rc.d
made_policy=no
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  made_policy=yes
fi
status=0
# shellcheck disable=SC2086  # a list of package names
{ apt-get -qq update && apt-get -qq install -y --no-install-recommends $missing; } >/dev/null || status=$?
[ "$made_policy" = no ] || rm -f "$policy"
exit "$status"
