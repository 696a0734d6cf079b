# SPDX-License-Identifier: Apache-2.0 OR MIT
"""One of CPython's test modules, each test's result as a line of a journal (JSON).

usage: one_suite.py MODULE JOURNAL SECONDS_PER_TEST [--only FILE]

A test that hangs ends the process (faulthandler prints every thread's stack); called again with the
same journal, the tests that were begun are left out. `--only FILE` runs only the tests listed there.
"""
import faulthandler
import json
import sys
import unittest
from fnmatch import fnmatch

from test import support
from test.support import os_helper

# AF_VSOCK is no business of ours; its test hangs on hypervisors without vsock (spec/intercept.md 7.3).
IGNORED = ("*VSOCK*", "*Vsock*")
# test_socketserver names loopback a network resource.
RESOURCES = {"test_socketserver": ["network"]}


class Journal(unittest.TestResult):
    """Writes begin and result of each test at once: what is begun and has no result hung or crashed."""

    def __init__(self, file, seconds):
        super().__init__()
        self.file = file
        self.seconds = seconds

    def put(self, test, result, detail=""):
        json.dump({"test": test.id(), "result": result, "detail": detail[-4000:]}, self.file)
        self.file.write("\n")
        self.file.flush()

    def startTest(self, test):
        super().startTest(test)
        self.put(test, "begun")
        faulthandler.dump_traceback_later(self.seconds, exit=True)

    def stopTest(self, test):
        faulthandler.cancel_dump_traceback_later()
        super().stopTest(test)

    def addSuccess(self, test):
        self.put(test, "passed")

    def addSkip(self, test, reason):
        self.put(test, "skipped", reason)

    def addExpectedFailure(self, test, err):
        self.put(test, "passed")

    def addUnexpectedSuccess(self, test):
        self.put(test, "failed", "unexpected success")

    def addError(self, test, err):
        self.put(test, "failed", self._exc_info_to_string(err, test))

    addFailure = addError

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.put(test, "failed", f"{subtest}\n" + self._exc_info_to_string(err, test))


def chosen(suite, leave_out, only):
    """The same suites (their classes' and modules' set-up stays theirs) without the tests not wanted."""
    kept = []
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            kept.append(chosen(item, leave_out, only))
        elif item.id() in leave_out or any(fnmatch(item.id(), p) for p in IGNORED):
            continue
        elif only is None or item.id() in only:
            kept.append(item)
    return unittest.TestSuite(kept)


def main():
    module, journal, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    only = None
    if len(sys.argv) > 4:
        with open(sys.argv[5], encoding="utf-8") as file:
            only = set(file.read().split())
    begun = set()
    try:
        with open(journal, encoding="utf-8") as file:
            begun = {json.loads(line)["test"] for line in file}
    except FileNotFoundError:
        pass
    faulthandler.enable()
    support.use_resources = RESOURCES.get(module, [])
    support.verbose = 0
    with os_helper.temp_cwd(), open(journal, "a", encoding="utf-8") as file:
        # No name for the whole suite: a test that ran is let go, or gc.collect() in the others is slow.
        suite = chosen(unittest.defaultTestLoader.loadTestsFromName("test." + module), begun, only)
        suite.run(Journal(file, seconds))
        print(json.dumps({"test": "", "result": "complete"}), file=file)


if __name__ == "__main__":
    main()
