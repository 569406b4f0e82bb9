#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""locks.py BUILD: the order of locks that builds with checks assert. Kernel, pager and posix server with one line of their locking changed, each
compiled and linked as BUILD does it, must stop with that assertion on two harts; unchanged they must not. Only the first hart
runs what is changed of the kernel: two that stop at once would print at once. Prints TAP."""
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SECONDS = 60  # of the host's time for a boot: unlike an assertion, a deadlock has no end
KERNEL, PAGER, SERVER, LOOP = "kernel/hart.c", "pager/harts.c", "servers/posix/harts.c", "servers/posix/main.c"
ALL = "  EACH_HART (hart)\n    take(&hart->lock);\n"
STOCKS = "  for (unsigned i = 0; i < frames.stock_count; i++)\n    take(&stocks[i].lock);\n"
WORKERS = "  for (struct worker *each = worker; each < end; each++)\n    take(own, &each->lock);\n"
CASES = [  # what, the source, old text, new text, what it must stop with
    ("the kernel as it is", KERNEL, "", "", None),
    ("the kernel's first lock after the harts'", KERNEL, "  take(&kernel_lock);\n" + ALL, ALL + "  take(&kernel_lock);\n", "order_take"),
    ("the harts' locks, the last one first", KERNEL, ALL, ALL.replace("&hart", "&(kernel.harts + kernel.hart_count - 1 - (hart - kernel.harts))"), "order_take"),
    ("a hart that keeps its own lock while it takes all", KERNEL, "  release(&own->lock);\n  take(&kernel_lock);\n", "  take(&kernel_lock);\n", "order_take"),
    ("a hart's own lock given up with the others'", KERNEL, "  EACH_HART (hart)\n    if (hart != own)\n      release(&hart->lock);\n", "  EACH_HART (hart)\n    release(&hart->lock);\n",
     "own->lock &&"),
    ("the kernel's first lock given up twice", KERNEL, "  release(&kernel_lock);\n", "  release(&kernel_lock), release(&kernel_lock);\n", "order_release"),
    ("the kernel's first lock kept", KERNEL, "  release(&kernel_lock);\n", "", "!(own->held & ~own_bit)"),
    ("a hart's lock that all are not", KERNEL, ALL, ALL.replace("    take", "    if (hart != own)\n      take"), "own->held"),
    ("the pager as it is", PAGER, "", "", None),
    ("the pager's first lock after the stocks'", PAGER, "  take(&lock);\n" + STOCKS, STOCKS + "  take(&lock);\n", "order_take"),
    ("the stocks' locks, the last one first", PAGER, STOCKS, STOCKS.replace("[i]", "[frames.stock_count - 1 - i]"), "order_take"),
    ("a thread of the pager that keeps its own lock while it takes all", PAGER, "  release(&own->lock);\n", "", "order_take"),
    ("the pager's first lock given up twice", PAGER, "  release(&lock);\n", "  release(&lock), release(&lock);\n", "order_release"),
    ("the posix server as it is", SERVER, "", "", None),
    ("the server's first lock after its threads'", SERVER, "  take(own, &lock);\n" + WORKERS, WORKERS + "  take(own, &lock);\n", "order_take"),
    ("its threads' locks, the last one first", SERVER, WORKERS, WORKERS.replace("&each", "&(end - 1 - (each - worker))"), "order_take"),
    ("a thread of the server that keeps its own lock while it takes all", LOOP, "  worker_release(own);\n", "", "order_take"),
    ("the server's first lock given up twice", SERVER, "  release(own, &lock);\n", "  release(own, &lock), release(own, &lock);\n", "order_release"),
]
PROGRAMS = {KERNEL: "kernel/quire.elf", PAGER: "pager/pager", SERVER: "servers/posix", LOOP: "servers/posix"}


def command(build, target, change):
    """Runs the last of the commands that make a target, with some of its words changed."""
    made = subprocess.run(["ninja", "-C", build, "-t", "commands", target], check=True, capture_output=True, text=True).stdout
    words = [change.get(word, word) for word in shlex.split(made.splitlines()[-1])]
    done = subprocess.run(words, cwd=build, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"{' '.join(words)}: {done.stderr[:600]}")


def changed(build, source, text, folder):
    """The program with that text for its source. It is compiled under the source's name, which the assertion prints."""
    program = PROGRAMS[source]
    compiled = f"{program}.p/{'posix_' if program == PROGRAMS[SERVER] else ''}{Path(source).name}.o"
    (folder / Path(source).name).write_text(text)
    for header in (Path(__file__).resolve().parents[1] / source).parent.glob("*.h"):
        shutil.copy(header, folder)
    shown = os.path.relpath(Path(__file__).resolve().parents[1] / source, build)
    command(build, compiled, {shown: str(folder / Path(source).name), compiled: str(folder / "changed.o"), f"{compiled}.d": str(folder / "d")})
    command(build, program, {compiled: str(folder / "changed.o"), program: str(folder / "program")})
    return folder / "program"


