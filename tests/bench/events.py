#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What one operation of each benchmark makes the machine do, beside instructions: a plug-in of QEMU (plugin/events.c) counts
satp writes, fences, accesses of memory and cache lines, for each part of the system, and QEMU's own log has the traps."""
import argparse
import collections
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import judge  # noqa: E402
import peer  # noqa: E402
import stages  # noqa: E402

PLUGIN = Path(__file__).resolve().parent / "plugin/events.c"
BEGIN = "<!-- made by scripts/bench --events --update-docs: begin -->"
BOOTS = {"run=bench:trace": "bench", "policy=window run=bench:window:trace": "batch", "serve=uart serve=posix:bench:trace": "posix"}
PARTS = {"program": 0, "posix": 0x10000000, "uart": 0x20000000, "pager": 0x40000000, "firmware": 0x80000000, "kernel": 1 << 63}
OWNERS = {"kernel": ("kernel", "firmware"), "pager": ("pager",), "servers": ("posix", "uart"), "program": ("program",)}
COUNT = re.compile(r"events: (\w+) ((?:\w+=\d+ ?)+)$")
TRAP = re.compile(r"riscv_trap hart:\d+, async:(\d), cause:(\d+),")
ZERO = dict.fromkeys(("instructions", "entries", "satp", "fences", "loads", "stores", "io", "data", "code"), 0)


class Bad(Exception):
    """Why there are no counts."""


# ---- Running the machine ---------------------------------------------------------------------------------------------------

def compiled(folder):
    """The plug-in, for the QEMU of this machine."""
    out = folder / "events.so"
    command = ["gcc", "-O2", "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-fvisibility=hidden", "-o", out, PLUGIN]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Bad(f"compiling {PLUGIN.name} failed:\n{done.stderr}")
    return out


def address(elf, name):
    """Of a function of an executable."""
    addresses, names = stages.symbols(elf)
    return addresses[names.index(name)]


def plugin_option(build, plugin, pcs):
    """What QEMU is told of the plug-in."""
    bench, kernel = f"{build}/tests/bench/bench", f"{build}/kernel/quire.elf"
    marks = {"begin": address(bench, "trace_begin"), "end": address(bench, "trace_end"), "trap": address(kernel, "trap_entry")}
    return ",".join([str(plugin), f"pcs={int(pcs)}", *(f"{name}={at:x}" for name, at in marks.items()),
                     *(f"part={name}:{first:x}" for name, first in PARTS.items())])


def booted(build, append, pcs=False):
    """What the guest printed, and QEMU's log of the run."""
    with tempfile.TemporaryDirectory() as name:
        log = Path(name) / "log"
        command = ["qemu-system-riscv64", "-machine", "virt", "-m", "256M", "-nographic", "-no-reboot", "-icount",
                   "shift=0,sleep=off", "-kernel", f"{build}/kernel/quire.bin", "-initrd", f"{build}/tests/bench.cpio",
                   "-append", "ready=0 " + append, "-plugin", plugin_option(build, compiled(Path(name)), pcs),
                   "-d", "plugin,trace:riscv_trap", "-D", str(log)]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300,
                                  check=False)
        except subprocess.TimeoutExpired:
            raise Bad(f"the machine came to no end with '{append}'") from None
        if not log.exists():
            raise Bad(f"QEMU did not start with the plug-in:\n{done.stdout.decode(errors='replace')}")
        return done.stdout, log.read_text(errors="replace").split("\n")


# ---- Reading what it says --------------------------------------------------------------------------------------------------

def kind(asynchronous, cause):
    """What a trap is. The firmware's: calls of the kernel's, and interrupts for machine mode."""
    if (cause == 9) if not asynchronous else cause in (3, 7, 11):
        return "firmware"
    return "interrupts" if asynchronous else "calls" if cause == 8 else "exceptions"


def windows(lines):
    """One for each operation: its parts' counts, its traps by kind and the instructions' addresses if they were logged."""
    window, inside = None, False
    for line in lines:
        trap, count = TRAP.match(line), COUNT.match(line)
        if line == "events: begin":
            window, inside = {"traps": collections.Counter(), "parts": {}, "pcs": []}, True
        elif line == "events: end":
            inside = False
        elif trap and inside:
            window["traps"][kind(int(trap[1]), int(trap[2]))] += 1
        elif count and window is not None:
            window["parts"][count[1]] = {key: int(value) for key, value in (pair.split("=") for pair in count[2].split())}
            if count[1] == "all":
                yield window
                window = None
        elif line.startswith("pc ") and inside:
            window["pcs"].append(int(line[3:], 16))
        elif line.startswith("events:"):
            raise Bad(f"the plug-in says: {line[8:]}")
    if window is not None:
        raise Bad("the log ends within an operation")


