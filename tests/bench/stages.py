# SPDX-License-Identifier: BSD-2-Clause
"""Where the instructions of each benchmark go: traces one warm operation in QEMU, an instruction a line, by symbol."""
import bisect
import collections
import os
import re
import subprocess
import tempfile
from pathlib import Path

TRACE = re.compile(r"Trace \d+: \S+ \[[0-9a-f]+/([0-9a-f]+)/")


def symbols(elf):
    """Sorted addresses and names of an executable's functions."""
    text = subprocess.run(["riscv64-unknown-elf-nm", "-n", elf], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in text.splitlines()]
    rows = [(int(row[0], 16), row[2]) for row in rows if len(row) == 3 and row[1] in "tTwW" and not row[2].startswith((".L", "$"))]
    return [row[0] for row in rows], [row[1] for row in rows]


def place(tables, pc):
    """(who, function) of an address: kernel, pager, servers and programs are linked apart."""
    who = "kernel" if pc >> 63 else "pager" if pc >= 0x40000000 else "uart" if pc >= 0x20000000 else \
        "posix" if pc >= 0x10000000 else "program"
    addresses, names = tables[who]
    at = bisect.bisect_right(addresses, pc) - 1
    return who, names[at] if at >= 0 else "?"


def traced(build, append):
    """Program counters of the whole boot, as QEMU executes them."""
    with tempfile.TemporaryDirectory() as folder:
        fifo = Path(folder) / "trace"
        os.mkfifo(fifo)
        command = ["qemu-system-riscv64", "-machine", "virt", "-m", "256M", "-nographic", "-no-reboot", "-icount",
                   "shift=0,sleep=off", "-kernel", f"{build}/kernel/quire.bin", "-initrd", f"{build}/tests/bench.cpio",
                   "-append", append, "-singlestep", "-d", "exec,nochain", "-D", str(fifo)]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as qemu:
            with open(fifo, encoding="ascii", errors="replace") as lines:
                for line in lines:
                    found = TRACE.match(line)
                    if found:
                        yield int(found[1], 16)
            qemu.wait()


def collect(build, append):
    """index -> Counter of (who, function) between the two marks."""
    tables = {"kernel": symbols(f"{build}/kernel/quire.elf"), "pager": symbols(f"{build}/pager/pager"),
              "posix": symbols(f"{build}/servers/posix"), "uart": symbols(f"{build}/servers/uart"),
              "program": symbols(f"{build}/tests/bench/bench")}
    begin, end = (tables["program"][0][tables["program"][1].index(name)] for name in ("trace_begin", "trace_end"))
    runs, counting = [], None
    for pc in traced(build, append):
        if pc == begin:
            counting = collections.Counter()
        elif pc == end and counting is not None:
            runs.append(counting)
            counting = None
        elif counting is not None:
            counting[place(tables, pc)] += 1
    return runs


def show(build, append, figures):
    """One table a benchmark; the program's own share includes the call of the mark and of the counter."""
    names = [name for name, figure in figures.items() if "index" in figure and figure["index"]]
    for name, counts in zip(names, collect(build, append)):
        total = sum(counts.values())
        print(f"\n{name}: {total} instructions between the marks, {figures[name]['median']} counted in the guest")
        for who in ("program", "posix", "uart", "kernel", "pager"):
            part = {function: n for (owner, function), n in counts.items() if owner == who}
            if part:
                top = ", ".join(f"{f} {n}" for f, n in sorted(part.items(), key=lambda item: -item[1])[:12])
                print(f"  {who:8} {sum(part.values()):6}  {top}")
