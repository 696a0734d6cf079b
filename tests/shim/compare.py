#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Compare the outputs of tests/shim/run.sh.

usage: compare.py ACCEPTED FOLDER [--part]

FOLDER holds FAMILY-WHERE.native and FAMILY-WHERE.ours: "== case" lines, then "label: result" lines.
ACCEPTED has a line per accepted difference: `WHERE | CASE | LABEL | NATIVE | OURS | REASON`, where WHERE is
4-cross, 6-local, ...; the first five are patterns (*, ?). One that did not occur fails the run, unless only
a part of the cases was run (--part).
"""
import fnmatch
import os
import sys


def outputs(path):
    """{case: [(label, result)]}; a label that comes again is numbered."""
    cases, lines = {}, []
    with open(path, encoding="utf-8") as file:
        for line in file.read().splitlines():
            if line.startswith("== "):
                lines = cases.setdefault(line[3:], [])
                continue
            label, _, result = line.partition(":")
            again = sum(1 for known, _ in lines if known.split(" #")[0] == label)
            lines.append((f"{label} #{again + 1}" if again else label, result.strip()))
    return cases


def accepted(path):
    rows = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip() and not line.startswith("#"):
                fields = [field.strip() for field in line.split("|")]
                if len(fields) != 6 or not fields[5]:
                    sys.exit(f"{path}:{number}: not `where | case | label | native | ours | reason`")
                rows.append({"line": number, "fields": fields, "used": 0})
    return rows


def is_accepted(rows, where, case, label, native, ours):
    for row in rows:
        fields = row["fields"]
        if (fnmatch.fnmatchcase(where, fields[0]) and fnmatch.fnmatchcase(case, fields[1])
                and fnmatch.fnmatchcase(label, fields[2]) and fnmatch.fnmatchcase(native, fields[3])
                and fnmatch.fnmatchcase(ours, fields[4])):
            row["used"] += 1
            return True
    return False


def compare(rows, where, native, ours):
    """How many cases are equal; prints those that are not."""
    good = 0
    for case, lines in native.items():
        theirs = dict(lines)
        mine = dict(ours.get(case, []))
        bad = []
        for label in list(theirs) + [label for label in mine if label not in theirs]:
            pair = theirs.get(label, "(nothing)"), mine.get(label, "(nothing)")
            if pair[0] != pair[1] and not is_accepted(rows, where, case, label, *pair):
                bad.append((label, *pair))
            if pair[0] == pair[1] and (label.startswith("FATAL") or label == "ENDED"):
                signal = (case, pair[0])
                if not (label == "ENDED" and "sigpipe" in case):
                    bad.append((label, *pair))
                del signal
        if bad:
            print(f"not ok {where} {case}")
            for label, was, now in bad:
                print(f"    {label}: native {was} | ours {now}")
        else:
            good += 1
    for case in ours:
        if case not in native:
            print(f"not ok {where} {case}: only under interception")
    return good


def main():
    rows = accepted(sys.argv[1])
    folder, is_part = sys.argv[2], "--part" in sys.argv
    total = good = 0
    for name in sorted(os.listdir(folder)):
        if name.endswith(".native"):
            where = name[: -len(".native")]
            native, ours = outputs(f"{folder}/{name}"), outputs(f"{folder}/{where}.ours")
            total += len(native)
            good += compare(rows, where, native, ours)
    stale = [row for row in rows if not row["used"]] if not is_part else []
    for row in stale:
        print(f"not ok accepted difference no longer occurs: line {row['line']}: {' | '.join(row['fields'][:5])}")
    used = sum(row["used"] for row in rows)
    failed = total - good + len(stale)
    print(f"{total} cases in both worlds: {good} equal ({used} accepted differences), {failed} failed")
    if os.environ.get("RESULTS"):
        with open(os.environ["RESULTS"], "a", encoding="utf-8") as file:
            file.write(f"{good} {failed} 0\n")
    print(f"{good} passed, {failed} failed")
    sys.exit(1 if failed or total == 0 else 0)


main()
