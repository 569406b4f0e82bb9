#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""tree_test.py PROGRAM: runs it in new folders with several seeds (ten times as many with QUIRE_FULL). TAP."""
import os
import subprocess
import sys
import tempfile

SEEDS, OPERATIONS = (30 if os.environ.get("QUIRE_FULL") else 3), 20000


def main():
    """Exit status 0 if all agree with this machine's file system."""
    bad = 0
    print(f"1..{SEEDS}")
    for seed in range(1, SEEDS + 1):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([sys.argv[1], folder, str(seed), str(OPERATIONS)], capture_output=True, text=True,
                                  env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}, check=False)
        bad += done.returncode != 0
        print(f"{'not ok' if done.returncode else 'ok'} {seed} - {OPERATIONS} operations, seed {seed}", flush=True)
        if done.returncode:
            print(done.stdout + done.stderr, file=sys.stderr)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
