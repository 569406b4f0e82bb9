# SPDX-License-Identifier: BSD-2-Clause
"""What the pager tells while the machine runs (the boot option trace=, pager/tell.h), which a plug-in of QEMU writes down
(plugin/channel.c): when programs begin and end and what they have cost, and every fault. The kernel and the pager are the shipped
ones, so the faults, and with trace=ends the instructions of programs, are those of a run that nobody listens to."""
import collections
import csv
import re
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from pages import Bad, IMAGE, check_name, checked, compiled, machine, run

ROOT = Path(__file__).resolve().parents[2]
HEAD = struct.Struct("<4Q")  # pager/tell.h: what, id, time, instret
BEGIN, WAITS, FAULT, END = 1, 2, 3, 4
COPY, KIND = 4, 3  # kernel/include/quire/abi.h: Q_FAULT_*
COPIED, AGAIN = 0x100, 0x101
EXIT, KILLED = 0, 1  # P_REASON_* of pager/include/quire/pager.h
KINDS = "rwx"
FIELDS = ("time", "instret", "waited", "process", "kind", "address", "pc", "by", "answer", "evicted", "written", "refaults")


class Head(NamedTuple):
    """Of each record."""
    what: int
    id: int
    time: int
    instret: int


class Begin(NamedTuple):
    """A program is about to run."""
    head: Head
    parent: int
    timebase: int
    name: bytes


class Fault(NamedTuple):
    """One that was received or answered."""
    head: Head
    address: int
    pc: int
    kind: int
    answer: int
    evicted: int
    written: int
    refaults: int

    @property
    def whose(self):
        """What tells it from others that wait at the same time."""
        return self.head.id, self.address, self.pc


class End(NamedTuple):
    """What a process has cost."""
    head: Head
    reason: int
    status: int
    faults: int
    copies: int
    refused: int
    ahead: int
    evicted: int
    written: int
    refaults: int
    wrong: int
    peak: int


SHAPES = {BEGIN: (Begin, struct.Struct("<2Q32s")), WAITS: (Fault, struct.Struct("<7Q")), FAULT: (Fault, struct.Struct("<7Q")),
          END: (End, struct.Struct("<11Q"))}


# ---- Listening ---------------------------------------------------------------------------------------------------------------

def channel(build, plugin, out):
    """The plug-in, which is compiled, and its arguments, for the pager in the image."""
    check_name(plugin)
    check_name(out)
    names = subprocess.run(["riscv64-unknown-elf-nm", "-S", f"{build}/pager/pager"], capture_output=True, text=True, check=True).stdout
    place = re.search(r"^(\w+) (\w+) \w tell$", names, re.M)
    base = re.search(r"^(\w+) \w __image_start$", names, re.M)
    if not place or not base:
        raise Bad(f"{build}/pager/pager has no function tell()")
    first = int(place[1], 16)
    return f"{Path(plugin).resolve()},out={out},base={base[1]},from={first:x},to={first + int(place[2], 16):x}"


def records(data):
    """All that was told, in order."""
    at = 0
    while at < len(data):
        if len(data) - at < HEAD.size:
            raise Bad("the last record is cut off")
        head = Head(*HEAD.unpack_from(data, at))
        kind, shape = SHAPES.get(head.what, (None, None))
        if not kind:
            raise Bad(f"byte {at}: a record of kind {head.what}, which there is not")
        at += HEAD.size
        if len(data) - at < shape.size:
            raise Bad("the last record is cut off")
        yield kind(head, *shape.unpack_from(data, at))
        at += shape.size


def complete(told):
    """Refuses a list in which a fault is missing, by each process's own counts, or all is."""
    if not any(isinstance(record, End) for record in told):
        raise Bad("the pager told of no program's end: is the build's boot image older than its pager?")
    answered, refused = collections.Counter(), collections.Counter()
    for record in told:
        if record.head.what == FAULT:
            (refused if 0 < record.answer < COPIED else answered)[record.head.id] += 1
    for record in told:
        if isinstance(record, End) and (record.faults, record.refused) != (answered[record.head.id], refused[record.head.id]):
            raise Bad(f"process {record.head.id} had {record.faults} faults and {record.refused} that were refused, of which "
                      f"{answered[record.head.id]} and {refused[record.head.id]} were told")


