#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tests how figures of one hart and of several share a file, and what smp.py takes for worse. Boots nothing. Prints TAP."""
import json
import sys
import tempfile
from pathlib import Path

import checks
import compare
import smp

HERE = Path(__file__).resolve().parent
BASELINE = json.loads((HERE / "baseline.json").read_text())
OLD = {"syscall.null": {"median": 43}, "fault.zero": {"median": 900}, "smp.insn_per_fault_4": {"median": 1000}, "smp.gone": {"median": 1}}
ONE = {"syscall.null": {"median": 44}, "fault.new": {"median": 1}}
MANY = {"smp.insn_per_fault_4": {"median": 1001}}
ROW = {"instructions": 1000, "alone": 57, "contended": 0.0584, "exclusive": 0.04, "kicks": 0, "shootdowns": 0, "moves": 0}
FOUND = {f"{count} {kind}": ROW for kind in smp.KINDS for count in smp.COUNTS}
FOUND["calls"] = {kind: {**{str(count): ROW for count in smp.COUNTS}, "speed-up": None} for kind in smp.CALLS}
FIGURES = smp.keys(FOUND)


def put(old, figures):
    """What is in a file of the old figures then."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "bench.json"
        if old:
            path.write_text(json.dumps(old))
        compare.put(path, figures)
        return json.loads(path.read_text())


def over(name, figure):
    """Whether that is worse than 100."""
    return smp.worse({name: {"median": figure}}, {name: {"median": 100}}) == [name]


CHECKS = {
    "figures of one hart leave those of several": put(OLD, ONE) == {**ONE, "smp.insn_per_fault_4": {"median": 1000}, "smp.gone": {"median": 1}},
    "figures of several leave those of one": put(OLD, MANY) == {"syscall.null": {"median": 43}, "fault.zero": {"median": 900}, **MANY},
    "a file that is not there": put(None, MANY) == MANY,
    "rows of several harts are not missed where one was measured": compare.worse({"syscall.null": {"median": 43}, "fault.zero": {"median": 900}}, OLD) == [],
    "rows of one hart are": compare.worse({"syscall.null": {"median": 46}}, OLD) == ["syscall.null", "fault.zero"],
    "rows of several harts are missed where they were measured": smp.worse(MANY, OLD) == ["smp.gone"],
    "instructions": not over("smp.insn_per_fault_1", 103) and over("smp.insn_per_fault_1", 104),
    "of threads of one program": not over("smp.threads.insn_per_fault_4", 103) and over("smp.threads.insn_per_fault_4", 104),
    "the share in which every other hart waits": not over("smp.alone_percent_4", 103) and over("smp.alone_percent_4", 104),
    "waits for locks": not over("smp.contended_per_1000_faults_4", 300) and over("smp.contended_per_1000_faults_4", 301),
    "a figure that is less": not over("smp.threads.insn_per_fault_2", 1),
    "the named figures": FIGURES["smp.insn_per_fault_4"]["median"] == 1000 and FIGURES["smp.alone_percent_4"]["median"] == 6 and
                         FIGURES["smp.threads.contended_per_1000_faults_4"]["median"] == 58,
    "of calls": FIGURES["smp.posix.insn_per_pipe_4"]["median"] == 1000 and FIGURES["smp.posix.alone_percent_open_4"]["median"] == 6,
    "instructions of calls": not over("smp.posix.insn_per_read64_4", 110) and over("smp.posix.insn_per_read64_4", 111),
    "each has a slack": all(smp.most(name, 1) for name in FIGURES),
    "the baseline's names are these": {name for name in BASELINE if compare.of_harts(name)} == set(FIGURES),
}


if __name__ == "__main__":
    sys.exit(checks.report(CHECKS))
