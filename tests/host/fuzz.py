#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""fuzz.py FUZZER RUNS: runs a libFuzzer target from a fixed seed, over good inputs made here.

With QUIRE_FULL in the environment it runs FULL times as often, and with SEED from that seed.
"""
import os
import random
import struct
import subprocess
import sys
import tempfile
from pathlib import Path


FULL = 8
TEXT, DATA = bytes(range(1, 256)) * 17, b"data" * 60
GOOD = {"ident": b"\x7fELF\2\1\1", "type": 2, "machine": 243, "entry": 0x10010, "phentsize": 56, "table": 64}


def elf(parts, **changes):
    """An executable of (type, flags, offset, vaddr, filesz, memsz) parts, whose data follow its table."""
    h = {**GOOD, "phnum": len(parts), **changes}
    head = struct.pack("<16sHHIQQQIHHH6x", h["ident"], h["type"], h["machine"], 1, h["entry"], h["table"], 0, 0, 64,
                       h["phentsize"], h["phnum"])
    table = b"".join(struct.pack("<IIQQQQQQ", kind, flags, offset, vaddr, 0, filesz, memsz, 4096)
                     for kind, flags, offset, vaddr, filesz, memsz in parts)
    return (head + table if h["table"] == 64 else head).ljust(512, b"\xee") + TEXT + DATA + (b"" if h["table"] == 64 else table)


def executables():
    """Executables at and just past every edge of what the loader takes."""
    text, data = (1, 5, 512, 0x10010, len(TEXT), len(TEXT)), (1, 6, 512 + len(TEXT), 0x12ff0, len(DATA), 9000)
    note, empty = (4, 4, 64, 0, 9, 9), (1, 4, 0, 0, 0, 0)
    plain = [note, text, empty, data]
    yield elf(plain)
    for changes in ({"ident": b"\x7fELF\1\1\1"}, {"type": 3}, {"machine": 62}, {"phentsize": 57}, {"phnum": 90}, {"phnum": 5},
                    {"table": 1 << 63}, {"table": 512 + len(TEXT) + len(DATA)}, {"table": 513 + len(TEXT) + len(DATA)},
                    {"entry": 0x10000}, {"entry": 0x10011}, {"entry": 0x11ffe}, {"entry": 0x12000}, {"entry": 0x13000}):
        yield elf(plain, **changes)
    end = len(elf(plain))
    for vaddr, flags, offset, filesz, memsz in (
            (0x11fff, 6, 0, 9, 9), (0x12000, 6, 0, 9, 9), (0x12000, 7, 0, 9, 9), (0x12000, 4, 0, 9, 10), (0x12000, 6, 0, 10, 9),
            (0x12000, 5, 0, 9, 9), (0x12000, 4, end - 9, 9, 9), (0x12000, 4, end - 8, 9, 9), (0x12000, 4, end, 1, 1),
            (0x12000, 4, end + 1, 0, 1), (0x12000, 6, end, 0, 1), (0x12000, 4, (1 << 64) - 4, 9, 9),
            (0x12000, 6, 0, 9, 0x40000000 - 0x12000), (0x12000, 6, 0, 9, 0x40000001 - 0x12000), (0x3fffffff, 6, 0, 0, 1),
            (0x40000000, 6, 0, 0, 1), ((1 << 64) - 4096, 6, 0, 0, 4096), (0x12000, 6, 0, 9, (1 << 64) - 0x12000)):
        yield elf([text, (1, flags, offset, vaddr, filesz, memsz)])
    yield elf([(1, 5, 0, 0xffff, 1, 1)], entry=0xfff0)
    four = [(1, 5, 0, 0x10fff + i * 0x3000, 4098, 4098) for i in range(5)] # three pages each, the most that so few bytes touch
    yield elf(four[:4])
    yield elf(four)
    yield elf(plain)[:64]
    yield elf(plain)[:63]


def listed(*files):
    """Files as image_fuzz.c reads them."""
    return b"".join(struct.pack("<H", len(data)) + data for data in files)


def seeds(folder):
    """Good inputs to start from: device trees of several machines, boot images and executables."""
    every = list(executables())
    for number, data in enumerate(every):
        (folder / f"elf{number}").write_bytes(listed(data))
    (folder / "elves").write_bytes(listed(every[0], every[-4], every[0]))
    for number, extra in enumerate((["-m", "128M"], ["-smp", "4", "-m", "1G"])):
        subprocess.run(["qemu-system-riscv64", "-machine", f"virt,dumpdtb={folder}/tree{number}"] + extra, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (folder / "bytes").write_bytes(bytes(range(256)) * 8)
    mkimage = Path(__file__).resolve().parents[2] / "scripts" / "mkimage"
    subprocess.run([sys.executable, mkimage, folder / "image", f"pager={folder}/bytes", f"other={folder}/bytes"], check=True)
    image = (folder / "image").read_bytes()
    for character in b"/:@FG`fg": # as a digit of the first file's mode, beside the ranges of what is one
        (folder / f"digit{character}").write_bytes(image[:20] + bytes([character]) + image[21:])


def operations(folder):
    """Lists of operations, with which the fuzz of the pager gets far. By size, so that they are taken in one order everywhere."""
    for number in range(200):
        (folder / f"random{number}").write_bytes(random.Random(number).randbytes(400 + number))


def main():
    """The fuzzer's own exit status."""
    fuzzer, runs = sys.argv[1:]
    runs = int(runs) * (FULL if os.environ.get("QUIRE_FULL") else 1)
    with tempfile.TemporaryDirectory() as name:
        corpus = Path(name) / "corpus"
        corpus.mkdir()
        (operations if Path(fuzzer).name == "pager_fuzz" else seeds)(corpus)
        command = [Path(fuzzer).resolve(), f"-runs={runs}", f"-seed={os.environ.get('SEED', '1')}", "-max_len=16384", "-timeout=20", "-print_final_stats=1",
                   "-verbosity=0", corpus]
        return int(subprocess.run(command, cwd=name, check=False).returncode != 0)  # 77, a crash, would be a skip


if __name__ == "__main__":
    sys.exit(main())
