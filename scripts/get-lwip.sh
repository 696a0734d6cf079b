#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Fetch lwIP from Debian's source package and apply Debian's patches and ours (decision S13).
set -eu
export LC_ALL=C

VERSION='2.2.1+dfsg1'
SUITE=trixie
SHA256=83729c274c499d3348e9fbbe043a3113f3fa8953e7efddc7c21c7fcbb1f2b7b1
ORIG="lwip_$VERSION.orig.tar.xz"

usage() {
	cat <<EOF
usage: scripts/get-lwip.sh [-h]
Puts lwIP $VERSION, patched, into \$LWIP_DIR (default third_party/lwip). Does nothing if it is there
and stack/patches has not changed. The sources come from, in this order:
  LWIP_TARBALL=FILE   the file $ORIG, already on this machine;
                      Debian's patches are then taken from LWIP_DEBIAN=FILE (lwip_$VERSION-*.debian.tar.xz)
                      or from such a file beside the tarball
  \$LWIP_DIR-dist      what an earlier run kept
  apt                 the Debian mirror this machine is configured for, suite $SUITE, with an index
                      of its own; needs no root and changes nothing outside \$LWIP_DIR and -dist
EOF
}

die() {
	echo "get-lwip.sh: $*" >&2
	exit 1
}

case "${1-}" in
'') ;;
-h | --help)
	usage
	exit 0
	;;
*)
	usage >&2
	exit 2
	;;
esac

cd "$(dirname "$0")/.."
PATCHES=$PWD/stack/patches
LWIP_DIR=${LWIP_DIR:-third_party/lwip}
case "$LWIP_DIR" in /*) ;; *) LWIP_DIR=$PWD/$LWIP_DIR ;; esac
DIST=$LWIP_DIR-dist
HOW_TO_BRING="bring the file $ORIG of Debian's source package lwip to this machine and run: make LWIP_TARBALL=/path/to/$ORIG"

for tool in patch sha256sum tar xz; do
	command -v "$tool" >/dev/null || die "the program '$tool' is missing; on Debian: apt-get install patch coreutils tar xz-utils"
done

# What the result depends on: this script and every patch. The stamp holds it.
fingerprint() {
	cat "$PATCHES/../../scripts/get-lwip.sh" "$PATCHES/series" "$PATCHES/SKIPPED" "$PATCHES"/*.patch |
		sha256sum | cut -d' ' -f1
}

# "URI<tab>keyring" of the first apt entry that serves the main Debian archive; keyring may be empty.
machine_mirror() {
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
		[ -r "$file" ] || continue
		case "$file" in
		*.sources) awk "$AWK_COMMON$AWK_DEB822" "$file" ;;
		*) awk "$AWK_COMMON$AWK_ONE_LINE" "$file" ;;
		esac
	done | head -n 1
}

# shellcheck disable=SC2016 # awk programs, not shell variables
AWK_COMMON='
function is_debian(suite) {
	return suite ~ /^(bullseye|bookworm|trixie|forky|duke|sid|stable|testing|unstable|oldstable|oldoldstable)$/
}
'
# shellcheck disable=SC2016
AWK_ONE_LINE='
/^[ \t]*deb(-src)?[ \t]/ {
	line = $0
	keyring = ""
	if (match(line, /\[[^]]*\]/)) {
		options = substr(line, RSTART + 1, RLENGTH - 2)
		line = substr(line, 1, RSTART - 1) " " substr(line, RSTART + RLENGTH)
		count = split(options, option, " ")
		for (i = 1; i <= count; i++) {
			if (option[i] ~ /^signed-by=/) {
				keyring = substr(option[i], 11)
			}
		}
	}
	count = split(line, word, " ")
	for (i = 4; i <= count; i++) {
		if (word[i] == "main" && is_debian(word[3])) {
			print word[2] "\t" keyring
		}
	}
}
'
# shellcheck disable=SC2016
AWK_DEB822='
function finish(   i, count, word, main) {
	count = split(field["components"], word, " ")
	for (i = 1; i <= count; i++) {
		main = main || word[i] == "main"
	}
	count = split(field["suites"], word, " ")
	for (i = 1; main && field["enabled"] != "no" && i <= count; i++) {
		if (is_debian(word[i])) {
			split(field["uris"], word, " ")
			sub(/ .*/, "", field["signed-by"])
			print word[1] "\t" field["signed-by"]
			break
		}
	}
	split("", field)
}
/^#/ { next }
/^[ \t]*$/ { finish(); next }
/^[ \t]/ { sub(/^[ \t]+/, ""); field[name] = field[name] (field[name] == "" ? "" : " ") $0; next }
{
	at = index($0, ":")
	name = tolower(substr($0, 1, at - 1))
	value = substr($0, at + 1)
	sub(/^[ \t]+/, "", value)
	sub(/[ \t]+$/, "", value)
	field[name] = value
}
END { finish() }
'

