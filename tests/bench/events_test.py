#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tests what events.py and price.py make of QEMU's log, with logs that are right, cut short and contradictory, and that the
plug-in compiles against its header. Boots nothing. Prints TAP."""
import collections
import json
import sys
import tempfile
import zlib
from pathlib import Path

import checks
import events
import price

KERNEL, PROGRAM = 1 << 63, 0x10000
TRAP = "riscv_trap hart:0, async:{}, cause:{}, epc:0x10, tval:0x0, desc=x"
COUNTS = "events: {} instructions={} entries={} satp={} fences=1 loads=2 stores=3 io=0 data={} code={}"
FAULT = [TRAP.format(0, 8), "events: begin", f"pc {PROGRAM:x}", TRAP.format(0, 15), f"pc {KERNEL:x}", TRAP.format(0, 9), TRAP.format(1, 7),
         TRAP.format(0, 8), TRAP.format(1, 5), "events: end", TRAP.format(0, 8), COUNTS.format("program", 10, 0, 0, 1, 2),
         COUNTS.format("pager", 20, 0, 0, 4, 5), COUNTS.format("kernel", 32, 3, 2, 6, 7), COUNTS.format("all", 0, 0, 0, 9, 13)]
FIGURE = {"name": "fault", "median": 60, "index": 1, "parts": 1}


def output(*figures, good=True):
    """What the guest prints."""
    tap = ["# begin bench", "1..1", "ok 1 - faults" if good else "not ok 1 - faults"]
    crc = zlib.crc32("".join(line + "\n" for line in tap).encode())
    lines = ["quire: x", *tap[:2], *figures, tap[2],
             f"# end bench passed={int(good)} failed={int(not good)} skipped=0 lines=3 crc={crc:08x} status={int(not good)}",
             "quire: off, status 0"]
    return "".join(line + "\n" for line in lines).encode()


BENCH = '# bench {{"name": "{}", "median": 60, "min": 60, "max": 60, "n": 1, "index": {}, "parts": 1}}'
GOOD = output(BENCH.format("overhead", 0), BENCH.format("fault", 1))
FAILED = output(BENCH.format("fault", 1), good=False)


def fails(function, *arguments):
    """The message if it fails as it should, else an empty one."""
    return checks.failure(events.Bad, function, *arguments) or ""


def check(figure, lines=None):
    """What the check of a window says."""
    return fails(events.checked, "fault", next(events.windows(lines or FAULT)), {**FIGURE, **figure})


def compiles():
    """With all warnings as errors."""
    with tempfile.TemporaryDirectory() as folder:
        return events.compiled(Path(folder)).stat().st_size > 0


WINDOW = next(events.windows(FAULT))
FOUND = events.events_of(GOOD, FAULT)
CELLS = dict(zip(events.HEADS, events.cells("fault", FOUND["fault"])))
SIXTEEN = dict(zip(events.HEADS, events.cells("fault", {**WINDOW, "runs": 16})))
WAY = [("program", ""), ("kernel", "trap_entry"), ("kernel", "new"), ("pager", "answer_plain"), ("pager", "zero_page"), ("pager", "new"),
       ("kernel", "trap_entry"), ("kernel", "map_page"), ("kernel", "resume"), ("program", "")]
STAGED = price.staged(WAY)
ALL = collections.Counter(what for what, *_ in price.STAGES)
RESTS = [on for _, _, on, functions in price.STAGES if functions is None]
COSTS = list(price.cost_rows({"fault": FOUND["fault"]}))[0]
CHECKS = {
    "the plug-in compiles": compiles(),
    "traps by kind, those within the window": dict(WINDOW["traps"]) == {"exceptions": 1, "calls": 1, "interrupts": 1, "firmware": 2},
    "the addresses": WINDOW["pcs"] == [PROGRAM, KERNEL],
    "an operation by name": list(FOUND) == ["fault"],
    "sums of all parts": (CELLS["instructions"], CELLS["satp"], CELLS["loads"]) == ("62", "2", "6"),
    "a part's own": (CELLS["kernel"], CELLS["pager"], CELLS["servers"], CELLS["program"]) == ("32", "20", "0", "10"),
    "distinct lines are not added": (CELLS["lines of data"], CELLS["of code"]) == ("9", "13"),
    "one of sixteen": (SIXTEEN["instructions"], SIXTEEN["calls"], SIXTEEN["lines of data"]) == ("3.9", "0.1", "9 of 16"),
    "what faulted and was repeated is counted twice": check({"median": 60}) == "",
    "more instructions than the guest counted": "the plug-in 62" in check({"median": 59}),
    "fewer": "the plug-in 62" in check({"median": 63}),
    "the guest's figure is rounded down": check({"median": 15, "parts": 4}) == "" and check({"median": 14, "parts": 4}) != "",
    "a trap that the kernel did not see": "logged 2" in check({}, [line for line in FAULT if "cause:15" not in line]),
    "a log that ends within": "ends within" in fails(lambda: list(events.windows(FAULT[:-1]))),
    "what the plug-in complains of": "an end without" in fails(lambda: list(events.windows(["events: an end without x"]))),
    "fewer operations than the guest measured": "measured 1 operations, the plug-in 0" in fails(events.events_of, GOOD, []),
    "more": "measured 1 operations, the plug-in 2" in fails(events.events_of, GOOD, FAULT + FAULT),
    "a benchmark that failed": "benchmark failed" in fails(events.events_of, FAILED, FAULT),
    "calls of the firmware": events.kind(0, 9) == events.kind(1, 7) == "firmware",
    "interrupts are not exceptions": (events.kind(1, 5), events.kind(0, 13), events.kind(0, 8)) == ("interrupts", "exceptions", "calls"),
    "a fault's stages": STAGED.total() == len(WAY) and price.stage("in", "trap_entry") != price.stage("out", "trap_entry"),
    "the price: what the kernel does besides, the second trap, the pager's loop": price.price(STAGED) == 3,
    "each way has one stage for what is not named": sorted(RESTS) == ["in", "out", "pager", "program"],
    "a stage that no fault has": fails(price.complete, [ALL]) == "" and
                                 "mapped there" in fails(price.complete, [ALL - collections.Counter(["what is mapped there"])]),
    "costs": COSTS[1:5] == ("62", "5", "2", "22") and COSTS[-1] == f"{62 + 500 * 5 + 500 * 2 + 20 * 22:,}",
    "where a lead is gone": (price.flip(100, 4), price.flip(100, 0), price.flip(-1, 1), price.flip(-8, -2)) ==
                            ("25", "never", "is behind", "ahead from 4"),
    "Linux's rows are anchors": all("linux" in json.loads(price.peer.ANCHORS.read_text())[name] for name in price.LINUX),
    "docs/results.md has both tables": all(events.peer.DOCUMENT.read_text().count(begin) == 1 for begin in (events.BEGIN, price.BEGIN)),
    "every part has one owner": sorted(sum(events.OWNERS.values(), ())) == sorted(events.PARTS),
}


if __name__ == "__main__":
    sys.exit(checks.report(CHECKS))
