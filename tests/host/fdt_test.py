#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""fdt_test.py PROGRAM: device trees of QEMU's machines and of others, read by the kernel's reader and by libfdt. TAP."""
import subprocess
import sys
import tempfile
from pathlib import Path

BOARD = """/dts-v1/;
/memreserve/ %(reserve)s;
/ { #address-cells = <%(ac)d>; #size-cells = <%(sc)d>; compatible = "test";
  aliases { serial0 = "/bus/serial@100"; };
  chosen { bootargs = "run=x"; stdout-path = "serial0:115200n8"; linux,initrd-start = <0x41000000>;
    linux,initrd-end = <0x0 0x42000000>; };
  cpus { #address-cells = <1>; #size-cells = <0>; timebase-frequency = <1000000>;
    cpu@3 { device_type = "cpu"; reg = <3>; status = "disabled"; riscv,isa = "rv64imac";
      interrupt-controller { #interrupt-cells = <1>; interrupt-controller; phandle = <7>; }; };
    cpu@5 { device_type = "cpu"; reg = <5>; riscv,isa = "%(isa)s"; %(more)s
      interrupt-controller { #interrupt-cells = <1>; interrupt-controller; phandle = <9>; }; }; };
  memory@40000000 { device_type = "memory"; reg = <%(mem)s>; };
  reserved-memory { #address-cells = <%(cells)d>; #size-cells = <%(cells)d>; %(fw)s };
  bus { #address-cells = <1>; #size-cells = <1>; %(ranges)s
    serial@100 { compatible = "snps,dw-apb-uart", "ns16550a"; reg = <0x100 0x100>; interrupts = <4>; };
    plic@1000000 { compatible = "sifive,plic-1.0.0"; reg = <0x1000000 0x400000>; riscv,ndev = <31>;
      interrupts-extended = <7 11 7 9 9 11 9 9 9 3>; }; }; };
"""
PLAIN = {"ac": 1, "sc": 1, "mem": "0x40000000 0x8000000", "ranges": "ranges;", "isa": "rv64imafdc_zba_sstc", "more": "",
         "reserve": "0x40000000 0x1000", "cells": 1, "fw": "ranges; fw@40000000 { reg = <0x40000000 0x20000>; };"}
FULL = ("memory 1 reserved 2 harts 1 timebase 1000000 sstc 1 initrd 41000000-42000000 uart 100 irq 4 plic 1000000 sources 31 "
        "zero 0 contexts 3 bootargs 'run=x'")

UNREACHED = "device tree: a memory or reserved range that has no address"


def board(**changes):
    """The board's source with some things other."""
    return BOARD % {**PLAIN, **changes}


def zicboz(block):
    """The board's hart can zero blocks of so many bytes."""
    return board(isa="rv64imafdc_zicboz_sstc", more=f"riscv,cboz-block-size = <{block}>;")


def virtio(count):
    """The board with so many places for virtio devices."""
    nodes = "".join(f'v@{0x2000 + i:x} {{ compatible = "virtio,mmio"; reg = <{0x2000 + i:#x} 0x200>; interrupts = <{i + 1}>; }};'
                    for i in range(count))
    return board().replace("serial@100 {", nodes + " serial@100 {")


def two_harts(first, second):
    """One more before it, which can zero other blocks, or none."""
    one = f'"rv64imac_zicboz_sstc"; riscv,cboz-block-size = <{first}>' if first else '"rv64imac_sstc"'
    return zicboz(second).replace("cpu@3 {", f'cpu@1 {{ device_type = "cpu"; reg = <1>; riscv,isa = {one}; }}; cpu@3 {{')


