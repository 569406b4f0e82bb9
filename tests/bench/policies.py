#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""policies.py --build DIR: what each policy makes of programs in the tree. A row a workload and policy: faults, pages brought
in besides, how many of these were never touched, and the machine's instructions, without the pool of ready frames.
The pages are of a boot that counts them (count=untouched), the instructions of one that does not."""
import argparse
import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import session  # noqa: E402

POLICIES = ["demand", "window,4", "window,8", "window,16", "window,32", "eager"]
WORKLOADS = [  # name, command; each runs in a shell of its own, whose faults are among those counted
    ("true", "sh -c 'true'"),
    ("fork and exec", "sh -c 'ls / | cat; echo one | wc; true; ls /bin | head -3'"),
    ("a script", "sh -c 'i=0; while [ $i != 200 ]; do i=$((i+1)); done'"),
    ("sort of numbers", "sh -c 'seq 3000 | grep 7 | wc'"),
    ("grow, dense", "sh -c 'grow 8192'"),
    ("grow, 8 times", "sh -c 'for i in 1 2 3 4 5 6 7 8; do grow 300; done'"),
]
TOTALS = re.compile(r"programs that ended: (\d+) faults, (\d+) pages brought in besides, (\d+) of these")


def totals(machine):
    """Faults, pages besides and untouched ones of all programs that ended so far."""
    return [int(figure) for figure in TOTALS.search(machine.run("free")).groups()]


def measure(build, policy, extra):
    """workload -> faults, ahead, untouched, instructions."""
    machine = session.Session(f"{build}/kernel/quire.bin", f"{build}/apps/quire.cpio", memory="256M",
                              append=f"policy={policy} ready=0 {extra} serve=uart serve=posix:sh")
    try:
        machine.expect(session.PROMPT)
        totals(machine)
        before = totals(machine)
        after = totals(machine)
        own = [b - a for a, b in zip(before, after)] # of `free` itself
        rows = {}
        for name, command in WORKLOADS:
            before = totals(machine)
            instructions = int(re.search(r"(\d+) instructions of the machine", machine.run("time " + command))[1])
            after = totals(machine)
            rows[name] = [b - a - c for a, b, c in zip(before, after, own)] + [instructions]
        return rows
    finally:
        machine.close()


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    figures = {}
    print(f"{'workload':16} {'policy':10} {'faults':>8} {'besides':>8} {'untouched':>9} {'instructions':>13}")
    for policy in POLICIES:
        counted = measure(options.build, policy, "count=untouched")
        plain = measure(options.build, policy, "")
        figures[policy] = {name: [*plain[name][:2], counted[name][2], plain[name][3]] for name, _ in WORKLOADS}
    for name, _ in WORKLOADS:
        for policy in POLICIES:
            faults, besides, untouched, instructions = figures[policy][name]
            print(f"{name:16} {policy:10} {faults:8,} {besides:8,} {untouched:9,} {instructions:13,}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
