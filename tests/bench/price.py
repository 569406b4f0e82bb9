#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The price of a pager outside the kernel: which of a fault's instructions there are only for that, and what each operation costs
if a trap, a new address space and a cache line cost so many cycles; and at which cost Linux's in-kernel way would be the cheaper.

An instruction belongs to the function that it was inlined from, by the executables' line tables. What is shared with a fault
handled in the kernel is named in STAGES. What else the kernel executes is counted as the price, what else the pager executes as shared: it decides."""
import argparse
import collections
import json
import re
import subprocess
import sys
from pathlib import Path

import events
import judge
import peer
import stages

BEGIN = "<!-- made by scripts/bench --price --update-docs: begin -->"
FAULTS = ("fault.ready", "fault.zero", "fault.cow")
LOOK = {"write_protected", "is_page", "pte_pa", "frame_of"}
STAGES = (  # what, whether a fault handled in the kernel does it too, on which way, in which functions (None: all others)
    ("the program's own instruction", True, "program", None),
    ("trap: registers saved, lock", True, "in", {"trap_entry", "other_trap"}),
    ("what is mapped there", True, "in", LOOK),
    ("message to the pager, new address space", False, "in", None),
    ("pager: message taken, space found, answer made", False, "pager", {"q_reply_recv", "serve", "serve_alone", "space_find",
     "answer_plain", "answer_with", "answer_faults", "answer_one", "answer_fault"}),
    ("pager: zeroing or copying", True, "pager", {"zero_page", "zero_pages", "zero_pages_here", "copy_page",
     "copy_page_here"}),
    ("pager: the decision, a frame", True, "pager", None),
    ("the page mapped, its frame checked", True, "out", LOOK | {"map_page", "replace_frame", "count_down", "fence_page", "change"}),
    ("the program goes on: registers restored", True, "out", {"resume", "resume_alone", "resume_fast"}),
    ("second trap, answer checked, old address space", False, "out", None),
)
COSTS = ((50, 0, 0), (150, 100, 5), (500, 500, 20))  # cycles: a trap, a write of satp, a cache line; an instruction takes one
LINUX = {  # traps and writes of satp of Linux's way in tests/bench/anchors.json, by what its benchmark does
    "syscall.null": (1, 0), "ipc.call_reply": (4, 2), "fault.zero": (1, 0), "fault.zero_batch16_per_page": (1 / 16, 0),
    "fault.zero_read": (1, 0), "fault.cow": (1, 0), "fault.cow_last": (1, 0), "sbrk.grow": (1, 0), "sbrk.shrink_resident": (1, 0),
    "pipe.pingpong": (4, 2), "file.read4096": (1, 0), "file.read4096_fresh": (2, 0)}


# ---- The stages of a fault -------------------------------------------------------------------------------------------------

def inlined(elf, addresses):
    """address -> the function of the source that it comes from, for those that the line table knows."""
    done = subprocess.run(["riscv64-unknown-elf-addr2line", "-a", "-f", "-i", "-e", elf], capture_output=True, text=True, check=True,
                          input="".join(f"{address:x}\n" for address in sorted(addresses)))
    found = re.findall(r"^0x([0-9a-f]+)\n(\S+)$", done.stdout, re.M)
    return {int(address, 16): name for address, name in found if name != "??"}


class Source:
    """Which function of which part an address comes from."""
    def __init__(self, build, addresses):
        elves = {"kernel": f"{build}/kernel/quire.elf", "pager": f"{build}/pager/pager"}
        self.tables = {who: stages.symbols(elf) for who, elf in elves.items()}
        self.known = {}
        for who, elf in elves.items():
            self.known.update(inlined(elf, {address for address in addresses if self.part(address) == who}))

    @staticmethod
    def part(address):
        """kernel, pager, or program."""
        return "kernel" if address >> 63 else "pager" if address >= events.PARTS["pager"] else "program"

    def function(self, address):
        """(part, name)."""
        part = self.part(address)
        return (part, "") if part == "program" else (part, self.known.get(address) or stages.place(self.tables, address)[1])


def stage(way, function):
    """The first that names the function, else the way's other."""
    named = [what for what, _, on, functions in STAGES if on == way and functions and function in functions]
    return (named or [what for what, _, on, functions in STAGES if on == way and functions is None])[0]