def total(window, key, parts=PARTS):
    """Of some parts; distinct lines of all parts are not the sum of each one's."""
    if parts is PARTS and key in ("data", "code"):
        return window["parts"]["all"][key]
    return sum(window["parts"].get(part, ZERO)[key] for part in parts)


def checked(name, window, figure):
    """The window, if it is what the guest counted and the kernel's entries are the traps that QEMU logged."""
    traps, parts = window["traps"], figure["parts"]
    logged, entered = traps.total() - traps["firmware"], total(window, "entries")
    if logged != entered:
        raise Bad(f"{name}: QEMU logged {logged} traps to the kernel, whose entry was executed {entered} times")
    counted, least = total(window, "instructions"), figure["median"] * parts
    if not least <= counted <= least + parts - 1 + traps["exceptions"] + traps["interrupts"]:
        raise Bad(f"{name}: the guest counted {least:,} instructions, the plug-in {counted:,}")
    return {**window, "runs": parts}


def events_of(output, lines):
    """name -> window, of one boot."""
    if any(line.startswith("not ok") for line in judge.judge(output)):
        raise Bad("the benchmark failed:\n" + output.decode(errors="replace"))
    figures = [json.loads(line[8:]) for line in judge.console(output) if line.startswith("# bench {")]
    figures = [figure for figure in figures if figure.get("index")]
    found = list(windows(lines))
    if len(found) != len(figures):
        raise Bad(f"the guest measured {len(figures)} operations, the plug-in {len(found)}")
    return {figure["name"]: checked(figure["name"], window, figure) for figure, window in zip(figures, found)}


def collect(build, pcs=False):
    """name -> window, of all boots."""
    return {name: window for append in BOOTS for name, window in events_of(*booted(build, append, pcs)).items()}


# ---- Tables ----------------------------------------------------------------------------------------------------------------

HEADS = ("one operation", "instructions", *OWNERS, "calls", "exceptions", "interrupts", "satp", "fences", "loads", "stores", "lines of data",
         "of code")


def shown(value, runs=1):
    """A count of one of several runs."""
    return f"{value / runs:,.1f}".removesuffix(".0")


def cells(name, window):
    """A row: what is counted is of one run, distinct lines are of all runs together."""
    runs = window["runs"]
    counts = [total(window, "instructions"), *(total(window, "instructions", parts) for parts in OWNERS.values()),
              *(window["traps"][key] for key in ("calls", "exceptions", "interrupts")),
              *(total(window, key) for key in ("satp", "fences", "loads", "stores"))]
    lines = [f"{total(window, key):,}" + (f" of {runs}" if runs > 1 else "") for key in ("data", "code")]
    return (f"`{name}`", *(shown(count, runs) for count in counts), *lines)


def by_owner(window):
    """For a terminal: accesses and lines of each owner."""
    for owner, parts in OWNERS.items():
        counts = {key: total(window, key, parts) for key in ZERO}
        if counts["instructions"]:
            yield (f"    {owner:8} {shown(counts['instructions'], window['runs']):>10} instructions, "
                   f"{shown(counts['loads'], window['runs'])} loads, {shown(counts['stores'], window['runs'])} stores, "
                   f"{counts['data']:,} lines of data, {counts['code']:,} of code")


def markdown(heads, rows):
    """A table whose columns but the first are numbers."""
    lines = [heads, ("---", *["---:"] * (len(heads) - 1)), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def plain(found):
    """For a terminal."""
    for name, window in found.items():
        row = dict(zip(HEADS, cells(name, window)))
        yield name + ": " + ", ".join(f"{value} {head}" for head, value in row.items() if head not in ("one operation", *OWNERS))
        yield from by_owner(window)


def main():
    """Exit status 1 if the counts contradict each other."""
    parser = argparse.ArgumentParser(prog="scripts/bench --events", description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--update-docs", action="store_true", help="puts the table into docs/results.md")
    options = parser.parse_args()
    try:
        found = collect(options.build)
        print(*plain(found), sep="\n")
        if options.update_docs:
            table = markdown(HEADS, [cells(name, window) for name, window in found.items()])
            peer.DOCUMENT.write_text(peer.updated(peer.DOCUMENT.read_text(), table, BEGIN))
    except (Bad, judge.Bad, peer.Failed) as why:
        sys.exit(f"events: {why}")


if __name__ == "__main__":
    main()