def boot(build, source, program, folder):
    """What a machine of two harts prints in which programs start and end."""
    kernel, image = f"{build}/kernel/quire.bin", f"{build}/tests/tests.cpio"
    if source == KERNEL:
        kernel = folder / "kernel.bin"
        subprocess.run(["objcopy", "-I", "elf64-little", "-O", "binary", program, kernel], check=True)
    else:
        image = folder / "image"
        server = PROGRAMS[source] == PROGRAMS[SERVER]
        files = [f"pager={build}/pager/pager", f"posix={program}", f"{build}/apps/echo"] if server else [f"pager={program}", f"{build}/tests/guest/victim"]
        subprocess.run([Path(__file__).resolve().parents[1] / "scripts/mkimage", image, *files], check=True)
    words = ["qemu-system-riscv64", "-machine", "virt", "-smp", "2", "-nographic", "-no-reboot", "-kernel", kernel, "-initrd", image,
             "-append", ("serve=posix:echo:heard" if PROGRAMS[source] == PROGRAMS[SERVER] else "run=victim:exit:0 run=victim:exit:0") + " deadline=50"]
    with tempfile.TemporaryFile() as output:
        try:
            subprocess.run(words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            output.write(b"\nno end")
        output.seek(0)
        return output.read().decode(errors="replace")


def wrong(build, source, old, new, expected):
    """What is not as it must be; "": nothing."""
    text = (Path(__file__).resolve().parents[1] / source).read_text()
    if old and text.count(old) != 1:
        return f"the text is there {text.count(old)} times, not once: {old!r}"
    with tempfile.TemporaryDirectory() as name:
        try:
            if source == KERNEL:
                new = f"if (own == kernel.harts) {{\n{new}}} else {{\n{old}}}\n"
            program = changed(build, source, text.replace(old, new) if old else text, Path(name))
        except ValueError as why:
            return str(why)
        lines = boot(build, source, program, Path(name)).splitlines()
    stops = [line for line in lines if f"{Path(source).name}:" in line or "assertion " in line]  # the kernel's and the pager's, and the C library's
    if expected is None:
        return "" if not stops and "quire: off, status 0" in lines else "\n".join(lines[-5:])
    return "" if any(expected in line for line in stops) else "\n".join(lines[-5:])


def main():
    """Exit status 0 if all is right."""
    build = Path(sys.argv[1]).resolve()
    print(f"1..{len(CASES)}")
    failed = 0
    for number, (what, *case) in enumerate(CASES, 1):
        why = wrong(build, *case)
        failed += bool(why)
        print(f"not ok {number} - {what}" + "".join(f"\n# {line}" for line in why.splitlines()) if why else f"ok {number} - {what}", flush=True)
    return int(failed != 0)


if __name__ == "__main__":
    sys.exit(main())
