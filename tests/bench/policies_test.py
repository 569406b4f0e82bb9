#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tests what policies.py makes of a guest's output, its rule, and that the default is the policy that docs/policies.md chose.
Boots nothing. Prints TAP."""
import re
import sys
from types import SimpleNamespace

import checks
import peer
import policies
import thirdparty

LOOK = "programs that ended: {} faults, {} pages brought in besides, {} of these never touched\n"
OUT = "".join(LOOK.format(*numbers) for numbers in ((0, 0, 0), (10, 1, 0), (20, 2, 0), (130, 52, 7), (145, 53, 7)))
TIMES = "5000 instructions of the machine, 80 faults, 60 frames at most\nx: y\n300 instructions of the machine, 4 faults, 5 frames at most\n"


def said(out=OUT, error=TIMES):
    """What a run gives."""
    return SimpleNamespace(out=out.encode(), error=error.encode())


def figures(*costs):
    """Of workloads, each with the instructions and frames of `demand` and of all others."""
    return {str(number): {policy: policies.Cost(*(first if policy == "demand" else rest), 1, 1, 1) for policy in policies.POLICIES}
            for number, (first, rest) in enumerate(costs)}


CHEAPER = figures(((100, 10), (50, 10)), ((100, 10), (200, 10)), ((100, 10), (90, 10)))
SAME = figures(((100, 10), (100, 10)))
DEARER = figures(((100, 10), (90, 12)))
DEFAULT = re.search(r'struct policy_set policy = \{.words = "([^"]+)"', (peer.ROOT / "pager/main.c").read_text())[1]
TEXT = policies.DOCUMENT.read_text()
CHECKS = {
    "each command has its own figures, without what looking costs": policies.costs(said(), 2) ==
        [policies.Cost(5000, 60, 100, 49, 7), policies.Cost(300, 5, 5, 0, 0)],
    "a command without figures": "1 of 2" in (checks.failure(thirdparty.Bad, policies.costs, said(error=TIMES[:70]), 2) or ""),
    "a look that is missing": checks.failure(thirdparty.Bad, policies.costs, said(out=OUT[:-40]), 2) is not None,
    "as many looks as the script has": policies.script(["a", "b"]).count("free") == 5,
    "means are of ratios, not of sums": abs(policies.ratio(CHEAPER, "eager", "instructions") ** 3 - 0.9) < 1e-9,
    "fewer instructions with the same frames": policies.choice(CHEAPER) != "demand",
    "of equals the first": policies.choice(SAME) == "demand",
    "10 % fewer instructions for 20 % more frames": policies.choice(DEARER) == "demand",
    "the table marks what is chosen": [row[0] for row in policies.summary(CHEAPER)].count("**`window,4`**") == 1,
    "what is not to be had": next(iter(policies.table({"x": dict.fromkeys(policies.POLICIES, policies.Cost(1, 1, 1))}, "untouched")))[1] == "-",
    "docs/policies.md has a table": checks.failure(peer.Failed, peer.updated, TEXT, "new", policies.BEGIN) is None,
    "the default is the one that it chose": re.findall(r"^\| \*\*`(.*)`\*\* \|", TEXT, re.M) == [DEFAULT],
}

if __name__ == "__main__":
    sys.exit(checks.report(CHECKS))
