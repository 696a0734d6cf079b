#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Build the Debian packages, source and binary, of the committed tree into build/deb. lwIP's tarballs
# come along as a component of the source package (decision S13), so building it fetches nothing.
# usage: make-deb.sh [-h]
set -eu
export LC_ALL=C
case ${1-} in
'') ;;
*)
  sed -n '3,5s/^# //p' "$0"
  [ "$1" = -h ] && exit 0 || exit 2
  ;;
esac
cd "$(dirname "$0")/.."
for tool in dpkg-buildpackage dh lintian; do
  command -v "$tool" >/dev/null || {
    echo "make-deb.sh: $tool is missing; as root: scripts/install-packages.sh deb" >&2
    exit 2
  }
done
LWIP_DIR=${LWIP_DIR:-third_party/lwip} scripts/get-lwip.sh
version=$(sed -n '1s/.*(\(.*\)-.*).*/\1/p' packaging/debian/changelog)
out=build/deb
rm -rf "$out"
mkdir -p "$out/zerotier-netcon-$version/lwip" "$out/lwip"
git archive HEAD | tar -x -C "$out/zerotier-netcon-$version"
cp "${LWIP_DIR:-third_party/lwip}"-dist/lwip_*.tar.xz "$out/lwip/"
# Same bytes for the same commit.
stamp=$(git log -1 --format=%ct)
pack() { # TARBALL DIRECTORY: its content under that name
  tar -C "$out" --sort=name --mtime="@$stamp" --owner=0 --group=0 --numeric-owner -cJf "$out/$1" "$2"
}
pack "zerotier-netcon_$version.orig.tar.xz" "zerotier-netcon-$version"
pack "zerotier-netcon_$version.orig-lwip.tar.xz" lwip
cp "$out"/lwip/* "$out/zerotier-netcon-$version/lwip/"
rm -r "$out/lwip"
cp -r packaging/debian "$out/zerotier-netcon-$version/debian"
log=$out/build.log
echo "building in $out (log: $log)"
(cd "$out/zerotier-netcon-$version" && SOURCE_DATE_EPOCH=$stamp dpkg-buildpackage -us -uc -j"$(nproc)") >"$log" 2>&1 || {
  tail -n 40 "$log" >&2
  exit 1
}
rm -r "$out/zerotier-netcon-$version"
# No bug asks for these packages: they are not made for an upload to Debian.
lintian --suppress-tags initial-upload-closes-no-bugs --allow-root --fail-on error,warning --profile debian "$out"/*.changes
ls -l "$out"/*.deb
