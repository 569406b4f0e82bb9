#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""workload.py BUILD PROGRAM: each pattern of the workloads, small, in the guest gives what PROGRAM, the same sources compiled for
this machine, gives here; and PROGRAM lists as many references as it counts. Prints TAP."""
import subprocess
import sys

import app_test

CASES = {"scan": "-n 900", "loop": "-n 900", "zipf": "-n 900 -s 5", "scans": "-n 900 -w 100", "phases": "-n 900", "chase": "-n 900",
         "stack": "-n 300", "heap": "-n 900", "fork": "-n 900", "hash": "-n 900", "matrix": "-p 4", "blocks": "-p 4", "sort": "-p 4",
         "heap ": "-n 3000 -p 5 -s 18446744073709551615", "zipf ": "-n 1 -p 1", "stack ": "-n 2000 -p 1800", "loop ": "-n 40 -p 6 -r"}


def command(pattern, options):
    """The words of one run."""
    return ["-p", "40", *options.split(), pattern.strip()]


def host(program, *words):
    """What the program prints here; "" if it fails."""
    done = subprocess.run([program, *words], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout if done.returncode == 0 else ""


def guest(build):
    """What each case prints in the guest, all in one boot."""
    lines = "; echo; ".join(" ".join(["workload", *command(*case)]) + ' || echo "status $?"' for case in CASES.items())
    done = subprocess.run([*app_test.runner(build), "--", "sh", "-c", lines], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False)
    if done.returncode:
        sys.exit(f"Bail out! status {done.returncode}: {done.stderr}")
    return done.stdout.split("\n\n")


def counted(program, pattern, options):
    """That -r lists as many references as it counts without, and none to another page."""
    summary, listed = host(program, *command(pattern, options)), host(program, *command(pattern, options), "-r").split()
    fields = summary.replace(",", "").split()
    return bool(listed) and len(listed) == int(fields[4]) and max(map(int, listed)) < int(fields[2])


def checksum(program, *words):
    """What it came to here."""
    return host(program, *words).split()[-1]


def main():
    """Exit status 1 if any differs."""
    build, program = sys.argv[1:]
    checks = {f"here and in the guest: {' '.join(command(*case))}": got.strip() == host(program, *command(*case)).strip() != ""
              for case, got in zip(CASES.items(), guest(build), strict=True)}
    checks |= {f"as many references as it counts: {' '.join(command(*case))}": counted(program, *case)
               for case in CASES.items() if "-r" not in case[1]}
    checks["by blocks the same product comes out"] = checksum(program, "matrix") == checksum(program, "blocks")
    checks["another seed, another checksum"] = checksum(program, "zipf", "-s", "2") != checksum(program, "zipf", "-s", "3")
    print(f"1..{len(checks)}")
    for number, (name, good) in enumerate(checks.items(), 1):
        print("ok" if good else "not ok", number, "-", name)
    return int(not all(checks.values()))


if __name__ == "__main__":
    sys.exit(main())