def staged(functions):
    """stage -> instructions, of a fault's functions in the order of execution."""
    counts, way = collections.Counter(), "in"
    for part, function in functions:
        if part == "pager":
            way = "out"  # after it
        counts[stage(part if part != "kernel" else way, function)] += 1
    return counts


def complete(found):
    """The faults' stages, none of which may be one that no fault has."""
    lost = [what for what, *_ in STAGES if not any(counts[what] for counts in found)]
    if lost:
        raise events.Bad(f"no fault has the stage '{lost[0]}': does STAGES in price.py still name its functions?")
    return found


def price(counts):
    """Instructions that there are only since the pager is not in the kernel."""
    return sum(counts[what] for what, shared, _, _ in STAGES if not shared)


def stage_rows(found):
    """A row a stage, a column a fault."""
    for what, shared, _, _ in STAGES:
        yield what, "yes" if shared else "no", *(f"{counts[what]:,}" for counts in found)
    yield "all", "", *(f"{counts.total():,}" for counts in found)
    yield "**of which because the pager is a process**", "", *(f"**{price(counts):,}**" for counts in found)


# ---- Costs -----------------------------------------------------------------------------------------------------------------

def figures(window):
    """Instructions, traps, writes of satp and cache lines of one run."""
    lines = events.total(window, "data") + events.total(window, "code")
    counts = events.total(window, "instructions"), window["traps"].total(), events.total(window, "satp"), lines
    return tuple(count / window["runs"] for count in counts)


def cost_rows(found):
    """A row an operation, a column each set of costs."""
    for name, window in found.items():
        own = figures(window)
        yield f"`{name}`", *(events.shown(number) for number in own), *(
            f"{own[0] + sum(count * cost for count, cost in zip(own[1:], costs)):,.0f}" for costs in COSTS)


def flip(lead, extra):
    """At which cost of an event, of which Quire has so many more, its lead in cycles is gone."""
    if lead > 0:
        return f"{lead / extra:,.0f}" if extra > 0 else "never"
    return "is behind" if extra >= 0 else f"ahead from {lead / extra:,.0f}"


def flip_rows(found, anchors):
    """A row an operation that Linux does in its kernel, or between two processes."""
    for name, (traps, switches) in LINUX.items():
        instructions, own_traps, own_switches, _ = figures(found[name])
        lead, more_traps, more_switches = anchors[name]["linux"] - instructions, own_traps - traps, own_switches - switches
        pairs = ((events.shown(own_traps), events.shown(traps)), (events.shown(own_switches), events.shown(switches)))
        yield (f"`{name}`", events.shown(instructions), f"{anchors[name]['linux']:,}", *(f"{own} : {other}" for own, other in pairs),
               flip(lead, more_traps), flip(lead - COSTS[0][0] * more_traps, more_switches), flip(lead, more_traps + more_switches))


STAGE_HEADS = ("a fault's instructions", "in a kernel's own, too", *(f"`{name}`" for name in FAULTS))
COST_HEADS = ("one operation", "instructions", "traps", "satp", "lines", *("/".join(map(str, costs)) for costs in COSTS))
FLIP_HEADS = ("one operation", "Quire", "Linux", "traps", "satp", "flips at a trap of", f"at a satp of, traps {COSTS[0][0]}", "at both of")


def tables(build):
    """All three, in Markdown."""
    found = events.collect(build, pcs=True)
    source = Source(build, {address for name in FAULTS for address in found[name]["pcs"]})
    counts = complete([staged(map(source.function, found[name]["pcs"])) for name in FAULTS])
    parts = ((STAGE_HEADS, stage_rows(counts)), (COST_HEADS, cost_rows(found)),
             (FLIP_HEADS, flip_rows(found, json.loads(peer.ANCHORS.read_text()))))
    return "\n\n".join(events.markdown(heads, rows) for heads, rows in parts)


def main():
    """Exit status 1 if the counts contradict each other."""
    parser = argparse.ArgumentParser(prog="scripts/bench --price", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--update-docs", action="store_true", help="puts the tables into docs/results.md")
    options = parser.parse_args()
    try:
        text = tables(options.build)
        print(text)
        if options.update_docs:
            peer.DOCUMENT.write_text(peer.updated(peer.DOCUMENT.read_text(), text, BEGIN))
    except (events.Bad, judge.Bad, peer.Failed) as why:
        sys.exit(f"price: {why}")


if __name__ == "__main__":
    main()
