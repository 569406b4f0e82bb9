#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""fuzz.py FUZZER RUNS: runs a libFuzzer target from a fixed seed, over good inputs made here; the same on every run.

With QUIRE_FULL in the environment it runs FULL times as often.
"""
import os
import subprocess
import sys
import tempfile
from pathlib import Path


FULL = 10


def seeds(folder):
    """Good inputs to start from: device trees of several machines, and boot images."""
    for number, extra in enumerate((["-m", "128M"], ["-smp", "4", "-m", "1G"])):
        subprocess.run(["qemu-system-riscv64", "-machine", f"virt,dumpdtb={folder}/tree{number}"] + extra, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (folder / "bytes").write_bytes(bytes(range(256)) * 8)
    mkimage = Path(__file__).resolve().parents[2] / "scripts" / "mkimage"
    subprocess.run([sys.executable, mkimage, folder / "image", f"pager={folder}/bytes", f"other={folder}/bytes"], check=True)


def main():
    """The fuzzer's own exit status."""
    fuzzer, runs = sys.argv[1:]
    runs = int(runs) * (FULL if os.environ.get("QUIRE_FULL") else 1)
    with tempfile.TemporaryDirectory() as name:
        corpus = Path(name) / "corpus"
        corpus.mkdir()
        seeds(corpus)
        command = [Path(fuzzer).resolve(), f"-runs={runs}", "-seed=1", "-max_len=16384", "-timeout=20", "-print_final_stats=1",
                   "-verbosity=0", corpus]
        return subprocess.run(command, cwd=name, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
