#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""policy_words.py [replacing]: what tests write after policy=, so that a new line of pager/policy/all.h is tested without another word.
Each policy of replacement alone, each other beside one of these; with an argument only the former. One a line.

Policies of pressure are not among them: a program cannot choose these, the boot options do (tests/meson.build)."""
import re
import sys
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parents[1] / "pager/policy"
OPTIONS = {"window": "window,4", "fixed": "fixed,6"}  # of what needs some, or does little with the usual ones
MORE = ["window,64+s3-fifo", "eager+generations", "eager+pff+wsclock"]  # several pages come, or go, at once


class Policy(NamedTuple):
    """A file, what the policy is called, and the hooks that it has."""
    file: Path
    name: str
    hooks: frozenset


def read(file):
    """What it defines."""
    found = re.search(r"\nconst struct policy policy_(\w+) = \{(.*?)\};", file.read_text(), re.S)
    if not found or found[1] != file.stem:
        raise ValueError(f"{file}: it defines no policy_{file.stem}")
    return Policy(file, re.search(r'\.name = "([^"]+)"', found[2])[1], frozenset(re.findall(r"\.(\w+) =", found[2])))


POLICIES = [read(FOLDER / f"{name}.c") for name in re.findall(r"^X\((\w+)\)$", (FOLDER / "all.h").read_text(), re.M)]


def having(*hooks):
    """The names of those that have any of these hooks, in their order."""
    return [policy.name for policy in POLICIES if policy.hooks & set(hooks)]


def with_options(names, options=OPTIONS):
    """As words."""
    return [options.get(name, name) for name in names]


REPLACING, PRESSED = having("victims"), having("pressure")
BESIDE = [policy.name for policy in POLICIES if policy.name not in REPLACING + PRESSED]
PAIRS = [f"{word}+{REPLACING[i % len(REPLACING)]}" for i, word in enumerate(with_options(BESIDE))]
EVERY = list(dict.fromkeys(REPLACING + PAIRS + MORE))


if __name__ == "__main__":
    print(*(REPLACING if sys.argv[1:] else EVERY), sep="\n")
