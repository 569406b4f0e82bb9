#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""app_test.py BUILD FILE: runs the command lines of a program's test file in the guest, each in a machine of its own. Prints TAP.

A line that begins with "$ " is a command line, for the guest's shell if it has anything to do in it; the lines after it are
what must be printed, but "? N": the status is to be N and not 0. Error output is not compared. What stands before the first
command line is a comment.
"""
import re
import subprocess
import sys
from pathlib import Path


def cases(text):
    """(line, expected output, expected status) of each command line."""
    found = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append([line[2:], "", 0])
        elif line.startswith("? "):
            found[-1][2] = int(line[2:])
        elif found:
            found[-1][1] += line + "\n"
    return found


def words(line):
    """The program and its arguments; the shell, if there is anything in the line for it to do."""
    return ["sh", "-c", line] if re.search(r"[^\w\s./=,:+-]", line) else line.split()


def runner(build):
    """How the runner of this tree is called."""
    return [sys.executable, str(Path(__file__).resolve().parents[1] / "scripts/runner"), "--build", build]


def check(build, case):
    """What is wrong, or an empty text."""
    line, output, status = case
    done = subprocess.run([*runner(build), "--", *words(line)], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode != status:
        return f"status {done.returncode}, not {status}: {done.stderr.decode(errors='replace')}"
    return "" if done.stdout.decode(errors="replace") == output else f"printed {done.stdout!r}, not {output!r}"


def main():
    """TAP, a test for each command line."""
    build, path = sys.argv[1:]
    all_cases = list(cases(Path(path).read_text()))
    print(f"1..{len(all_cases)}")
    failed = 0
    for number, case in enumerate(all_cases, 1):
        wrong = check(build, case)
        failed += bool(wrong)
        print(f"{'not ok' if wrong else 'ok'} {number} - {case[0]}" + "".join(f"\n# {line}" for line in wrong.splitlines()))
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
