#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""count.py BUILD...: sums the results of the last `meson test` in each build directory.

TAP tests count by their subtests, others as one. Skips are listed by name; only those in tests/allowed-skips.txt pass.
"""
import json
import re
import sys
from pathlib import Path

LOGS = ("testlog.json", "testlog-short.json", "testlog-harts2.json", "testlog-harts4.json", "benchmarklog.json", "thirdpartylog.json")
ONE = "# SKIP it is about the turns that one hart gives"  # tests/guest/tap.c says so, and each test runs on some machine
MANY = "# SKIP it needs several harts"
LINE = re.compile(r"^(ok|not ok) \d+(?: - )?(.*)$", re.M)


def subtests(test):
    """Yields (name, result) of what one entry of meson's log holds."""
    found = LINE.findall(test.get("stdout") or "")
    good = test["result"] in ("OK", "EXPECTEDFAIL")
    if not found:
        yield test["name"], "skipped" if test["result"] == "SKIP" else "passed" if good else "failed"
        return
    for state, text in found:
        skip = "# SKIP" in text
        yield f"{test['name']}: {text}", "failed" if state == "not ok" else "skipped" if skip else "passed"
    if not good and test["result"] != "SKIP" and all(state == "ok" for state, _ in found):
        yield test["name"], "failed"


def main(builds):
    allowed = {line.strip() for line in (Path(__file__).parent / "allowed-skips.txt").read_text().splitlines()
               if line.strip() and not line.startswith("#")}
    count = {"passed": 0, "failed": 0, "skipped": 0}
    for build in builds:
        for log in LOGS:
            path = Path(build) / "meson-logs" / log
            for text in path.read_text().splitlines() if path.exists() else ():
                for name, result in subtests(json.loads(text)):
                    if result == "skipped" and name.endswith(ONE if "harts" in log else MANY):
                        continue  # counted where it runs
                    if result == "skipped" and name not in allowed:
                        print(f"skipped without leave: {name}")
                        result = "failed"
                    elif result != "passed":
                        print(f"{result}: {name}")
                    count[result] += 1
    print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
    return 1 if count["failed"] or not count["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
