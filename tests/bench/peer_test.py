#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tests the comparison with Linux (peer.py) with guests that are silent, cut short or wrong, and that its rows are those of the
benchmarks on both sides. Builds no Linux. Prints TAP."""
import json
import sys
from pathlib import Path

import checks
import peer

HERE = Path(__file__).resolve().parent
END = '# bench {"name": "boot.init_with_firmware", "median": 50}\n# bench {"name": "mem.init_free_bytes", "median": 2048}\n# end\n'
FIRMWARE = "OpenSBI\n0000000000000010\n"
TRAP = "riscv_trap hart:0, async:{}, cause:{}, epc:0x10, tval:0x{:x}, desc=x\n"
WINDOW = {"name": "w", "base": 1 << 32, "bytes": 4096, "faults": 2}
GOOD_TRACE = [TRAP.format(0, 15, 0x100000000), TRAP.format(0, 13, 0x100000fff), TRAP.format(0, 8, 0x100000000),
              TRAP.format(1, 13, 0x100000000), TRAP.format(0, 13, 0x200000000)]


def fails(function, *arguments):
    """The message if it fails as it should, else None."""
    return checks.failure(peer.Failed, function, *arguments)


def rows(ours):
    """The table if Linux takes 200 for everything."""
    return list(peer.compared({row[2]: {"median": 200} for row in peer.ROWS}, ours))


OURS = {row[1]: {"median": 100} for row in peer.ROWS}
BASELINE = json.loads((HERE / "baseline.json").read_text())
SOURCES = "".join(path.read_text() for path in (HERE / "linux").glob("*.c"))
DERIVED = {"boot.init", "mem.init_bytes"}
ANCHORS = json.loads(peer.ANCHORS.read_text())
CHECKS = {
    "Quire's rows are those of the baseline": {row[1] for row in peer.ROWS} <= set(BASELINE),
    "the anchors' rows are those of the baseline": set(ANCHORS) <= set(BASELINE) | {"irq.off_max"},
    "the anchors are Linux's figures in docs/results.md": all(f"| {row['linux']:,} |" in peer.DOCUMENT.read_text()
                                                              for row in ANCHORS.values() if "linux" in row),
    "of Linux's ways, the cheapest": peer.anchored({}, {row[2]: {"median": 9 - (row[2] == "fault.zero.uffd_copy")} for row in
                                                        peer.ROWS})["fault.zero"] == {"linux": 8},
    "Linux's rows are those of its benchmarks": all(f'"{row[2]}"' in SOURCES for row in peer.ROWS if row[2] not in DERIVED),
    "boot without the firmware": peer.figures_of(END, FIRMWARE) == {"boot.init": {"median": 34, "n": 1},
                                                                     "mem.init_bytes": {"median": peer.MEMORY_KIB * 1024 - 2048, "n": 1}},
    "a guest that fails": "did not come" in fails(peer.figures_of, "# failed: x.c:1: y\n", FIRMWARE),
    "page faults in the window, and nothing else": peer.check_faults([WINDOW], GOOD_TRACE) == 2,
    "a fault too few": "w: 1 and not 2" in fails(peer.check_faults, [WINDOW], GOOD_TRACE[1:]),
    "a fault too many": "w: 3 and not 2" in fails(peer.check_faults, [WINDOW], GOOD_TRACE[:1] + GOOD_TRACE),
    "a guest without windows": fails(peer.check_faults, [], GOOD_TRACE) is not None,
    "fewer instructions": {row[1:5] for row in rows(OURS)} == {("100", "200", "2.00", "yes")},
    "more instructions": rows({**OURS, peer.ROWS[0][1]: {"median": 400}})[0][1:5] == ("400", "200", "0.50", "no"),
    "as many instructions": rows({**OURS, peer.ROWS[0][1]: {"median": 200}})[0][4] == "no",
    "a row of Quire that is gone": peer.ROWS[0][1] in (fails(rows, {k: v for k, v in OURS.items() if k != peer.ROWS[0][1]}) or ""),
    "a row of Linux that is gone": peer.ROWS[0][2] in (fails(lambda: list(peer.compared({}, OURS))) or ""),
    "the document's table": peer.updated(f"a\n{peer.BEGIN}\nold\n{peer.END}\nb\n", "new") ==
                            f"a\n{peer.BEGIN}\nnew\n{peer.END}\nb\n",
    "a document without a table": "docs/results.md" in fails(peer.updated, f"a\n{peer.BEGIN}\n", "new"),
    "docs/results.md has a table": fails(peer.updated, peer.DOCUMENT.read_text(), "new") is None,
}


if __name__ == "__main__":
    sys.exit(checks.report(CHECKS))
