#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""trace.py BUILD PROGRAM: the trace of a workload in the guest has exactly the pages that PROGRAM, the same sources compiled for
this machine, lists as its references, in that order, and besides only those of its image and stack. Prints TAP."""
import itertools
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "bench"))
import pages  # noqa: E402

SERVERS = 2
IMAGE_END, STACK = (1 << 20) // pages.PAGE, ((1 << 38) - (8 << 20)) // pages.PAGE  # docs/architecture.md; the stack's limit
CASES = ["-p 16 -n 200 loop", "-p 12 -n 300 -s 3 zipf", "-p 9 -n 100 chase", "-p 20 -n 400 heap", "-p 6 -n 200 hash", "-p 2 matrix",
         "-p 2 blocks", "-p 2 sort"]


def in_order(numbers):
    """Without repetitions in a row."""
    return [number for number, _ in itertools.groupby(numbers)]


def listed(program, words):
    """The array's pages, as the program refers to them."""
    done = subprocess.run([program, "-r", *words], capture_output=True, text=True, timeout=60, check=True)
    return in_order(map(int, done.stdout.split()))


def traced(build, words, posix=False, filters=()):
    """The records of all processes above the servers."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "trace"
        pages.record(build, out, pages.boot_words(["workload", *words], posix), filters)
        return [entry for entry in pages.records(out) if not posix or entry[2] > SERVERS]


def array_of(trace, wanted):
    """Where the array lies whose pages are referred to in the order that is wanted; None: nowhere."""
    size = max(wanted) + 1
    for base in sorted({page for page, _, _ in trace}):
        if in_order(page - base for page, _, _ in trace if base <= page < base + size) == wanted:
            return range(base, base + size)
    return None


def others(trace, array):
    """Pages that are neither the array's nor of image or stack."""
    return {page for page, _, _ in trace if page not in array and IMAGE_END <= page < STACK}


def check_pattern(build, program, words):
    """That the order is the program's."""
    trace = traced(build, words, filters=["kinds=rw"])
    array = array_of(trace, listed(program, words))
    return array is not None and not others(trace, array) and {process for _, _, process in trace} == {1}


def check_fork(build, program):
    """That fifteen processes are told apart: what they do together is the whole list, and each has a part of it."""
    words = "-p 8 -n 600 fork".split()
    trace = traced(build, words, posix=True, filters=["kinds=rw"])
    array = array_of(trace, listed(program, words))
    return array is not None and len({process for page, _, process in trace if page in array}) == 15


def check_kinds(build, program):
    """Reads, writes and instructions: what is only read is not written, and what is executed never."""
    good = True
    for share in ("0", "100"):
        words = ["-p", "8", "-n", "3000", "-w", share, "loop"]
        trace = traced(build, words)
        array = array_of([entry for entry in trace if entry[1] != "x"], listed(program, words))
        of = {kind: {page for page, known, _ in trace if known == kind} for kind in pages.KINDS}
        good &= array is not None and of["x"] != set() and not of["x"] & (of["w"] | set(array))
        good &= array is not None and of["w"] & set(array) == (set() if share == "0" else set(array))
    return good


def check_filters(build):
    """A trace of some kinds or of one process is that part of the whole."""
    words = "-p 4 -n 30 fork".split()
    whole = traced(build, words, posix=True)
    process = max(number for _, _, number in whole)
    part = traced(build, words, posix=True, filters=["kinds=wx", f"process={process}"])
    return part == in_order(entry for entry in whole if entry[1] != "r" and entry[2] == process) != []


def check_repeats(build):
    """The same again."""
    words = "-p 4 -n 30 -s 9 fork".split()
    return traced(build, words, posix=True) == traced(build, words, posix=True)


def check_failure(build):
    """A program that fails has no trace."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "trace"
        try:
            pages.record(build, out, pages.boot_words(["workload", "none"], False))
        except pages.Bad as why:
            return "no pattern 'none'" in str(why) and not out.exists()
    return False


def main():
    """Exit status 1 if any is not as listed."""
    build, program = sys.argv[1:]
    checks = {f"the pages of workload {words}, in order": lambda words=words: check_pattern(build, program, words.split()) for words in CASES}
    checks |= {"fifteen processes of a fork tree are told apart": lambda: check_fork(build, program),
               "reads, writes and instructions are told apart": lambda: check_kinds(build, program),
               "a part of a trace is part of the whole": lambda: check_filters(build),
               "a trace comes out the same again": lambda: check_repeats(build),
               "a program that fails has no trace": lambda: check_failure(build)}
    print(f"1..{len(checks)}")
    failed = 0
    for number, (name, check) in enumerate(checks.items(), 1):
        good = check()
        failed += not good
        print("ok" if good else "not ok", number, "-", name, flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
