#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""agree.py BUILD: under policies of replacement, fetching and allocation a program with so many frames faults in the guest, by QEMU's own log of traps and by the
pager's own count, just as often as the replayer says of the trace of all that the program refers to. With QUIRE_FULL set more programs
and numbers of frames. Prints TAP.

The touch that brings a page in sets its accessed bit there, so it does here (--enter set).

Compared are the pages that a budget is of: not those of read-only segments, which all instances share, nor the topmost of the stack,
where the arguments are. A program that gives memory back would differ: a trace does not say so, and to the replayer its pages are where
they were (workload heap after some 230 steps, when its break first goes down). So does one that faults sixteen times in a row on the same
four pages, which the pager then keeps whatever the policy says (pager/stuck.c). Without servers nobody else's faults are in the log but the
one with which the kernel turns its map on."""
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "bench"))
import pages  # noqa: E402
import policy_words  # noqa: E402
import told  # noqa: E402

ARGUMENTS = (1 << 26) - 2  # docs/architecture.md: the last page of the user's half is nobody's
ALL = [("workload -p 16 -n 2000 zipf", (4, 8, 16)), ("workload -p 16 -n 2000 scans", (6, 12)), ("workload -p 40 -n 1000 chase", (12,)),
       ("workload -p 20 -n 400 stack", (7,)), ("workload -p 20 -n 3 -w 100 scan", (5,)), ("workload -p 24 -n 1000 loop", (23, 24)),
       ("workload -p 40 -n 200 heap", (4,)), ("workload -p 8 -n 600 hash", (6,)), ("workload -p 4 matrix", (4,)),
       ("workload -p 4 blocks", (4,)), ("workload -p 4 sort", (4,)), ("grow 200", (6,))]
SOME = [("workload -p 16 -n 2000 zipf", (8,)), ("workload -p 16 -n 2000 scans", (6,))]
MORE = [("workload -p 24 -n 1000 phases", (4, 6, 12)), ("workload -p 40 -n 200 heap", (6, 20)), ("workload -p 12 -n 3000 hash", (4, 9)),
        ("workload -p 12 matrix", (5, 8, 12)), ("workload -p 12 blocks", (5, 8, 12)), ("workload -p 16 sort", (4, 8, 15)), ("grow 800", (4, 64))]
FEW = 5  # frames: in so many, what keeps pages that were used has the others come and go, often enough for pager/stuck.c
FETCHING = policy_words.with_options(policy_words.having("fault", "made"))
BESIDE = [f"{words}+{goes}" for words, goes in zip(FETCHING, ["fifo", "clock", "sieve", "s3-fifo"] * 4)] + ["window,16+random", "fixed,6+clock"]
OTHERS = [name for name in policy_words.REPLACING if name != "fifo"]


def shared(program):
    """Page numbers of segments that may not be written."""
    return {page for start, _, end, writable in pages.segments(program) if not writable
            for page in range(start // pages.PAGE, pages.page_up(end))}


def own_pages(trace, others):
    """The trace without those pages, as a text for the replayer."""
    return "".join(f"{page}{'w' if kind == 'w' else ''}\n" for page, kind, _ in pages.records(trace) if page not in others)


def areas(program, own):
    """What of a program is one piece of memory, for the replayer: by its file, and the text of its own pages."""
    return pages.areas(program, {int(line.rstrip("w")) for line in own.splitlines()})


def replayed(build, append, policy, frames, others, folder):
    """Misses, by the replayer, on the trace of the run with these boot options."""
    trace, own = folder / "trace", folder / "own"
    pages.record(build, trace, append)
    own.write_text(own_pages(trace, others))
    program = re.search(r"run=(\w+)", append)[1]
    said = subprocess.run([f"{build}/pager/replay/replay", "--policy", policy, "--enter", "set", "--frames", str(frames), "--areas",
                           areas(f"{build}/apps/{program}", own.read_text()), own], capture_output=True, text=True, check=True).stdout
    return int(re.search(rf"^{re.escape(policy)} +\d+ +\S+ +\S+ +(\d+)", said, re.M)[1])


def faulted(build, append, others, folder):
    """Of another run: the page-fault traps in QEMU's log, and what the pager counted of the process, less what it told of those pages."""
    log = folder / "log"
    faults = told.listen(build, f"trace=faults {append}", log=log)
    told.complete(faults)
    end, = (record for record in faults if isinstance(record, told.End))
    not_own = sum(record.address // pages.PAGE in others for record in faults if record.head.what == told.FAULT)
    return sum(address // pages.PAGE not in others for *_, address in told.traps(log)), end.faults - not_own


def compare(build, policy, words, frames):
    """The replayer's number, QEMU's, and the pager's."""
    others = shared(f"{build}/apps/{words.split()[0]}") | {ARGUMENTS}
    append = f"budget={frames} policy={policy} " + pages.boot_words(words.split(), False)
    with tempfile.TemporaryDirectory() as folder:
        return replayed(build, append, policy, frames, others, Path(folder)), *faulted(build, append, others, Path(folder))


def cases():
    """Policies, programs, numbers of frames."""
    full = MORE if os.environ.get("QUIRE_FULL") else []
    enough = [(words, [n for n in numbers if n > FEW]) for words, numbers in full]
    turns = [[(words, [numbers[i % len(numbers)]]) for words, numbers in enough] for i in range(len(OTHERS))]
    some = SOME if full else SOME[:1]
    lists = [("fifo", ALL + full)] + [(policy, some + turn) for policy, turn in zip(OTHERS, turns)] + [(policy, some) for policy in BESIDE]
    return [(policy, words, frames) for policy, programs in lists for words, numbers in programs for frames in numbers]


def main():
    """Exit status 1 if a number differs."""
    build, runs = sys.argv[1], cases()
    print(f"1..{len(runs)}")
    failed = 0
    with ThreadPoolExecutor(2) as several:
        for number, (case, found) in enumerate(zip(runs, several.map(lambda case: compare(build, *case), runs)), 1):
            good = len(set(found)) == 1
            failed += not good
            print(f"{'ok' if good else 'not ok'} {number} - {case[0]}, {case[2]} frames, {case[1]}: {found[0]} faults", flush=True)
            if not good:
                print("# the replayer says {}, QEMU's log {}, the pager {}".format(*found))
    return int(failed != 0)


if __name__ == "__main__":
    sys.exit(main())