# Download the source package into the folder $1, by apt with a state of its own.
fetch_by_apt() {
	command -v apt-get >/dev/null || die "there is no apt-get here; $HOW_TO_BRING"
	mirror=$(machine_mirror)
	[ -n "$mirror" ] || die "no entry for the Debian archive in /etc/apt/sources.list*; $HOW_TO_BRING"
	uri=${mirror%%	*}
	keyring=${mirror#*	}
	# A key given inside the entry, or none: the archive keyring, else apt's trusted keys.
	if [ ! -r "$keyring" ]; then
		keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	fi
	option=
	if [ -r "$keyring" ]; then
		option="[signed-by=$keyring] "
	fi
	mkdir -p "$1/state/lists/partial" "$1/cache/archives/partial" "$1/files"
	echo "deb-src $option$uri $SUITE main" >"$1/sources.list"
	set -- "$1" -q -o "Dir::State=$1/state" -o "Dir::State::status=/dev/null" -o "Dir::Cache=$1/cache" \
		-o "Dir::Etc::sourcelist=$1/sources.list" -o "Dir::Etc::sourceparts=/dev/null" \
		-o "Dir::Etc::preferences=/dev/null" -o "Dir::Etc::preferencesparts=/dev/null" \
		-o "APT::Sandbox::User=root" -o "Acquire::Languages=none" -o "Acquire::Retries=2"
	dir=$1
	shift
	echo "get-lwip.sh: asking this machine's Debian mirror for the source package lwip of $SUITE" >&2
	# The machine's own apt hooks may fail without root, so only the download's result counts.
	apt-get "$@" update >"$dir/log" 2>&1 || true
	if ! (cd "$dir/files" && apt-get "$@" source --download-only lwip) >>"$dir/log" 2>&1 ||
		[ ! -f "$dir/files/$ORIG" ]; then
		grep '^[EW]:' "$dir/log" >&2 || tail -n 5 "$dir/log" >&2
		die "apt could not get lwIP $VERSION from $SUITE; $HOW_TO_BRING"
	fi
}

is_right() {
	[ "$(sha256sum <"$1" | cut -d' ' -f1)" = "$SHA256" ]
}

# Bring the two archives into the folder $1/files.
obtain() {
	mkdir -p "$1/files"
	if [ -n "${LWIP_TARBALL-}" ]; then
		[ -r "$LWIP_TARBALL" ] || die "LWIP_TARBALL: cannot read $LWIP_TARBALL"
		cp "$LWIP_TARBALL" "$1/files/$ORIG"
		for file in ${LWIP_DEBIAN:+"$LWIP_DEBIAN"} "$(dirname "$LWIP_TARBALL")/lwip_$VERSION"-*.debian.tar.xz; do
			if [ -r "$file" ]; then
				cp "$file" "$1/files/lwip_$VERSION-given.debian.tar.xz"
				break
			fi
		done
	elif [ -f "$DIST/$ORIG" ] && is_right "$DIST/$ORIG"; then
		cp "$DIST"/*.tar.xz "$1/files/"
	else
		fetch_by_apt "$1"
	fi
	is_right "$1/files/$ORIG" ||
		die "$ORIG is not the file this project was written against (SHA-256 differs); $HOW_TO_BRING"
}

# Apply the patch file $1 in the folder $2, all or nothing.
apply() {
	patch -d "$2" -p1 -s -f --no-backup-if-mismatch <"$1" >"$2/.patch.log" 2>&1 || {
		cat "$2/.patch.log" >&2
		die "the patch $(basename "$1") does not apply to lwIP $VERSION"
	}
	rm -f "$2/.patch.log"
}

# Debian's series: each patch is applied or stands in SKIPPED with the reason.
apply_debian() {
	archive=$(find "$1/files" -name '*.debian.tar.xz' | head -n 1)
	if [ -z "$archive" ]; then
		echo "get-lwip.sh: no lwip_$VERSION-*.debian.tar.xz beside the tarball: built without Debian's patches" >&2
		return
	fi
	mkdir "$1/packaging"
	tar -xJf "$archive" -C "$1/packaging"
	while read -r name _; do
		case "$name" in '' | '#'*) continue ;; esac
		if ! grep -q "^$name:" "$PATCHES/SKIPPED"; then
			apply "$1/packaging/debian/patches/$name" "$2"
		fi
	done <"$1/packaging/debian/patches/series"
}

mkdir -p "$(dirname "$LWIP_DIR")"
# Two builds of one tree may come here at once.
if command -v flock >/dev/null; then
	exec 9>"$(dirname "$LWIP_DIR")/.get-lwip.lock"
	flock 9
fi
wanted=$(fingerprint)
if [ -z "${LWIP_TARBALL-}" ] && [ "$(cat "$LWIP_DIR/.stamp" 2>/dev/null)" = "$wanted" ]; then
	touch "$LWIP_DIR/.stamp"
	exit 0
fi

work=$(mktemp -d "$(dirname "$LWIP_DIR")/.get-lwip.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
obtain "$work"
mkdir "$work/tree"
tar -xJf "$work/files/$ORIG" -C "$work/tree" --strip-components=1
apply_debian "$work" "$work/tree"
while read -r name _; do
	case "$name" in '' | '#'*) continue ;; esac
	apply "$PATCHES/$name" "$work/tree"
done <"$PATCHES/series"
echo "$wanted" >"$work/tree/.stamp"

# Nothing was touched so far; now replace what was there.
mkdir -p "$DIST"
rm -f "$DIST"/*.tar.xz
cp "$work"/files/*.tar.xz "$DIST/"
rm -rf "$LWIP_DIR"
mv "$work/tree" "$LWIP_DIR"
