#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Make base images like debian:bookworm-slim where no registry can be reached.
# usage: make-base-image.sh [--force] SUITE...      suites: bullseye bookworm trixie sid
# Each is made by debootstrap from the Debian mirror that this machine's apt uses, and imported under
# the name of the public image, so that the same Dockerfiles build FROM the public ones elsewhere.
# An image that is there already (pulled or made) is kept, unless --force is given. Needs root.
# The image's apt is configured as the machine's (mirror, options); nothing of that is in this repository.
set -eu
export LC_ALL=C

DOCKER=${DOCKER:-docker}
force=no

die() {
  echo "make-base-image.sh: $*" >&2
  exit 1
}

# "URI release" of each entry for Debian's main archive, as apt itself reads its configuration.
machine_archives() {
  # shellcheck disable=SC2016  # apt's own placeholders
  apt-get indextargets --format '$(ORIGIN) $(COMPONENT) $(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
    awk '$1 == "Debian" && $2 == "main" { print $3, $4 }'
}

# What the public slim images leave out.
slim() {
  rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/cache/apt/*.bin "$1"/var/lib/apt/lists/* \
    "$1"/var/log/*.log "$1"/var/log/apt "$1"/usr/share/doc/* "$1"/usr/share/man/* "$1"/usr/share/info/* \
    "$1"/usr/share/locale/* "$1"/usr/share/lintian "$1"/var/cache/debconf/*-old "$1"/var/cache/ldconfig/aux-cache
  cat >"$1/etc/dpkg/dpkg.cfg.d/docker" <<'EOT'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
EOT
  cat >"$1/etc/apt/apt.conf.d/docker" <<'EOT'
APT::Install-Recommends "false";
Acquire::Languages "none";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };
EOT
  printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"
  chmod 755 "$1/usr/sbin/policy-rc.d"
}

# apt inside the image asks what the machine's apt asks.
configure_apt() {
  tree=$1 suite=$2 uri=$3
  {
    echo "deb $uri $suite main"
    if [ "$suite" != sid ]; then
      machine_archives | awk -v suite="$suite" '$2 ~ /-security$/ { print "deb " $1 " " suite "-security main"; exit }'
    fi
  } >"$tree/etc/apt/sources.list"
  apt-config dump | grep -E '^(Acquire::(http|https|Check|Retries))' >"$tree/etc/apt/apt.conf.d/machine" || true
}

make_image() {
  suite=$1 name=debian:$1-slim
  if [ "$force" = no ] && "$DOCKER" image inspect "$name" >/dev/null 2>&1; then
    echo "$name is there"
    return
  fi
  [ "$(id -u)" -eq 0 ] || die "debootstrap needs root; run as root, or pull $name on a machine with a registry"
  command -v debootstrap >/dev/null || die "debootstrap is missing; as root: apt-get install debootstrap"
  uri=$(machine_archives | awk '$2 !~ /-/ { print $1; exit }')
  [ -n "$uri" ] || die "this machine's apt has no entry for Debian's main archive"
  work=$(mktemp -d "${TMPDIR:-/tmp}/netcon-base.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 1' HUP INT TERM
  begin=$(date +%s)
  debootstrap --variant=minbase "$suite" "$work/tree" "$uri" >"$work/log" 2>&1 || {
    tail -n 5 "$work/log" >&2
    die "debootstrap of $suite failed; does the mirror have that suite?"
  }
  configure_apt "$work/tree" "$suite" "$uri"
  slim "$work/tree"
  tar -C "$work/tree" --numeric-owner --one-file-system -c . |
    "$DOCKER" import --change 'CMD ["bash"]' --change "LABEL netcon.base=$suite" - "$name" >/dev/null
  rm -rf "$work"
  trap - EXIT HUP INT TERM
  echo "$name made in $(($(date +%s) - begin)) s"
}

[ $# -gt 0 ] || set -- --help
for argument in "$@"; do
  case $argument in
  -h | --help)
    sed -n '3,7s/^# //p' "$0"
    exit 0
    ;;
  --force) force=yes ;;
  -*) die "unknown option $argument; see --help" ;;
  *) make_image "$argument" ;;
  esac
done