CASES = {
    "a whole board": (board(), FULL),
    "two cells": (board(ac=2, sc=2, mem="0 0x40000000 0 0x8000000", ranges="ranges = <0 0 0 0x80000000>;"), FULL),
    "a bus that translates": (board(ranges="ranges = <0x0 0x10000000 0x2000000>;"),
                              FULL.replace("uart 100", "uart 10000100").replace("plic 1000000", "plic 11000000")),
    "a bus without ranges is not addressable": (board(ranges=""),
                                                FULL.replace("uart 100", "uart 0").replace("4 plic 1000000", "0 plic 0")
                                                .replace("31 zero 0 contexts 3", "0 zero 0 contexts -1")),
    "sstc as part of another name": (board(isa="rv64imac_sstcx_xsstc"), FULL.replace("sstc 1", "sstc 0")),
    "a disabled hart behind an enabled one": (board().replace("cpu@3 {", "cpu@1 { device_type = \"cpu\"; reg = <1>; riscv,isa = "
                                                              "\"rv64imac_sstc\"; }; cpu@3 {"),
                                              FULL.replace("harts 1", "harts 2").replace("contexts 3", "contexts -1 3")),
    "extensions in a list": (board(isa="rv64imac", more='riscv,isa-extensions = "i", "sstc";'), FULL),
    "as part of another name in a list": (board(isa="rv64imac", more='riscv,isa-extensions = "sstcx", "xsstc";'), FULL.replace("sstc 1", "sstc 0")),
    "blocks that can be zeroed": (zicboz(64), FULL.replace("zero 0", "zero 64")),
    "the same in a list": (board(more='riscv,isa-extensions = "i", "sstc", "zicboz"; riscv,cboz-block-size = <64>;'), FULL.replace("zero 0", "zero 64")),
    "blocks as large as a page": (zicboz(4096), FULL.replace("zero 0", "zero 4096")),
    "blocks larger than a page": (zicboz(8192), FULL),
    "blocks that do not divide a page": (zicboz(96), FULL),
    "blocks of no size": (zicboz(0), FULL),
    "blocks that can be zeroed, but of what size": (board(isa="rv64imafdc_zicboz_sstc"), FULL),
    "a size of blocks without the extension": (board(more="riscv,cboz-block-size = <64>;"), FULL),
    "blocks of two sizes": (two_harts(64, 32), FULL.replace("harts 1", "harts 2").replace("contexts 3", "contexts -1 3")),
    "blocks of one size": (two_harts(64, 64), FULL.replace("harts 1", "harts 2").replace("contexts 3", "contexts -1 3").replace("zero 0", "zero 64")),
    "blocks on one hart only": (two_harts(0, 64), FULL.replace("harts 1", "harts 2").replace("contexts 3", "contexts -1 3")),
    "no memory": (board().replace('"memory"', '"nothing"'), "device tree: no memory"),
    "no hart": (board().replace('"cpu"', '"gpu"'), "device tree: no usable hart"),
    "no timebase": (board().replace("timebase-frequency", "frequency"), "device tree: no timebase-frequency"),
    "an initrd that ends before it starts": (board().replace("0x0 0x42000000", "0x0 0x40000000"),
                                             "device tree: the initrd ends before it starts"),
    "a reservation at the top of 64 bits": (board(reserve="0xffffffff00000000 0x1000"), FULL),
    "a reservation that goes round": (board(reserve="0xffffffff00000000 0x100001000"),
                                      "device tree: a range past the end of 64 bits"),
    "a reserved range without an address": (board(fw="fw { reg = <0x40000000 0x20000>; };"), UNREACHED),
    "half a reserved range": (board(fw="ranges; fw { reg = <0x40000000>; };"), UNREACHED),
    "a reserved range without bounds": (board(fw="ranges; fw { size = <0x20000>; };"), FULL.replace("reserved 2", "reserved 1")),
    "a reserved range that goes round": (board(cells=2, fw="ranges; fw { reg = <0xffffffff 0xfffff000 0 0x2000>; };"), UNREACHED),
    "a status that is no string": (board().replace('"memory"; reg', '"memory"; status = <4>; reg'), "device tree: no memory"), # and a NOP when swept
    "virtio devices": (virtio(2), FULL.replace("3 bootargs", "3 virtio 2000+200:1 virtio 2001+200:2 bootargs")),
    "one of them is disabled": (virtio(2).replace("interrupts = <1>;", 'interrupts = <1>; status = "disabled";'),
                                FULL.replace("3 bootargs", "3 virtio 2001+200:2 bootargs")),
    "one without registers or interrupt": (virtio(2).replace("reg = <0x2000 0x200>;", "").replace("interrupts = <2>;", ""),
                                           FULL.replace("3 bootargs", "3 virtio 2001+200:0 bootargs")),
    "more of them than there is room for": (virtio(10), FULL.replace(
        "3 bootargs", "3 " + " ".join(f"virtio {0x2000 + i:x}+200:{i + 1}" for i in range(8)) + " bootargs")),
    "nodes too deep": (board().replace("serial@100 {", "a { " * 20 + "}; " * 20 + "serial@100 {"),
                       "device tree: nodes nest too deep"),
}