def listen(build, append, *, log=None, plugin=None, image=IMAGE, memory="256M", harts=1, seconds=100):
    """Runs the machine with these boot options, of which one is trace=. With a log QEMU writes all traps there. The plug-in is
    compiled unless it is given."""
    with tempfile.TemporaryDirectory() as folder:
        out, said = Path(folder) / "told", log or Path(folder) / "log"
        command = [*machine(build, "quire.bin", append, memory, harts, image), "-plugin",
                   channel(build, plugin or compiled(folder, "channel"), out), "-d", "plugin,trace:riscv_trap" if log else "plugin", "-D", str(said)]
        checked(run(command, seconds), said, "channel")
        return list(records(out.read_bytes()))


def traps(log):
    """(kind, pc, address) of each page fault that QEMU logged, but the one with which the kernel turns its map on."""
    causes = {"12": "x", "13": "r", "15": "w"}  # ISA manual, volume II, mcause
    for cause, pc, address in re.findall(r"async:0, cause:(\d+), epc:0x(\w+), tval:0x(\w+)", log.read_text()):
        if cause in causes and not (pc == address and int(pc, 16) >> 31 == 1):
            yield causes[cause], int(pc, 16), int(address, 16)


# ---- The faults as a table -----------------------------------------------------------------------------------------------------

def reasons():
    """Why a fault may be refused."""
    text = (ROOT / "pager/include/quire/pager.h").read_text()
    return {int(number): words for number, words in re.findall(r'X\((\d+), \w+, "([^"]*)"\)', text)}


def answer_text(fault, came_back, why):
    """How it was answered."""
    if fault.answer == AGAIN:
        return "store" if came_back else "again"
    return "copied" if fault.answer == COPIED else why[fault.answer] if fault.answer else "new"


def row(fault, first, last, why):
    """A line of the table: the fault when it was answered and when it was received, and the one of its process before it."""
    deltas = {name: getattr(fault, name) - (getattr(last, name) if last else 0) for name in ("evicted", "written", "refaults")}
    return {"time": first.head.time, "instret": first.head.instret, "waited": fault.head.time - first.head.time, "process": fault.head.id,
            "kind": KINDS[fault.kind & KIND], "address": f"{fault.address:#x}", "pc": f"{fault.pc:#x}",
            "by": "copy" if fault.kind & COPY else "program", "answer": answer_text(fault, deltas["refaults"], why)} | deltas


def rows(told):
    """All faults, in the order in which the pager received them."""
    why, waiting, last, found = reasons(), collections.defaultdict(collections.deque), {}, []
    for record in told:
        if record.head.what == WAITS:
            waiting[record.whose].append(record)
        elif record.head.what == FAULT:
            first = waiting[record.whose].popleft() if waiting[record.whose] else record
            found.append(row(record, first, last.get(record.head.id), why))
            last[record.head.id] = record
    for fault in (fault for queue in waiting.values() for fault in queue):  # their processes ended
        found.append(row(fault, fault, fault, why) | {"answer": "none"})
    return sorted(found, key=lambda entry: entry["time"])


def write(path, told, process=None, kinds=KINDS):
    """The table as CSV: all of it, or of one process or some kinds."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(entry for entry in rows(told) if process in (None, entry["process"]) and entry["kind"] in kinds)


def summary(told):
    """A line for each process that ended: with its last name, and its time from its beginning."""
    begins, names = {}, {}
    for begin in (record for record in told if isinstance(record, Begin)):
        begins.setdefault(begin.head.id, begin)
        names[begin.head.id] = begin.name.rstrip(b"\0").decode()
    for end in (record for record in told if isinstance(record, End)):
        begin = begins[end.head.id]
        yield (f"process {end.head.id} ({names[end.head.id]}): {end.faults:,} faults, {end.refused:,} refused; {end.evicted:,} pages evicted, "
               f"{end.written:,} of them written, {end.refaults:,} read back; {(end.head.time - begin.head.time) / begin.timebase:.6f} s")


def record_faults(build, out, append, *, process=None, kinds=None, **how):
    """Runs the machine, and writes all its faults to a file. What there was of them, in words."""
    if not set(kinds or KINDS) <= set(KINDS):
        raise Bad(f"--kinds {kinds}: these are letters of {KINDS}")
    told = listen(build, f"trace=faults {append}", **how)
    complete(told)
    write(out, told, process, kinds or KINDS)
    return list(summary(told))
