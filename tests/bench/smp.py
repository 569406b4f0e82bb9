#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Faults (faults.c) and calls of the posix server (calls.c) on several harts at once: the instructions of all harts for each, counted by a
plug-in of QEMU as the difference between a run and one of twice as many; how many of them run while every other hart is kept out; what waited for
a lock; and, where the host has cores enough that are free, by how much four harts are done earlier than one. Fails if an aim is
missed, or if a figure is worse than the baseline by more than it differs from run to run."""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import compare  # noqa: E402
import judge  # noqa: E402
import peer  # noqa: E402
import stages  # noqa: E402

BEGIN = "<!-- made by scripts/bench --smp --update-docs: begin -->"
CALLS_BEGIN = "<!-- made by scripts/bench --smp --update-docs: calls: begin -->"
PLUGIN = Path(__file__).resolve().parent / "plugin/harts.c"
PAGES, LONG = 10000, 30000
KINDS = {"programs": "", "threads of one program": "threads:"}
COUNTS = (1, 2, 4)
CALLS = {"read4096": "read 4,096 bytes of a file", "read64": "read 64 bytes", "stat": "`fstat`", "identity": "`getppid`",
         "write4096": "write 4,096 bytes of a file", "open": "`open` and `close`", "pipe": "64 bytes through a pipe, `write` and `read`"}
CALLED, CALLED_LONG = 10000, 30000  # times, by each process
BOOTS = {"faults": "run=", "calls": "serve=uart serve=posix:"}  # the programs, of images of these names
MARKS = (("kernel/quire.elf", "exclude", "let_others"), ("pager/pager", "take_all", "release_all"), ("servers/posix", "all_taken", "release_all"))
WAITS = (("kernel/quire.elf", "lock_wait"), ("kernel/quire.elf", "entry_wait"), ("pager/pager", "lock_wait"), ("servers/posix", "worker_wait"))
AIM, SHARE, SPEEDUP = 1.10, 0.10, 3.0
# How far a figure may be over the baseline: that times its value there, and so much more. The harts run in the host's time. So from run to
# run, on a host that is busy or not, instructions of faults differ by 1 %, those of calls of the posix server by 10 % (who waits longer
# is kicked, moved and switched more), shares by 1 point, and waits for locks by a factor of 5: what the last is to show is faults
# that leave the fast path, with 1,000 waits and more.
SLACK = {"posix.insn": (1.1, 0), "posix.alone": (1, 5), "insn_per_fault": (1.03, 0), "alone_percent": (1, 3),
         "contended": (2, 100)}


def compiled(folder):
    """The plug-in, for the QEMU of this machine."""
    out = folder / "harts.so"
    command = ["gcc", "-O2", "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-fvisibility=hidden", "-o", out, PLUGIN]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise judge.Bad(f"compiling {PLUGIN.name} failed:\n{done.stderr}")
    return out


def address(elf, name):
    """Of a function of an executable."""
    addresses, names = stages.symbols(elf)
    return addresses[names.index(name)]


def extent(elf, name):
    """From where to where a function goes."""
    addresses, names = stages.symbols(elf)
    at = names.index(name)
    return f"{addresses[at]:x}:{next(address for address in addresses[at:] if address > addresses[at]):x}"


def boot(build, harts, words, more=()):
    """What the program counted that these words begin with."""
    program = words.split(":")[0]
    command = ["qemu-system-riscv64", "-machine", "virt", "-m", "1G", "-smp", str(harts), "-nographic", "-no-reboot", "-kernel",
               f"{build}/kernel/quire.bin", "-initrd", f"{build}/tests/{program}.cpio", "-append", f"ready=0 deadline=200 {BOOTS[program]}{words}", *more]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=400, check=False)
    except subprocess.TimeoutExpired:
        raise judge.Bad(f"the machine came to no end with {words} on {harts} harts") from None
    found = re.search(rf"# {program} (\{{.*\}})", done.stdout.decode(errors="replace"))
    if not found:
        raise judge.Bad(f"no figures of {words} on {harts} harts:\n" + done.stdout.decode(errors="replace")[-600:])
    return json.loads(found[1])


def instructions(build, harts, words):
    """Of all harts: all, and those with every other hart kept out; and what the program counted."""
    with tempfile.TemporaryDirectory() as name:
        log = Path(name) / "log"
        marks = "".join(f",shut={address(f'{build}/{elf}', shut):x},open={address(f'{build}/{elf}', opens):x}" for elf, shut, opens in MARKS)
        program = f"{build}/tests/bench/{words.split(':')[0]}"
        marks += f",begin={address(program, 'count_begin'):x},end={address(program, 'count_end'):x}"
        marks += "".join(f",wait={extent(f'{build}/{elf}', name)}" for elf, name in WAITS)
        counted = boot(build, harts, words, ("-plugin", f"{compiled(Path(name))}{marks}", "-d", "plugin", "-D", str(log)))
        lines = re.findall(r"hart \d+: instructions=(\d+) alone=(\d+) waiting=(\d+)", log.read_text())
    return [sum(int(line[i]) for line in lines) for i in range(3)], counted


def per_operation(build, harts, words, count, times):
    """The figures of one row: of so many who each do it so many times."""
    few, _ = instructions(build, harts, f"{words}{count}:{times}")
    many, counted = instructions(build, harts, f"{words}{count}:{2 * times}")
    every = count * times
    return {**{name: round((many[i] - few[i]) / every) for i, name in enumerate(("instructions", "alone"))},
            **{name: round(counted[name] / (2 * every), 4) for name in ("contended", "exclusive", "kicks", "shootdowns", "moves")}}


def processor_time():
    """Of the host since its boot, in ticks: idle, and all."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
    return ticks[3], sum(ticks[:8])


