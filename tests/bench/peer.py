#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""peer.py linux: builds Debian's Linux for the same machine, runs the same operations on it (tests/bench/linux/), and prints
its instruction counts beside Quire's. QEMU's own log of traps must have as many page faults as the guest says."""
import argparse
import collections
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINUX = Path(__file__).resolve().parent / "linux"
DOCUMENT = ROOT / "docs/results.md"
ANCHORS = ROOT / "tests/bench/anchors.json"
BEGIN, END = "<!-- made by scripts/bench --peer linux --update-docs: begin -->", "<!-- end -->"
PACKAGE, SOURCE = "linux-source-6.1", Path("/usr/src/linux-source-6.1.tar.xz")
CROSS = "riscv64-linux-gnu-"
MEMORY_KIB = 256 * 1024
FLAGS = ["-O2", "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-static", "-nostdlib", "-fno-pic", "-no-pie", "-s",
         "-fno-stack-protector", "-fno-asynchronous-unwind-tables"]

ROWS = (  # what, Quire's row, Linux's row, and what Linux does
    ("null system call", "syscall.null", "syscall.null", "getpid"),
    ("call and reply between two processes", "ipc.call_reply", "ipc.call_reply.eventfd", "two eventfds"),
    ("", "ipc.call_reply", "ipc.call_reply.futex", "two futexes, shared memory"),
    ("switch to another process", "thread.switch", "switch.yield", "sched_yield"),
    ("fault answered in user space, frame zeroed before", "fault.ready", "fault.read.uffd_zeropage",
     "userfaultfd, other process, ZEROPAGE; read"),
    ("write fault, zeroing included", "fault.zero", "fault.zero.kernel", "in the kernel"),
    ("", "fault.zero", "fault.zero.uffd_zeropage", "userfaultfd, other process, ZEROPAGE"),
    ("", "fault.zero", "fault.zero.uffd_copy", "userfaultfd, other process, COPY"),
    ("", "fault.zero", "fault.zero.sigsegv", "SIGSEGV, its own handler, mprotect"),
    ("read fault", "fault.zero_read", "fault.read.kernel", "in the kernel; maps the one zero page"),
    ("16 pages in one answer, for each", "fault.zero_batch16_per_page", "fault.zero_batch16.populate",
     "in the kernel, MAP_POPULATE"),
    ("", "fault.zero_batch16_per_page", "fault.zero_batch16.uffd_zeropage", "userfaultfd, ZEROPAGE of 16"),
    ("", "fault.zero_batch16_per_page", "fault.zero_batch16.uffd_copy", "userfaultfd, COPY of 16"),
    ("break of copy-on-write", "fault.cow", "fault.cow", "in the kernel"),
    ("the same, nobody else has the page now", "fault.cow_last", "fault.cow_last_sharer", "in the kernel"),
    ("sbrk(4096)", "sbrk.grow", "sbrk.grow", "brk"),
    ("giving a resident page back", "sbrk.shrink_resident", "page.dontneed", "madvise(DONTNEED)"),
    ("", "sbrk.shrink_resident", "sbrk.shrink_resident", "brk"),
    ("fork + exit + wait, 16 resident pages", "fork.p16", "fork.p16", ""),
    ("the same, 256", "fork.p256", "fork.p256", ""),
    ("the same, 4,096", "fork.p4096", "fork.p4096", ""),
    ("fork + exec + wait, small static program", "fork_exec_wait", "fork_exec_wait", ""),
    ("posix_spawn + exit + wait", "posix.spawn_exit_wait", "spawn_exit_wait", "vfork and exec"),
    ("pipe, 1 byte to and fro", "pipe.pingpong", "pipe.pingpong", ""),
    ("pipe, a block of 4,096 bytes", "pipe.block4096", "pipe.block4096", ""),
    ("read of 4,096 bytes of a file in memory", "file.read4096", "file.read4096", "tmpfs"),
    ("the same into a page not there yet", "file.read4096_fresh", "file.read4096_fresh", "tmpfs"),
    ("boot, from the kernel's entry", "boot.prompt", "boot.init", "to init; Quire: to its prompt"),
    ("memory in use then, of 256 MiB, in bytes", "mem.prompt_bytes", "mem.init_bytes", "at init; Quire: at its prompt"),
)


class Failed(Exception):
    """Why there is no comparison."""


# ---- Linux and its programs ------------------------------------------------------------------------------------------------

def first_line(*command):
    """What a tool says of itself."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")[0]


def versions():
    """What the figures depend on beside what is in this tree."""
    return {"linux": first_line("dpkg-query", "-W", "-f=${Version}", PACKAGE),
            "gcc": first_line(CROSS + "gcc", "-dumpfullversion"),
            "qemu": re.search(r"version (\S+)", first_line("qemu-system-riscv64", "--version"))[1]}


def logged(log, what, *command):
    """Runs a command, whose output goes to a log."""
    with log.open("a") as out:
        if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False).returncode:
            raise Failed(f"{what} failed: see {log}")


def fragment():
    """The options that our configuration names."""
    return [line for line in (LINUX / "config").read_text().split("\n") if line and line[0] != "#"]


