#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""irq_off.py BUILD [NAME...]: the longest stretch of instructions with interrupts off, for each guest test and the benchmark.
The worst goes to bench.json in BUILD as irq.off_max."""
import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import judge  # noqa: E402

ANCHORS = Path(__file__).resolve().parent / "anchors.json"


def main():
    """Exit status 1 if one is over the 20,000 that the design allows."""
    build, worst = sys.argv[1], 0
    plain = ["sbrk", "refuse", "memory", "copy", "ipc", "thread", "share", "syscall", "touch", "death", "hoard", "hostile"]
    unix = ["posix", "files", "tree", "pipe", "lazy", "cow", "process"]
    boots = [(name, "tests.cpio", ("serve=uart serve=posix:t_" if name in unix else "processes=255 run=t_") + name)
             for name in sys.argv[2:] or plain + unix]
    for name, image, append in boots + [("kernel", "kernel.cpio", ""), ("bench", "bench.cpio", "run=bench")]:
        output = judge.boot(judge.parser().parse_args(["--kernel", f"{build}/kernel/quire.bin", "--initrd",
                                                       f"{build}/tests/{image}", "--append", append]))
        judge.judge(output)
        longest = int(re.search(rb"quire: interrupts were off for at most (\d+) instructions", output)[1])
        worst = max(worst, longest)
        print(f"{name:10} {longest:8,}")
    (Path(build) / "bench.json").write_text(json.dumps({"irq.off_max": {"median": worst, "n": 1}}, indent=1) + "\n")
    return int(worst > json.loads(ANCHORS.read_text())["irq.off_max"]["reach"])


if __name__ == "__main__":
    sys.exit(main())