def free_cores():
    """Of the host, in these two seconds."""
    idle, every = processor_time()
    time.sleep(2)
    idle_now, every_now = processor_time()
    return (os.cpu_count() or 1) * (idle_now - idle) / (every_now - every)


def throughput(build, harts, words, times):
    """Operations in a tick of the time counter, of as many as the words say."""
    return max(times / boot(build, harts, f"{words}:{times}")["ticks"] for _ in range(3))


def calls(build, free):
    """kind -> figures, of one process and of four; with free cores, how much faster four are than one, all of them together."""
    found = {}
    for kind in CALLS:
        rows = {str(count): per_operation(build, count, f"calls:{kind}:", count, CALLED) for count in COUNTS}
        rate = [throughput(build, 4, f"calls:{kind}:{count}", CALLED_LONG) * count for count in (1, 4)] if free else None
        found[kind] = {**rows, "speed-up": rate and rate[1] / rate[0]}
    return found


def collect(build):
    """key -> figures of each row of faults; "calls" -> those of calls."""
    found = {}
    for name, kind in KINDS.items():
        for harts in COUNTS:
            found[f"{harts} {name}"] = per_operation(build, harts, f"faults:{kind}", harts, PAGES)
    free = free_cores() > 3.5
    for name, kind in KINDS.items():
        rate = [throughput(build, harts, f"faults:{kind}4", LONG) for harts in (1, 4)] if free else None
        found[f"speed-up, 4 {name}"] = rate and rate[1] / rate[0]
    return {**found, "calls": calls(build, free)}


def measured(speed):
    """A speed-up, as it is printed."""
    return "not measured: the host had no four free cores" if speed is None else f"{speed:.2f}"


def table(found):
    """What is printed of faults."""
    yield "| at once, each on a hart | instructions a fault, all harts | with every other hart kept out | kernel entries that do so, a fault | waits for a lock of the kernel's, a fault |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for key, row in found.items():
        if key.split()[0] in ("1", "2", "4"):
            yield f"| {key} | {row['instructions']:,} | {row['alone']:,} ({row['alone'] / row['instructions']:.0%}) | {row['exclusive']} | {row['contended']} |"
    yield ""
    for name in KINDS:
        yield f"Four harts against one, faults in the same time, four {name}: {measured(found[f'speed-up, 4 {name}'])}."


