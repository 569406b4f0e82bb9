#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What lazy paging saves and costs the programs of tests/thirdparty: a table in Markdown.

Each that has a case with figure = true, or figure = "COMMAND" to be run with that case's files, runs that in a machine of
its own, once as booted and once with policy=eager.
Faults and frames are the process's own by the pager's count, instructions are the machine's while it ran, without those that
starting and waiting for `true` takes; its output goes to a file.
"""
import argparse
import re
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import debian  # noqa: E402
import thirdparty  # noqa: E402

COST = re.compile(rb"^(\d+) instructions of the machine, (\d+) faults, (\d+) frames at most$", re.M)
POLICIES = {"lazy": "", "eager": "policy=eager"}
HEAD = "| program | case | faults | eagerly | frames at most | eagerly | instructions | eagerly |"


def chosen(cases):
    """The case that stands for the program; None: there is none."""
    case = next((case for case in cases if case.figure), None)
    return replace(case, command=case.figure) if case and case.figure is not True else case


def cost(place, case, append):
    """(faults, frames, instructions) of the case's program."""
    if not (place.out / case.command.split()[0]).exists():
        raise thirdparty.Bad(f"case {case.name}: its command does not begin with a program of the build")
    timed = replace(case, command=f"time true\n{{ time {case.command}\n}} >/tmp/output", output=[])
    result = place.quire(timed, "--icount", "shift=0,sleep=off", "--append", append)
    found = [tuple(int(number) for number in line) for line in COST.findall(result.error)]
    if len(found) != 2:
        said = result.error.decode(errors="replace").splitlines()[-3:]
        raise thirdparty.Bad(f"case {case.name}, boot options '{append}': no figures", *said)
    (idle, _, _), (instructions, faults, frames) = found
    return faults, frames, instructions - idle


def row(build, path):
    """A program's line of the table."""
    program, cases, _, place = thirdparty.ready(build, path)
    case = chosen(cases)
    if not case:
        return None
    lazy, eager = (cost(place, case, append) for append in POLICIES.values())
    pairs = " | ".join(f"{one:,} | {other:,}" for one, other in zip(lazy, eager))
    return f"| {program.name} | {case.name} | {pairs} |"


def main():
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("names", nargs="*", metavar="NAME", help="of a program; all of them if there is none")
    options = parser.parse_args()
    folder = thirdparty.ROOT / "tests/thirdparty"
    paths = [folder / f"{name}.toml" for name in options.names] or sorted(folder.glob("*.toml"))
    print(HEAD, "| --- | --- |" + " ---: |" * 6, sep="\n")
    for path in paths:
        try:
            line = row(options.build.resolve(), path)
            if line:
                print(line, flush=True)
        except (debian.Unavailable, thirdparty.Bad, OSError) as why:
            sys.exit("\n".join(["programs: " + path.stem, *map(str, why.args)]))


if __name__ == "__main__":
    main()
