#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""agree.py BUILD: under a policy of replacement a program with so many frames faults in the guest, by QEMU's own log of traps, just as
often as the replayer says of the trace of all that the program refers to. Prints TAP.

The touch that brings a page in sets its accessed bit there, so it does here (--enter set).

Compared are the pages that a budget is of: not those of read-only segments, which all instances share, nor the topmost of the stack,
where the arguments are. A program that gives memory back would differ: a trace does not say so. Without servers nobody else's faults are in the log but the one with which the kernel turns its map on."""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "bench"))
import pages  # noqa: E402

ARGUMENTS = (1 << 26) - 2  # docs/architecture.md: the last page of the user's half is nobody's
PAGE_FAULTS = {12, 13, 15}  # ISA manual, volume II, mcause
ALL = [("-p 16 -n 2000 zipf", (4, 8, 16)), ("-p 16 -n 2000 scans", (6, 12)), ("-p 40 -n 1000 chase", (12,)),
         ("-p 20 -n 400 stack", (7,)), ("-p 20 -n 3 -w 100 scan", (5,)), ("-p 24 -n 1000 loop", (23, 24))]
SOME = [("-p 16 -n 2000 zipf", (8,)), ("-p 16 -n 2000 scans", (6,))]
OTHERS = ["null", "clock", "sieve", "aging", "dirty", "wsclock", "random", "s3-fifo", "generations"]
MACHINE = ["qemu-system-riscv64", "-machine", "virt", "-m", "256M", "-nographic", "-no-reboot", "-icount", "shift=0,sleep=off"]


def shared(program):
    """Page numbers of segments that may not be written."""
    text = subprocess.run(["riscv64-unknown-elf-readelf", "-lW", program], capture_output=True, text=True, check=True).stdout
    found = set()
    for start, size, flags in re.findall(r"LOAD +0x\w+ 0x(\w+) 0x\w+ 0x\w+ 0x(\w+) (.{3})", text):
        if "W" not in flags:
            first = int(start, 16)
            found |= set(range(first // pages.PAGE, (first + int(size, 16) - 1) // pages.PAGE + 1))
    return found


def options(words, policy, frames):
    """The boot options of such a run."""
    return f"budget={frames} policy={policy} " + pages.boot_words(["workload", *words.split()], False)


def own_pages(trace, others):
    """The trace without those pages, as a text for the replayer."""
    return "".join(f"{page}{'w' if kind == 'w' else ''}\n" for page, kind, _ in pages.records(trace) if page not in others)


def replayed(build, words, policy, frames, others, folder):
    """Misses, by the replayer, on the trace of the run with so many frames."""
    trace, own = folder / "trace", folder / "own"
    pages.record(build, trace, options(words, policy, frames))
    own.write_text(own_pages(trace, others))
    told = subprocess.run([f"{build}/pager/replay/replay", "--policy", policy, "--enter", "set", "--frames", str(frames), own], capture_output=True,
                          text=True, check=True).stdout
    return int(re.search(rf"^{re.escape(policy)} +\d+ +\S+ +\S+ +(\d+)", told, re.M)[1])


def trapped(build, append, others, folder, seconds=100):
    """Page-fault traps in QEMU's log of a run with these boot options."""
    log = folder / "log"
    done = subprocess.run([*MACHINE, "-kernel", f"{build}/kernel/quire.bin", "-initrd", f"{build}/apps/quire.cpio", "-append",
                           append, "-d", "trace:riscv_trap", "-D", log],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False)
    if b"quire: off, status 0" not in done.stdout:
        raise pages.Bad("the machine failed:\n" + done.stdout.decode(errors="replace"))
    count = 0
    for cause, pc, address in re.findall(r"async:0, cause:(\d+), epc:0x(\w+), tval:0x(\w+)", log.read_text()):
        turns_map_on = pc == address and int(pc, 16) >> 31 == 1
        count += int(cause) in PAGE_FAULTS and not turns_map_on and int(address, 16) // pages.PAGE not in others
    return count


def main():
    """Exit status 1 if a number differs."""
    build = sys.argv[1]
    others = shared(f"{build}/apps/workload") | {ARGUMENTS}
    cases = [("fifo", words, frames) for words, numbers in ALL for frames in numbers]
    cases += [(policy, words, frames) for policy in OTHERS for words, numbers in SOME for frames in numbers]
    print(f"1..{len(cases)}")
    failed = 0
    for number, (policy, words, frames) in enumerate(cases, 1):
        with tempfile.TemporaryDirectory() as folder:
            said = replayed(build, words, policy, frames, others, Path(folder))
            seen = trapped(build, options(words, policy, frames), others, Path(folder))
        failed += said != seen
        print(f"{'ok' if said == seen else 'not ok'} {number} - {policy}, {frames} frames, {words}: {said} faults", flush=True)
        if said != seen:
            print(f"# the replayer says {said}, QEMU's log {seen}")
    return int(failed != 0)


if __name__ == "__main__":
    sys.exit(main())