def compiled(source, folder):
    """The tree as dtc makes it."""
    path = folder / "tree.dtb"
    subprocess.run(["dtc", "-q", "-f", "-I", "dts", "-O", "dtb", "-o", path], input=source.encode(), check=True)
    return path


def read(program, path, *more):
    """What the reader says."""
    return subprocess.run([program, path, *more], capture_output=True, text=True, check=False)


def sweeps(program, folder):
    """As checks(): trees of which every word is spoilt in every way."""
    sources = {what: compiled(source, folder).read_bytes() for what, (source, expected) in CASES.items() if expected[0] == "m"}
    for extra in (["-m", "128M"], ["-m", "3G", "-smp", "8"]):
        path = folder / "virt.dtb"
        subprocess.run(["qemu-system-riscv64", "-machine", f"virt,dumpdtb={path}"] + extra, check=True, capture_output=True)
        packed = subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dtb", path], check=True, capture_output=True)
        sources[f"QEMU with {' '.join(extra)}"] = packed.stdout
    for what, blob in sources.items():
        (folder / "sweep.dtb").write_bytes(blob)
        done = read(program, folder / "sweep.dtb", "sweep")
        right = not done.returncode and done.stdout.startswith(f"swept {len(blob)} bytes: ")
        yield f"every word spoilt: {what}", right, done.stdout + done.stderr


def checks(program, folder):
    """(what, whether it came out right, what came out)."""
    for what, (source, expected) in CASES.items():
        done = read(program, compiled(source, folder))
        right = not done.returncode and done.stdout.strip() == expected
        yield what, right, done.stdout + done.stderr
    for extra in (["-m", "128M"], ["-m", "3G", "-smp", "8"], ["-smp", "4", "-cpu", "rv64,sstc=false"]):
        path = folder / "virt.dtb"
        subprocess.run(["qemu-system-riscv64", "-machine", f"virt,dumpdtb={path}"] + extra, check=True, capture_output=True)
        done = read(program, path)
        wanted = "sstc 0" if "sstc=false" in extra[-1] else "sstc 1"
        wanted = f"{wanted} ", "virtio 10001000+1000:1 ", "virtio 10008000+1000:8 "
        yield f"QEMU with {' '.join(extra)}", not done.returncode and all(w in done.stdout for w in wanted), done.stdout + done.stderr
    blob = compiled(board(), folder).read_bytes()
    cut = folder / "cut.dtb"
    for length in (0, 3, 39, 40, 100, len(blob) // 2, len(blob) - 1):
        cut.write_bytes(blob[:length])
        done = read(program, cut)
        yield f"cut to {length} bytes", not done.returncode and done.stdout.startswith("device tree: "), done.stdout + done.stderr


def main():
    """Exit status 0 if all is right."""
    with tempfile.TemporaryDirectory() as name:
        program = Path(sys.argv[1]).resolve()
        results = list(checks(program, Path(name))) + list(sweeps(program, Path(name)))
    print(f"1..{len(results)}")
    for number, (what, right, output) in enumerate(results, 1):
        print(f"{'ok' if right else 'not ok'} {number} - {what}" + ("" if right else f"\n# {output.strip()[:300]}"))
    return int(not all(right for _, right, _ in results))


if __name__ == "__main__":
    sys.exit(main())
