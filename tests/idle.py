#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""idle.py KERNEL IMAGE: a machine with nothing to do waits for interrupts. The guest cannot see it, since its counters go
on while it waits; so QEMU writes down each block of instructions that the kernel executes. TAP."""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import judge

SHORT, LONG = 10000, 10000000  # ticks of 100 ns
BLOCKS = 2000  # that a sleep may take more for being longer: a few spurious interrupts; a busy loop takes a million
TOO_MANY = 5000000


def blocks(kernel, image, ticks):
    """How many blocks of kernel code it takes to boot, sleep so long and turn off."""
    with tempfile.TemporaryDirectory() as folder:
        fifo = Path(folder) / "trace"
        os.mkfifo(fifo)
        command = ["qemu-system-riscv64", "-machine", "virt", "-m", "128M", "-nographic", "-no-reboot", "-icount",
                   "shift=0,sleep=off", "-kernel", kernel, "-initrd", image, "-append",
                   f"run=victim:nap:{ticks} deadline=100", "-d", "exec,nochain", "-dfilter",
                   "0xffffffff80000000+0x40000000", "-D", str(fifo)]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as qemu:
            with open(fifo, "rb") as trace:
                count = 0
                for line in trace:
                    count += line.startswith(b"Trace ")
                    if count == TOO_MANY:
                        qemu.kill()
                        raise judge.Bad("it does not wait for interrupts")
            output = qemu.communicate()[0]
    lines = judge.console(output)
    if not re.fullmatch(r"quire: off, status 0", lines[-1]):
        raise judge.Bad(f"the nap did not end well: {lines[-1]}")
    return count


def main():
    """Exit status 0 if it waits."""
    try:
        short, long = (blocks(sys.argv[1], sys.argv[2], length) for length in (SHORT, LONG))
    except judge.Bad as why:
        print("1..1", f"not ok 1 - {why}", sep="\n")
        return 1
    good = short > 1000 and abs(long - short) <= BLOCKS
    print("1..1", f"{'ok' if good else 'not ok'} 1 - sleeping takes the kernel no time", sep="\n")
    print(f"# {short} blocks with a millisecond's sleep, {long} with a second's")
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
