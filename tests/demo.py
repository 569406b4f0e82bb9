#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""demo.py KERNEL IMAGE: the demo comes to its end and finds everything right; bad boot options get a warning. TAP."""
import sys

import judge


def main():
    """Exit status 0 if it does."""
    options = judge.parser().parse_args(["--kernel", sys.argv[1], "--initrd", sys.argv[2], "--append",
                                         "run=demo run=none nonsense=1"])
    lines = judge.console(judge.boot(options))
    checks = {
        "the demo ends well": "All as it must be." in lines,
        "it found nothing wrong": not any("!! expected" in line for line in lines),
        "faults are shown": any("by the program" in line and "one frame" in line for line in lines),
        "faults of kernel copies are shown": any("by a kernel copy" in line for line in lines),
        "an unknown option is named": "pager: warning: unknown boot option 'nonsense=1'" in lines,
        "an unknown program is named": any("cannot run 'none': not in the boot image" in line for line in lines),
        "the machine goes off": lines[-1].startswith("quire: off, status"),
    }
    print(f"1..{len(checks)}")
    for number, (what, good) in enumerate(checks.items(), 1):
        print(f"{'ok' if good else 'not ok'} {number} - {what}")
    return int(not all(checks.values()))


if __name__ == "__main__":
    sys.exit(main())
