#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""pressed.py KERNEL IMAGE: groups of tests that know nothing of it, with a handful of frames under each policy, a boot each. Prints TAP: a
boot is a subtest. A few; with QUIRE_FULL set each policy with each group, whose numbers of frames take turns."""
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import policy_words

FRAMES = (4, 5, 8, 16)
POSIX = ["cow", "stream", "files", "threads", "process", "pipe", "pointer", "locks"]  # the others count resident pages
ALONE = ["map"]
FEW = [("random", 5, "stream"), ("leap+sieve", 4, "files"), ("eager+generations", 8, "cow"), ("window,64+s3-fifo", 16, "map"),
       ("pff+dirty", 4, "pointer")]


def cells():
    """What to boot: words, frames, group."""
    if not os.environ.get("QUIRE_FULL"):
        return FEW
    each = [(words, FRAMES[(i + j) % len(FRAMES)], group) for i, words in enumerate(policy_words.EVERY) for j, group in enumerate(POSIX + ALONE)]
    return each + [(words, 16, "malloc") for words in ("clock", "window,4+s3-fifo")]


def boot(kernel, image, cell):
    """What judge.py says of it: its status and its words."""
    words, frames, group = cell
    append = f"budget={frames} policy={words} " + (f"run=t_{group}" if group in ALONE else f"serve=uart serve=posix:t_{group}")
    return subprocess.run([sys.executable, Path(__file__).parent / "judge.py", "--kernel", kernel, "--initrd", image, "--append", append,
                           "--deadline", "1000"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def main():
    """Exit status 1 if a boot failed."""
    kernel, image = sys.argv[1:]
    boots = cells()
    print(f"1..{len(boots)}")
    failed = 0
    with ThreadPoolExecutor(2) as several:
        for number, (cell, done) in enumerate(zip(boots, several.map(lambda cell: boot(kernel, image, cell), boots)), 1):
            failed += done.returncode != 0
            print(f"{'not ok' if done.returncode else 'ok'} {number} - {cell[2]}, {cell[1]} frames, {cell[0]}", flush=True)
            if done.returncode:
                print(*("# " + line for line in (done.stdout + done.stderr).splitlines()), sep="\n")
    return int(failed != 0)


if __name__ == "__main__":
    sys.exit(main())
