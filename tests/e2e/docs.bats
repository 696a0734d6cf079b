#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2016 # backquotes are what is looked for
# The documents name files, tests, vector sections and decisions; each must exist.

setup() {
  cd "$BATS_TEST_DIRNAME/../.." || exit 1
}

documents() {
  echo README.md
  find docs -name '*.md'
}

# `core/x.c`, `tests/sim/test_x.c:a_test`: in backquotes, below a folder of ours. Patterns (*, <, NNN)
# and names without a dot in the last part are no files.
quoted_paths() {
  grep -oE '`(base|bench|cli|controller|core|docs|examples|intercept|man|mk|rpc|scripts|service|stack|tests)/[^` ]*`' "$1" |
    tr -d '`' | grep -vE '[*<>{}$]|NNN|/test_X|/fuzz_X' || true
}

@test "every file that the documents name exists" {
  bad=0
  for document in $(documents); do
    for name in $(quoted_paths "$document"); do
      path=${name%%:*}
      if [ ! -e "$path" ]; then
        echo "$document: no $path"
        bad=1
      fi
    done
  done
  [ "$bad" -eq 0 ]
}

@test "every test that the documents name is in its file" {
  bad=0 count=0
  for document in $(documents); do
    for name in $(quoted_paths "$document" | grep -E '\.c:[a-z_]' || true); do
      count=$((count + 1))
      if ! grep -qw "${name#*:}" "${name%%:*}"; then
        echo "$document: no ${name#*:} in ${name%%:*}"
        bad=1
      fi
    done
  done
  [ "$bad" -eq 0 ]
  [ "$count" -gt 50 ]
}

@test "every section of the vectors that the documents name exists" {
  bad=0 count=0
  for document in $(documents); do
    for name in $(grep -oE '`vl[12]\.json:[a-z0-9_]+`' "$document" | tr -d '`' || true); do
      count=$((count + 1))
      if ! grep -qE "^ *\"${name#*:}\":" "tests/vectors/${name%%:*}"; then
        echo "$document: no ${name#*:} in ${name%%:*}"
        bad=1
      fi
    done
  done
  [ "$bad" -eq 0 ]
  [ "$count" -gt 20 ]
}

@test "every link between the documents leads somewhere" {
  bad=0
  for document in $(documents); do
    for target in $(grep -oE '\]\([^)# ]+' "$document" | cut -c3- | grep -v '://' || true); do
      if [ ! -e "$(dirname "$document")/$target" ]; then
        echo "$document: no $target"
        bad=1
      fi
    done
  done
  [ "$bad" -eq 0 ]
}

@test "every decision in the table of differences exists, and the protocol is indexed" {
  bad=0
  for number in $(sed -nE 's/^\|.*\| ([0-9, ]+) \|$/\1/p' docs/protocol/differences.md | tr ',' ' '); do
    if ! ls docs/decisions/"$number"-*.md >/dev/null 2>&1; then
      echo "no decision $number"
      bad=1
    fi
  done
  for page in docs/protocol/*.md; do
    page=$(basename "$page")
    if [ "$page" != README.md ] && ! grep -q "]($page)" docs/protocol/README.md; then
      echo "$page is not in the index"
      bad=1
    fi
  done
  [ "$bad" -eq 0 ]
}