def compile_linux(folder, log):
    """Linux, from its package's archive, in an empty folder."""
    print("peer: building Linux; once, some minutes", file=sys.stderr)
    logged(log, "unpacking Linux", "tar", "-C", folder, "-xf", SOURCE)
    tree, out = folder / SOURCE.name.removesuffix(".tar.xz"), folder / "out"
    make = ["make", "-C", tree, f"O={out}", "ARCH=riscv", f"CROSS_COMPILE={CROSS}"]
    logged(log, "configuring Linux", "env", f"KCONFIG_ALLCONFIG={LINUX / 'config'}", *make, "allnoconfig")
    got = (out / ".config").read_text().split("\n")
    lost = [line for line in fragment() if line not in got]
    if lost:
        raise Failed(f"this Linux does not accept from tests/bench/linux/config: {', '.join(lost)}")
    logged(log, "building Linux", *make, f"-j{os.cpu_count()}", "Image")
    shutil.copy(out / "arch/riscv/boot/Image", folder)
    shutil.copytree(tree / "tools/include/nolibc", folder / "nolibc")
    shutil.rmtree(tree)
    shutil.rmtree(out)


def linux(found):
    """The folder in the cache that holds the kernel and its C library, built if it isn't there. One builds, others wait."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "quire/linux"
    key = hashlib.sha256(f"{found['linux']} {found['gcc']} {fragment()}".encode()).hexdigest()[:12]
    folder, building, log = cache / key, cache / "building", cache / "build.log"
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            if not SOURCE.exists():
                raise Failed(f"the package {PACKAGE} has no {SOURCE}: install it again")
            shutil.rmtree(building, ignore_errors=True)  # what an interrupted run left
            building.mkdir()
            log.unlink(missing_ok=True)
            compile_linux(building, log)
            building.rename(folder)
    return folder


def programs(built, folder):
    """What the machine is given: the first process and the program it executes; and a kernel that measures the firmware."""
    log = folder / "programs.log"
    include = ["-isystem", str(built / "nolibc")]
    exit_program = LINUX / "exit.c"
    own = [source for source in sorted(LINUX.glob("*.c")) if source != exit_program]
    try:
        logged(log, "", CROSS + "gcc", *FLAGS, *include, "-o", folder / "init", *own, "-lgcc")
        logged(log, "", CROSS + "gcc", *FLAGS, *include, "-o", folder / "exit", exit_program, "-lgcc")
        logged(log, "", CROSS + "gcc", "-nostdlib", "-static", "-Wl,-Ttext=0,--build-id=none", "-o", folder / "firmware.elf",
               LINUX / "firmware.S")
        logged(log, "", CROSS + "objcopy", "-O", "binary", folder / "firmware.elf", folder / "firmware")
    except Failed:
        raise Failed("compiling tests/bench/linux failed:\n" + log.read_text()) from None
    subprocess.run([ROOT / "scripts/mkimage", folder / "initramfs", f"init={folder / 'init'}", f"exit={folder / 'exit'}"],
                   check=True)


# ---- Running it ------------------------------------------------------------------------------------------------------------

def boot(kernel, initramfs, *extra):
    """What the machine printed. The same for both kernels, so that the firmware does the same."""
    command = ["qemu-system-riscv64", "-machine", "virt", "-m", f"{MEMORY_KIB // 1024}M", "-nographic", "-no-reboot", "-icount",
               "shift=0,sleep=off", "-kernel", kernel, "-initrd", initramfs, "-append", "quiet panic=-1 console=ttyS0", *extra]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600,
                              check=False)
    except subprocess.TimeoutExpired as late:
        raise Failed(f"Linux came to no end; last: {(late.stdout or b'')[-300:].decode(errors='replace')}") from None
    return done.stdout.decode(errors="replace").replace("\r\n", "\n")


def records(output, kind):
    """What the guest says of one kind."""
    return [json.loads(line[len(kind) + 3:]) for line in output.split("\n") if line.startswith(f"# {kind} {{")]


def figures_of(output, firmware):
    """name -> figures, from what Linux and the kernel that measures the firmware printed."""
    if "# end\n" not in output:
        raise Failed(f"Linux's benchmarks did not come to their end:\n{output[-1500:]}")
    found = {record.pop("name"): record for record in records(output, "bench")}
    instructions = found.pop("boot.init_with_firmware")["median"] - int(firmware.strip().split("\n")[-1], 16)
    used = MEMORY_KIB * 1024 - found.pop("mem.init_free_bytes")["median"]
    return {**found, "boot.init": {"median": instructions, "n": 1}, "mem.init_bytes": {"median": used, "n": 1}}


def check_faults(windows, trace):
    """How many page faults QEMU counted in the guest's windows, which must be as many as the guest says in each."""
    wanted = {window["base"] >> 32: window for window in windows}
    got = collections.Counter()
    for line in trace:
        trap = re.search(r"async:0, cause:1[235], .* tval:0x([0-9a-f]+),", line)
        if trap and int(trap[1], 16) >> 32 in wanted:
            got[int(trap[1], 16) >> 32] += 1
    bad = [f"{window['name']}: {got[number]:,} and not {window['faults']:,}" for number, window in wanted.items()
           if got[number] != window["faults"]]
    if bad or not windows:
        raise Failed(f"QEMU counted other page faults than the guest expects: {'; '.join(bad) or 'none at all'}")
    return sum(got.values())


