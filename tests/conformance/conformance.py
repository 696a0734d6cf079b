# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Runs CPython's suites natively and under interception and compares them, test by test.

Fails if a suite passes less than 97 % of what it passes natively, if a test fails only under
interception and expected.txt has no reason for it, or if a test listed there passes.
"""
import argparse
import concurrent.futures
import fnmatch
import json
import os
import signal
import subprocess
import sys
import time

# test_urllib2net and test_urllibnet want the Internet.
SUITES = """test_socket test_asyncio test_selectors test_ssl test_socketserver test_httplib test_urllib
 test_urllib2 test_urllib2_localnet test_urllib_response test_httpservers test_ftplib test_poplib
 test_imaplib test_smtplib test_smtpd test_nntplib test_telnetlib test_asyncore test_asynchat
 test_xmlrpc test_docxmlrpc test_wsgiref test_logging test_epoll test_poll test_select
 _test_eintr test_signal test_subprocess test_os test_multiprocessing_spawn""".split()
HERE = os.path.dirname(os.path.abspath(__file__))
LEAST_PERCENT = 97
SECONDS_PER_TEST = 90
HANGS = 12  # more hung tests than this: the rest of the suite is not waited for


def journal_of(path):
    """Test id -> (result, detail); a test that only began hung or crashed. And: did the suite end?"""
    results, complete = {}, False
    with open(path, encoding="utf-8") as file:
        for line in file:
            entry = json.loads(line)
            if entry["result"] == "complete":
                complete = True
            elif entry["result"] == "begun":
                results[entry["test"]] = ("failed", "hung or crashed")
            elif results.get(entry["test"], ("", "hung"))[1].startswith("hung"):
                results[entry["test"]] = (entry["result"], entry["detail"])
            elif entry["result"] == "failed":  # a second word about one test: the worse counts
                results[entry["test"]] = (entry["result"], entry["detail"])
    return results, complete


def run_suite(options, side, suite, only=None):
    """One suite on one side, begun again after each hang; leaves JOURNAL and log in the results."""
    name = f"{suite}.{side}" + (".again" if only else "")
    journal, log = (os.path.join(options.results, name + end) for end in (".json", ".log"))
    scratch = os.path.join(options.scratch, name)
    os.makedirs(scratch, exist_ok=True)
    if os.path.exists(journal):
        os.unlink(journal)
    environment = {"PATH": "/usr/bin:/bin", "HOME": scratch, "TMPDIR": scratch, "LANG": "C.UTF-8"}
    if side == "ours":
        environment |= {"LD_PRELOAD": options.library, "ZT_NC_NETWORK": options.network}
    command = [sys.executable, os.path.join(HERE, "one_suite.py"), suite, journal, str(SECONDS_PER_TEST)]
    if only:
        with open(os.path.join(scratch, "only"), "w", encoding="utf-8") as file:
            file.write("\n".join(only))
        command += ["--only", file.name]
    results, complete = {}, False
    for _ in range(HANGS):
        before = len(results)
        with open(log, "a", encoding="utf-8") as output:
            process = subprocess.Popen(command, env=environment, cwd=scratch, stdin=subprocess.DEVNULL,
                                       stdout=output, stderr=output, start_new_session=True)
            process.wait()
        try:
            os.killpg(process.pid, signal.SIGKILL)  # what a hung test has left
        except ProcessLookupError:
            pass
        if os.path.exists(journal):
            results, complete = journal_of(journal)
        if complete or len(results) == before:
            break
    if not complete:
        print(f"{suite}, {side}: did not end; see {log}", flush=True)
    return results


def run_side(options, side):
    found = {}
    for suite in options.suite:
        begin = time.monotonic()
        found[suite] = run_suite(options, side, suite)
        failed = [test for test, (result, _) in found[suite].items() if result == "failed"]
        # What depends on the machine's load gets a second attempt, alone; said in the report.
        again = {}
        if failed and len(failed) <= 60:
            again = run_suite(options, side, suite, failed)
        for test in failed:
            if again.get(test, ("failed",))[0] == "passed":
                found[suite][test] = ("passed", "at the second attempt")
        print(f"  {suite} {side}: {time.monotonic() - begin:.0f} s", flush=True)
    return found


def expected_reasons():
    """Test id -> reason, and pattern -> reason (a line with a star: outside of what is promised)."""
    reasons, outside = {}, {}
    with open(os.path.join(HERE, "expected.txt"), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip() and not line.startswith("#"):
                test, bar, reason = line.partition(" | ")
                if not bar or not reason.strip() or test.strip() in reasons:
                    sys.exit(f"expected.txt:{number}: wanted one line 'test id | reason' per test")
                (outside if "*" in test else reasons)[test.strip()] = reason.strip()
    return reasons, outside


def leave_out(passing, ours, outside):
    """Takes the tests of what is not promised out of `passing`; says how many, and what is stale."""
    failed = 0
    for pattern, reason in outside.items():
        tests = [test for test in passing if fnmatch.fnmatchcase(test, pattern)]
        passes = [test for test in tests if ours.get(test, ("missing",))[0] == "passed"]
        if tests:
            print(f"    outside: {len(tests)} tests {pattern} | {reason}")
        if tests and len(passes) == len(tests):
            failed += 1
            print(f"    STALE: {pattern} passes; remove it from expected.txt")
        passing = [test for test in passing if test not in tests or test in passes]
    return passing, failed


def compare(suite, native, ours, expected):
    """Prints the suite's part of the report; returns passed, failed."""
    reasons, outside = expected
    passing = [test for test, (result, _) in native.items() if result == "passed"]
    passing, failed = leave_out(passing, ours, outside)
    lost = [test for test in passing if ours.get(test, ("missing",))[0] != "passed"]
    kept = len(passing) - len(lost)
    percent = 100 * kept / len(passing) if passing else 100
    print(f"{suite}: native {len(passing)}, intercepted {kept}, {percent:.1f} %")
    for test in lost:
        if test in reasons:
            print(f"    expected: {test} | {reasons[test]}")
            continue
        failed += 1
        result, detail = ours.get(test, ("missing", "did not run"))
        last = detail.strip().splitlines()[-1:] or [""]
        print(f"    UNEXPLAINED: {test} ({result}: {last[0][:160]})")
    for test in sorted(set(reasons) & set(passing) - set(lost)):
        failed += 1
        print(f"    STALE: {test} passes; remove it from expected.txt")
    for side, results in (("native", native), ("intercepted", ours)):
        for test in [t for t, (_, d) in results.items() if d == "at the second attempt"]:
            print(f"    second attempt, {side}: {test}")
    if percent < LEAST_PERCENT:
        failed += 1
        print(f"    BELOW {LEAST_PERCENT} %")
    if not passing:
        failed += 1
        print("    nothing passes natively: is libpython3.11-testsuite whole?")
    return kept, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("library", "network", "scratch", "results"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("suite", nargs="*")
    options = parser.parse_args()
    options.suite = options.suite or SUITES
    expected = expected_reasons()
    # Both sides at once: they share nothing but the processors.
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        native = pool.submit(run_side, options, "native")
        ours = pool.submit(run_side, options, "ours")
        native, ours = native.result(), ours.result()
    passed = failed = 0
    for suite in options.suite:
        kept, bad = compare(suite, native[suite], ours[suite], expected)
        passed, failed = passed + kept, failed + bad
    if os.environ.get("RESULTS"):
        with open(os.environ["RESULTS"], "a", encoding="utf-8") as file:
            file.write(f"{passed} {failed} 0\n")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
