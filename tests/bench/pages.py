# SPDX-License-Identifier: BSD-2-Clause
"""Records every page that a program refers to while it runs in the guest, with a plug-in of QEMU (plugin/pages.c, which says what
is in the file) and the kernel that tells it who runs, quire-trace.bin. Without --posix the program runs alone, and is process 1;
with it, below the uart and the posix server, which are processes 1 and 2. Instructions are counted as in benchmarks, so a trace
comes out the same each time (with one hart)."""
import collections
import re
import struct
import subprocess
import tempfile
from importlib.machinery import SourceFileLoader
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLUGINS = HERE / "plugin"
MAGIC, RECORD = b"QTRACE1\n", struct.Struct("<QII")
PAGE, KINDS = 4096, "rwx"
LEFT = "has not returned for two seconds"  # what the pager says of a policy that it asks no more
SERVERS = "serve=uart serve=posix:"
IMAGE = "apps/quire.cpio"  # of a build
LINES = "etc/lines"  # of the boot image


class Bad(Exception):
    """Why there is no trace."""


def compiled(folder, name="pages"):
    """The plug-in of that name, for the QEMU of this machine."""
    out, source = Path(folder) / f"{name}.so", PLUGINS / f"{name}.c"
    command = ["gcc", "-O2", "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-fvisibility=hidden", "-o", out, source]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Bad(f"compiling {source.name} failed:\n{done.stderr}")
    return out


def marks(kernel):
    """Where the kernel says who runs."""
    names = subprocess.run(["riscv64-unknown-elf-nm", kernel], capture_output=True, text=True, check=True).stdout
    found = re.search(r"^(\w+) \w trace_marks$", names, re.M)
    if not found:
        raise Bad(f"{kernel} does not tell who runs: it was not built with TRACE_SWITCHES")
    return found[1]


def boot_words(words, posix):
    """The boot option that runs a program; ':' and spaces end an argument there."""
    if any(re.search(r"[\s:]", word) for word in words):
        raise Bad("a program's argument with a space or ':' does not go through the boot options")
    return (SERVERS if posix else "run=") + ":".join(words)


def lines_image(build, folder, lines):
    """The boot image with lines for the shell, and the boot option that has it run them."""
    mkimage = SourceFileLoader("mkimage", str(HERE.parents[1] / "scripts/mkimage")).load_module()
    out = Path(folder) / "lines.cpio"
    entries = mkimage.read(Path(build, IMAGE).read_bytes()) | {LINES: (lines.encode(), 0o100644)}
    out.write_bytes(mkimage.image(entries))
    return out, f"{SERVERS}sh:/{LINES}"


def run(command, seconds):
    """What it printed."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        raise Bad(f"the machine came to no end in {seconds} seconds (--timeout)") from None
    return done.stdout.decode(errors="replace").replace("\r\n", "\n")


def checked(console, log, name="pages"):
    """Refuses a run that has no whole trace, by what the plug-in says."""
    if "quire: off, status 0\n" not in console:
        raise Bad("the machine or its program failed:\n" + console[max(console.find("quire: "), 0):])
    left = re.search(f"pager: (policy .*{LEFT})", console)
    if left:
        raise Bad(f"{left[1]}, so another was asked in its place: these would be its figures")
    if not log.exists() or not re.search(rf"^{name}: \d+ records$", log.read_text(), re.M):
        raise Bad(f"the trace is not whole:\n{console}")


def machine(build, kernel, append, memory="256M", harts=1, image=IMAGE):
    """The command that runs it; one hart counts instructions, as in benchmarks, and does not sleep while it waits for a store."""
    clock = ["-icount", "shift=0,sleep=off"] if harts == 1 else ["-smp", str(harts)]
    append += " idle=poll" if harts == 1 else ""
    return ["qemu-system-riscv64", "-machine", "virt", "-m", memory, "-nographic", "-no-reboot", *clock, "-kernel",
            f"{build}/kernel/{kernel}", "-initrd", str(Path(build, image)), "-append", append]


def check_name(out):
    """Of a file that QEMU is to write."""
    if "," in str(out):
        raise Bad(f"{out}: QEMU takes no file name with a comma here")


def record(build, out, append, filters=(), memory="256M", harts=1, seconds=100, image=IMAGE):
    """Runs the machine, which writes the trace; there is none if it fails."""
    check_name(out)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        plugin = ",".join([str(compiled(folder)), f"out={out}", f"marks={marks(f'{build}/kernel/quire-trace.elf')}", *filters])
        command = [*machine(build, "quire-trace.bin", append, memory, harts, image), "-plugin", plugin, "-d",
                   "plugin", "-D", str(log)]
        try:
            checked(run(command, seconds), log)
        except Bad:
            if Path(out).is_file():
                Path(out).unlink()
            raise


def records(path):
    """(page number, kind as one of "rwx", process) of each record."""
    with open(path, "rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise Bad(f"{path}: no trace")
        while part := file.read(RECORD.size << 16):
            if len(part) % RECORD.size:
                raise Bad(f"{path}: the last record is cut off")
            for page, process, reserved in RECORD.iter_unpack(part):
                if page % PAGE >= len(KINDS) or reserved:
                    raise Bad(f"{path}: a record that says {page:#x}, {process}, {reserved}")
                yield page // PAGE, KINDS[page % PAGE], process


def segments(program):
    """(first byte, end of what is in the file, end, whether it may be written) of each."""
    text = subprocess.run(["riscv64-unknown-elf-readelf", "-lW", program], capture_output=True, text=True, check=True).stdout
    for start, in_file, size, flags in re.findall(r"LOAD +0x\w+ 0x(\w+) 0x\w+ 0x(\w+) 0x(\w+) (.{3})", text):
        first = int(start, 16)
        yield first, first + int(in_file, 16), first + int(size, 16), "W" in flags


def page_up(address):
    """The number of the first page that begins there or later."""
    return (address + PAGE - 1) // PAGE


def areas(program, numbers):
    """What of a program is one piece of memory that is zeros at first, which is what the pager asks policies about: for the replayer's
    --areas. Of the image that is known; of heap, mappings and stack it is taken from the pages that were referred to (these numbers)."""
    found, after = [], 0
    for _, in_file, end, writable in segments(program):
        after = max(after, page_up(end))
        if writable and page_up(in_file) < page_up(end):
            found.append([page_up(in_file), page_up(end) - 1])
    image = len(found)
    for number in sorted(number for number in numbers if number >= after):
        near = found[-1][1] if len(found) > image else after
        if number - near < 64:  # no piece is so near to another
            found[image:] = found[image:] or [[after, number]]
            found[-1][1] = number
        else:
            found.append([number, number])
    return ",".join(f"{first}-{last}" for first, last in found)


def summary(path):
    """A line for each process."""
    counts, pages = collections.Counter(), collections.defaultdict(set)
    for page, _, process in records(path):
        counts[process] += 1
        pages[process].add(page)
    for process, count in sorted(counts.items()):
        yield f"process {process}: {count:,} records, {len(pages[process]):,} pages"