def measure_linux(found):
    """name -> figures, and how many faults were counted twice."""
    built = linux(found)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        programs(built, folder)
        firmware = boot(folder / "firmware", folder / "initramfs")
        output = boot(built / "Image", folder / "initramfs", "-d", "trace:riscv_trap", "-D", str(folder / "trace"))
        figures = figures_of(output, firmware)
        with open(folder / "trace", encoding="ascii", errors="replace") as trace:
            return figures, check_faults(records(output, "faults"), trace)


def measure_quire(build):
    """name -> figures, by what makes the baseline too."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "figures.json"
        done = subprocess.run([sys.executable, ROOT / "tests/bench/compare.py", "--build", build, "--baseline",
                               Path(name) / "none", "--json", out], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        if done.returncode:
            raise Failed(f"Quire's benchmarks failed:\n{done.stdout}")
        return json.loads(out.read_text())


# ---- What is shown ---------------------------------------------------------------------------------------------------------

def compared(theirs, ours):
    """A tuple of strings for each row: what, Quire, Linux, Linux / Quire, whether Quire takes fewer, what Linux does."""
    for what, quire_row, linux_row, how in ROWS:
        if linux_row not in theirs or quire_row not in ours:
            raise Failed(f"no such row: {linux_row if linux_row not in theirs else quire_row}; the table in tests/bench/peer.py "
                         "names the rows")
        own, other = ours[quire_row]["median"], theirs[linux_row]["median"]
        yield what, f"{own:,}", f"{other:,}", f"{other / own:.2f}", "yes" if own < other else "no", how


HEADS = ("one operation", "Quire", "Linux", "Linux / Quire", "Quire takes fewer", "what Linux does")


def plain(rows):
    """The table for a terminal."""
    lines = [HEADS, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADS))]
    return "\n".join("  ".join(cell.rjust(width) if 0 < column < 4 else cell.ljust(width)
                               for column, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in lines)


def markdown(rows):
    """The table for the document."""
    lines = [HEADS, ("---", "---:", "---:", "---:", "---", "---"), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def updated(text, table, begin=BEGIN):
    """The document with another table."""
    before, found, rest = text.partition(begin)
    _, end, after = rest.partition(END)
    if not found or not end:
        raise Failed(f"docs/results.md has no table: it needs the lines {begin!r} and {END!r}")
    return f"{before}{begin}\n{table}\n{END}{after}"


def anchored(anchors, theirs):
    """The anchors with what Linux takes, in the cheapest of its ways."""
    for name in dict.fromkeys(row[1] for row in ROWS):
        least = min(theirs[linux_row]["median"] for _, quire_row, linux_row, _ in ROWS if quire_row == name)
        anchors.setdefault(name, {})["linux"] = least
    return anchors


def show(theirs, ours, faults, found, options):
    """Prints the comparison, and writes what was asked for."""
    rows = list(compared(theirs, ours))
    print(plain(rows))
    summary = (f"Linux {found['linux']} (Debian's source) built with gcc {found['gcc']}, on QEMU {found['qemu']}. Quire takes "
               f"fewer instructions in {sum(row[4] == 'yes' for row in rows)} of {len(rows)} comparisons. QEMU's log of "
               f"traps has the {faults:,} page faults that the benchmarks of Linux say they made.")
    print("\n" + summary)
    if options.json:
        options.json.write_text(json.dumps({"versions": found, "linux": theirs, "quire": ours}, indent=1) + "\n")
    if options.update_docs:
        DOCUMENT.write_text(updated(DOCUMENT.read_text(), f"{markdown(rows)}\n\n{summary}"))
        anchors = anchored(json.loads(ANCHORS.read_text()), theirs)
        ANCHORS.write_text("{\n" + ",\n".join(f' "{name}": {json.dumps(row)}' for name, row in anchors.items()) + "\n}\n")


def main():
    """Exit status 1 if there is no comparison; whose figures are better does not matter."""
    parser = argparse.ArgumentParser(prog="scripts/bench --peer", description=__doc__)
    parser.add_argument("peer", choices=["linux"])
    parser.add_argument("--no-quire", action="store_true", help="takes Quire's figures from the committed baseline")
    parser.add_argument("--update-docs", action="store_true", help="puts the table into docs/results.md")
    parser.add_argument("--json", type=Path, help="where to write both columns")
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    options = parser.parse_args()
    try:
        found = versions()
        theirs, faults = measure_linux(found)
        ours = json.loads((ROOT / "tests/bench/baseline.json").read_text()) if options.no_quire else measure_quire(options.build)
        show(theirs, ours, faults, found, options)
    except Failed as why:
        sys.exit(f"peer: {why}")


if __name__ == "__main__":
    main()