def calls_table(found):
    """And of calls."""
    yield "| processes that call the posix server, each on a hart | 1: instructions a call, all harts | 2 | 4 | of these under a lock of all | kernel entries that keep others out, a call | calls in the same time, 4 processes against 1 |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for kind, name in CALLS.items():
        rows = found["calls"][kind]
        four, alone = rows["4"], max(0, rows["4"]["alone"])  # it is a difference
        yield (f"| {name} | {rows['1']['instructions']:,} | {rows['2']['instructions']:,} | {four['instructions']:,} | {alone:,} ({alone / four['instructions']:.0%}) | "
               f"{four['exclusive']} | {measured(rows['speed-up'])} |")


def keys(found):
    """The figures that are referred to by name, as bench.json has them. How long they spin for locks is the host's, and not among
    them."""
    figures = {}
    for prefix, kind in (("smp.", "programs"), ("smp.threads.", "threads of one program")):
        figures.update({f"{prefix}insn_per_fault_{count}": found[f"{count} {kind}"]["instructions"] for count in COUNTS})
        row = found[f"4 {kind}"]
        figures[prefix + "alone_percent_4"] = round(100 * row["alone"] / row["instructions"])
        figures[prefix + "contended_per_1000_faults_4"] = round(1000 * row["contended"])
    for kind, rows in found["calls"].items():
        figures.update({f"smp.posix.insn_per_{kind}_{count}": rows[str(count)]["instructions"] for count in COUNTS})
        figures[f"smp.posix.alone_percent_{kind}_4"] = round(100 * rows["4"]["alone"] / rows["4"]["instructions"])
    return {name: {"median": figure, "n": 1} for name, figure in figures.items()}


def most(name, old):
    """What a figure may be, beside the baseline's."""
    share, more = next(SLACK[end] for end in SLACK if end in name)
    return old * share + more


def worse(figures, baseline):
    """The names that are over that, or are gone."""
    return [name for name, old in baseline.items()
            if compare.of_harts(name) and (name not in figures or figures[name]["median"] > most(name, old["median"]))]


def misses(found):
    """What is not as it is to be."""
    one, four = found["1 programs"], found["4 programs"]
    if four["instructions"] > AIM * one["instructions"]:
        yield f"smp.insn_per_fault_4 is {four['instructions'] / one['instructions']:.2f} times the figure of one hart, over {AIM}"
    if four["alone"] > SHARE * four["instructions"]:
        yield f"{four['alone'] / four['instructions']:.0%} of a fault keeps every other hart out, over {SHARE:.0%}"
    speed = found["speed-up, 4 programs"]
    if speed is not None and speed < SPEEDUP:
        yield f"four harts are {speed:.2f} times as fast as one, under {SPEEDUP}"


def main():
    """Exit status 1 if an aim is missed."""
    parser = argparse.ArgumentParser(prog="scripts/bench --smp", description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--baseline", type=Path, default=Path(__file__).resolve().parent / "baseline.json")
    parser.add_argument("--json", type=Path, help="where to write the table's figures; those with names go to bench.json in the build")
    parser.add_argument("--update", action="store_true", help="makes this run the baseline of the rows with names")
    parser.add_argument("--update-docs", action="store_true", help="puts the table into docs/results.md")
    options = parser.parse_args()
    try:
        found = collect(options.build)
    except judge.Bad as why:
        sys.exit(f"smp: {why}")
    print(*table(found), "", *calls_table(found), sep="\n")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    figures, baseline = keys(found), json.loads(options.baseline.read_text())
    compare.put(Path(options.build) / "bench.json", figures)
    print(*(f"{name} {figure['median']}, baseline {baseline.get(name, {}).get('median', '-')}" for name, figure in figures.items()), "", sep="\n")
    if options.update:
        compare.put(options.baseline, figures)
    if options.update_docs:
        text = peer.updated(peer.DOCUMENT.read_text(), "\n".join(table(found)), BEGIN)
        peer.DOCUMENT.write_text(peer.updated(text, "\n".join(calls_table(found)), CALLS_BEGIN))
    bad = list(misses(found)) + [f"worse than the baseline: {name}" for name in worse(figures, baseline) if not options.update]
    print(*bad, sep="\n")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
