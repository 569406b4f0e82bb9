#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""writers.py KERNEL IMAGE: many programs write to the console at once, through a driver that takes little at a time. Every
line must come out once and whole. Prints TAP."""
import re
import sys

import judge

WRITERS, LINES = 12, 150  # as in guest/worker.c


def expected():
    """All lines, in no order."""
    for number in range(WRITERS):
        for i in range(LINES):
            length = (number * 131 + i * 37) % 900
            yield f"# writer {number} line {i} of {length}: " + chr(ord("a") + number) * length


def attempt(kernel, image, servers):
    """None if all lines came, else what is wrong."""
    try:
        output = judge.boot(judge.parser().parse_args(["--kernel", kernel, "--initrd", image, "--append", servers]))
        lines = judge.console(output)
    except judge.Bad as why:
        return str(why)
    if "mortal" in servers and not any("pager: driver" in line for line in lines):
        return "the driver did not die"
    if lines[-1] != "quire: off, status 0":
        return f"the end: {lines[-1]!r}"
    text = re.sub(r"pager: driver \(\d+\) ended: .*\n", "", "\n".join(lines))  # it died within a line
    got = [line for line in text.split("\n") if not line.startswith(("quire: ", "pager: "))]
    wanted = list(expected())
    strange = set(got) - set(wanted)
    if strange:
        return f"{len(strange)} lines that nobody wrote, {min(strange)[:100]!r} one of them"
    if sorted(got) != sorted(wanted):
        return f"{len(got)} lines instead of {len(wanted)}"
    for number in range(WRITERS):
        mine = [line for line in got if line.startswith(f"# writer {number} ")]
        if mine != [line for line in wanted if line.startswith(f"# writer {number} ")]:
            return f"the lines of writer {number} are out of order"
    return None


def main():
    """Exit status 0 if no line was lost or mixed."""
    cases = [("through the UART", "serve=uart serve=posix:worker:writers"),
             ("through a driver that is slow", "serve=driver:slow serve=posix:worker:writers"),
             ("through a driver that is slow and dies", "serve=driver:mortal serve=posix:worker:writers"),
             ("without a driver", "serve=posix:worker:writers")]
    print(f"1..{len(cases)}")
    failed = 0
    for number, (what, servers) in enumerate(cases, 1):
        why = attempt(sys.argv[1], sys.argv[2], servers)
        failed += why is not None
        print(f"{'not ok' if why else 'ok'} {number} - many writers at once, {what}" + (f": {why}" if why else ""))
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
