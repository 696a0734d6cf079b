#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Make docs/COMPATIBILITY.md of what the tests in tests/compat/ claimed.
# usage: compat-matrix.sh RESULTS >MARKDOWN
# RESULTS: lines of result, package, program, role, what was exercised, with tabs between (tests/compat/lib.bash).
# One row per program and role: it passes if each of its tests passed. Nothing in it depends on the day or the
# machine, so the same run makes the same file.
set -eu
cat <<'END'
# Compatibility

Written by `make compat`; do not edit. Each row is one program of Debian in one role, unmodified, on a private network of two
members: what was exercised is checked by content (SHA-256 of what was moved, exact replies, error counts of zero, addresses
seen), in tests/compat/. A role without a row is one the program does not have.

| program | package | version | role | result | what was exercised |
|---|---|---|---|---|---|
END
awk -F '\t' '
  function rank(result) { return result == "fail" ? 2 : result == "skip" ? 1 : 0 }
  NF == 5 {
    key = $3 "\t" $2 "\t" $4
    if (!(key in result)) { order[++count] = key; result[key] = $1; text[key] = $5 }
    else {
      if (rank($1) > rank(result[key])) result[key] = $1
      if (index("; " text[key] "; ", "; " $5 "; ") == 0) text[key] = text[key] "; " $5
    }
  }
  END {
    for (i = 1; i <= count; i++) print order[i] "\t" result[order[i]] "\t" text[order[i]]
  }' "$1" | while IFS="$(printf '\t')" read -r program package role result text; do
  version=$(dpkg-query -W -f '${Version}' "$package" 2>/dev/null || true)
  printf '| %s | %s | %s | %s | %s | %s |\n' "$program" "$package" "$(echo "${version:--}" | sed 's/^[0-9]*://')" \
    "$role" "$result" "$text"
done
