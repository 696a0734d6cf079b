#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Everything static: format, arrows between modules, file length, cppcheck, clang-tidy, shellcheck, man
# pages, Kubernetes manifests. Each check is one line of the result. clang-tidy keeps a stamp per file under build/lint.
# usage: lint.sh [CHECK...]
set -eu
cd "$(dirname "$0")/.."
out=build/lint
mkdir -p "$out"
passed=0 failed=0

sources=$(git ls-files '*.c' | grep -vE '^(third_party|build)/')
headers=$(git ls-files '*.h' | grep -vE '^(third_party|build)/')

check_format() {
  # shellcheck disable=SC2086
  clang-format --dry-run -Werror $sources $headers
}
check_arrows() {
  scripts/lint-arrows.sh
}
# Longer files need a reason, given in scripts/long-files.txt as "path reason".
check_length() {
  bad=0
  for file in $sources $headers; do
    lines=$(wc -l <"$file")
    limit=520
    case $file in tests/*) limit=800 ;; esac # tables of cases
    if [ "$lines" -gt "$limit" ] && ! grep -q "^$file " scripts/long-files.txt; then
      echo "$file has $lines lines (limit $limit): split it, or give a reason in scripts/long-files.txt"
      bad=1
    fi
  done
  return "$bad"
}
check_licence() {
  bad=0
  for file in $sources $headers $(git ls-files '*.sh' '*.py' '*.bats' '*.mk' Makefile 'Dockerfile*' '*/Dockerfile*' '*.yaml'); do
    if ! head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0 OR MIT'; then
      echo "$file has no SPDX line"
      bad=1
    fi
  done
  return "$bad"
}
# A disabled check has its reason here:
#   missingIncludeSystem: system headers are not searched; unusedFunction: archives export for others;
#   unmatchedSuppression: depends on cppcheck's version; checkersReport: not a finding;
#   normalCheckLevelMaxBranches: a note about cppcheck's own limits.
check_cppcheck() {
  # shellcheck disable=SC2046
  cppcheck -q -j2 --std=c11 --language=c --enable=warning,portability,performance --inline-suppr \
    --suppress=missingIncludeSystem --suppress=unmatchedSuppression \
    --suppress=normalCheckLevelMaxBranches --suppressions-list=scripts/cppcheck.txt \
    --error-exitcode=1 --cppcheck-build-dir="$out/cppcheck" -I. -D_GNU_SOURCE -D__linux__=1 -D__x86_64__=1 \
    $(git ls-files 'base/*.c' 'core/*.c' 'controller/*.c' 'rpc/*.c' 'service/*.c' 'cli/*.c' 'intercept/*.c' 'stack/*.c' 'container/*.c')
}
tidy_one() {
  file=$1
  # A file is looked at again when it, any header, or the rules changed.
  stamp=$out/$(echo "$file" | tr / _).tidy
  sum=$(cat "$file" .clang-tidy "$out/headers.sum" | sha256sum)
  [ "$(cat "$stamp" 2>/dev/null)" != "$sum" ] || return 0
  extra=
  case $file in
  stack/* | tests/fuzz/fuzz_stack*) extra='-isystem third_party/lwip/src/include -Istack' ;;
  core/salsa_avx2.c) extra=-mavx2 ;;
  core/salsa_avx512.c) extra='-mavx512f -mavx512vl' ;;
  esac
  # shellcheck disable=SC2086
  if clang-tidy --quiet "$file" -- -std=c11 -D_GNU_SOURCE -I. '-DNETCON_LIBDIR=""' '-DNETCON_STATEDIR=""' $extra >"$stamp.log" 2>/dev/null; then
    echo "$sum" >"$stamp"
  else
    cat "$stamp.log"
    return 1
  fi
}
check_tidy() {
  mkdir -p "$out/cppcheck"
  # shellcheck disable=SC2086
  cat $headers | sha256sum >"$out/headers.sum"
  export out
  bad=0
  # Ours only; tests keep the same rules but for the size of functions (tables of cases).
  for file in $(echo "$sources" | grep -vE '^(tests|examples|bench)/'); do
    echo "$file"
  done | xargs -P "$(nproc)" -n 1 scripts/lint.sh --tidy-one || bad=1
  return "$bad"
}
check_shell() {
  # shellcheck disable=SC2046
  shellcheck -x $(git ls-files '*.sh' .ci/run) && shellcheck -s bats -e SC2030,SC2031 $(git ls-files '*.bats')
}
check_man() {
  bad=0
  for page in $(git ls-files 'man/*.[1-8]'); do
    # STYLE messages about the date format and the missing OS are matters of taste.
    mandoc -T lint -W warning "$page" || bad=1
  done
  return "$bad"
}
check_kubernetes() {
  scripts/check-kubernetes.py
}
# Numbers of a mirror or a path of one machine never get in.
check_paths() {
  # shellcheck disable=SC2046
  ! grep -nE '(^|[ "=:(])/(root|work)/|deb\.debian\.org|archive\.debian\.org|registry\.npmjs' \
    $(git ls-files | grep -vE '^(scripts/lint.sh|tests/(vectors|captures)/)')
}

if [ "${1:-}" = --tidy-one ]; then
  tidy_one "$2"
  exit
fi
mkdir -p "$out/cppcheck"
[ $# -gt 0 ] || set -- format arrows length licence paths cppcheck tidy shell man kubernetes
for name in "$@"; do
  start=$(date +%s)
  if "check_$name" >"$out/$name.log" 2>&1; then
    echo "ok   lint $name ($(($(date +%s) - start)) s)"
    passed=$((passed + 1))
  else
    echo "FAIL lint $name"
    head -n 60 "$out/$name.log"
    failed=$((failed + 1))
  fi
done
[ -z "${RESULTS:-}" ] || echo "$passed $failed 0" >>"$RESULTS"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
