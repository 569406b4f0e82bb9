#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""boot.py KERNEL IMAGE: boots that must be refused with a message, or come to their end by themselves; none may hang or
panic. Prints TAP."""
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import judge

REFUSAL = r"quire: cannot boot: .+"
PAGER_REFUSAL = r"quire: off, status 1"
GOOD_END = r"quire: off, status 0"
MISSING = "pager: cannot start the server 'nothing': not in the boot image"
BUDGET = r"pager: boot options: budget=PAGES\[,all\] takes 4 to 65536 pages; or 0, to give single programs one while they run"
STORE = "pager: boot options: store= takes ram, ram,PAGES, ram,PAGES,MICROSECONDS, disk or disk,PAGES"
NEEDS = "pager: boot options: store= and seed= are for programs with a budget: give budget=PAGES too"
VAIN = "pager: boot options: policy= has words that come to nothing without a budget: give budget=PAGES too; or budget=0, .*"
PRESSURE = [  # boot options, a line that must be printed
    ("budget=", BUDGET), ("budget=3", BUDGET), ("budget=65537", BUDGET), ("budget=4x", BUDGET), ("budget=-4", BUDGET),
    ("budget=99999999999999999999", BUDGET), ("budget=0,all", BUDGET), ("budget=4,al", BUDGET), ("budget=4,alle", BUDGET),
    ("budget=4,", BUDGET), ("store=ram", NEEDS), ("seed=1", NEEDS),
    ("budget=4 policy=fifo seed=x", "pager: boot options: seed= takes a number"),
    ("budget=4 policy=fifo seed=", "pager: boot options: seed= takes a number"),
    ("budget=4 policy=fifo store=", STORE), ("budget=4 policy=fifo store=tape", STORE), ("budget=4 policy=fifo store=ram,", STORE),
    ("budget=4 policy=fifo store=ram,0", STORE), ("budget=4 policy=fifo store=ram,8,", STORE),
    ("budget=4 policy=fifo store=ram,8,x", STORE), ("budget=4 policy=fifo store=ram,8,1000001", STORE),
    ("budget=4 policy=fifo store=ramp", STORE), ("budget=4 policy=fifo store=disk,x", STORE),
    ("budget=4 policy=fifo store=ram,99999", "pager: boot options: store=ram,PAGES is more than the machine's memory"),
    ("budget=4 policy=fifo store=ram,32768", "pager: cannot start: not enough memory for its tables"),
    ("policy=clock", VAIN), ("policy=window,4+fifo", VAIN), ("policy=pff", VAIN), ("policy=ws+clock", VAIN),
    ("budget=4", "pager: boot options: budget=PAGES needs a policy that says which pages go: policy=clock, say"),
    ("budget=4 policy=window", "pager: boot options: budget=PAGES needs a policy that says which pages go: policy=clock, say"),
]
SERVERS = [  # what, boot options, a line that must be printed
    ("a server that is not there", "serve=nothing", MISSING),
    ("a server that is not there, above another", "serve=uart serve=nothing", MISSING),
    ("a server that is not there, and a program to run", "serve=nothing run=victim:exit:0", MISSING),
    ("a server that is no program", "serve=garbage", "pager: cannot start the server 'garbage': not an executable"),
    ("a server without a name", "serve= run=victim:exit:0", "pager: cannot start: a server is missing"),
    ("a posix server without a program", "serve=uart serve=posix", "posix: name the first program: serve=posix:PROGRAM"),
    ("a posix server with a program that is not there", "serve=uart serve=posix:nothing",
     "posix: cannot start 'nothing': No such file or directory"),
    ("a policy that is not there", "policy=none run=victim:exit:0", "pager: the boot option policy=none: 'none' is no policy; there are:"),
    ("all there are", "policy=none run=victim:exit:0", r"pager:   policy=window\[,PAGES\] \(1, 2, 4, 8, 16, 32 or 64; else 16\)"),
    ("one word of several that is none", "policy=window+none,5 run=victim:exit:0", "pager: the boot option policy=window\\+none,5: 'none' is no policy; there are:"),
    ("a policy's option that it does not understand", "policy=window,5+clock run=victim:exit:0",
     r"pager: the boot option policy=window,5\+clock: the option of 'window,5' is not understood: write window\[,PAGES\] \(1, 2, 4, 8, 16, 32 or 64; else 16\)"),
    ("an option of a policy that has none", "policy=demand,1 run=victim:exit:0", "pager: .*: the option of 'demand,1' is not understood: write demand"),
    ("two policies of one kind", "policy=clock+fifo budget=8 run=victim:exit:0",
     r"pager: the boot option policy=clock\+fifo: 'clock' and 'fifo' both say what goes: write one of them"),
    ("policies of a long name", f"policy=clock+{'x' * 42} run=victim:exit:0", "pager: .*: its words are longer than 47 characters"),
    ("a pool of ready frames upside down", "ready=9,8 run=victim:exit:0", "pager: the boot option ready=9,8 is not: .*"),
    ("what is not counted", "count=all run=victim:exit:0", "pager: the boot option count=all is not: count=untouched"),
    ("memory of another kind", "memory=much run=victim:exit:0", "pager: the boot option memory=much is not: .*"),
    ("no number of processes", "processes=9x run=victim:exit:0", "pager: the boot option processes=9x is not: processes=NUMBER"),
    ("no processes", "processes=0 run=victim:exit:0", "pager: the boot option processes=0 is not: processes=NUMBER"),
    ("an idle hart of another kind", "idle=deep run=victim:exit:0", "pager: the boot option idle=deep is not: idle=poll"),
    ("a trace of what is not told", "trace=all run=victim:exit:0", "pager: the boot option trace=all is not: .*"),
    ("a store on a disk without a driver", "budget=0 store=disk run=victim:exit:0",
     "pager: store=disk: the disk's driver is in the boot image quire-disk.cpio"),
    ("a server that dies for ever", "serve=crasher:start serve=t_server",
     r"pager: crasher \(\d+\) ended: breakpoint.*"),
]


def cpio(name, data):
    """One file as a newc archive, without the trailer."""
    raw = name.encode() + b"\0"
    fields = [1, 0o100755, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0]
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + raw
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def tree(folder):
    """QEMU's own device tree."""
    path = folder / "virt.dtb"
    subprocess.run(["qemu-system-riscv64", "-machine", f"virt,dumpdtb={path}", "-m", "128M"], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    blob = path.read_bytes()
    return blob[:struct.unpack(">I", blob[4:8])[0]]


def initrds(image):
    """(what, bytes) of boot images that are no good."""
    trailer = cpio("TRAILER!!!", b"")
    yield "an empty archive", trailer
    yield "garbage", b"not an archive at all, just text" * 20
    yield "an archive without the pager", cpio("other", b"x" * 100) + trailer
    yield "a pager that is no program", cpio("pager", b"#!/bin/sh\n" * 50) + trailer
    yield "a truncated archive", image[:5000]
    yield "a name that does not end", cpio("pager", b"x").replace(b"pager\0", b"pagerx") + trailer
    yield "a length beyond the end", cpio("pager", b"x" * 64).replace(b"00000040", b"7fffffff", 1) + trailer
    elf = bytearray(image[image.index(b"\x7fELF"):][:65536])
    elf[56:58] = b"\xff\xff"
    yield "a pager whose program headers lie outside", cpio("pager", bytes(elf)) + trailer


def trees(blob):
    """(what, bytes) of device trees that the firmware passes on and the kernel must refuse."""
    yield "a tree without memory", blob.replace(b"memory\0", b"nemory\0")


def cases(folder, image):
    """(what, QEMU's initrd or None, extra arguments, expectation of the last line, and of one before it)."""
    yield "no initrd", None, [], REFUSAL
    for number, (what, data) in enumerate(initrds(image)):
        path = folder / f"initrd{number}"
        path.write_bytes(data)
        yield what, str(path), [], REFUSAL
    for number, (what, data) in enumerate(trees(tree(folder))):
        path = folder / f"tree{number}.dtb"
        path.write_bytes(data)
        yield what, None, ["-dtb", str(path)], REFUSAL
    yield "no program to run", sys.argv[2], [], PAGER_REFUSAL
    yield "no program to run in 16 MiB", sys.argv[2], ["-m", "16M"], PAGER_REFUSAL
    yield "a frame table that fills whole blocks", sys.argv[2], ["-m", "4G"], PAGER_REFUSAL
    yield "a program whose child outlives it", sys.argv[2], ["-append", "run=mortal:leave deadline=20"], GOOD_END
    for options, message in PRESSURE:
        yield options, sys.argv[2], ["-append", options + " run=victim:exit:0 deadline=20"], PAGER_REFUSAL, message
    for what, options, message in SERVERS:
        yield what, sys.argv[2], ["-append", options + " deadline=20"], PAGER_REFUSAL, message


def attempt(kernel, initrd, extra, expected, message=""):
    """None if the boot ended as it should, else why not."""
    arguments = ["--kernel", kernel, "--deadline", "20", "--timeout", "60"]
    arguments += (["--initrd", initrd] if initrd else []) + ["--extra"] + extra
    try:
        output = judge.boot(judge.parser().parse_args(arguments))
        judge.refused(output, expected)
        if not any(re.fullmatch(message, line) for line in ["", *judge.console(output)]):
            return f"{message!r} was not printed"
    except judge.Bad as why:
        return str(why)
    return None


def main():
    """Exit status 0 if all ended as they should."""
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        attempts = list(cases(Path(name), Path(sys.argv[2]).read_bytes()))
        print(f"1..{len(attempts)}")
        for number, (what, *rest) in enumerate(attempts, 1):
            why = attempt(sys.argv[1], *rest)
            failed += why is not None
            print(f"{'not ok' if why else 'ok'} {number} - {what}" + (f"\n# {why}" if why else ""))
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
