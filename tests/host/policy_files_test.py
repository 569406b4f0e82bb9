#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""policy_files_test.py REPLAY: each policy is one file of fewer than 100 lines, is built, told of, and in a list of what is tested. TAP."""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/bench")]
import checks  # noqa: E402
import policy_words  # noqa: E402

LINES = 100


def long_files():
    """Those of the folder that have so many lines or more, headers too."""
    return [f"{file.name}: {lines}" for file in policy_words.FOLDER.iterdir() if (lines := len(file.read_text().splitlines())) >= LINES]


def listed(replay):
    """The policies that are linked into the replayer, as into the pager: of replacement, and the others."""
    told = subprocess.run([replay, "--list"], capture_output=True, text=True, check=True).stdout
    parts = [re.findall(r"^  ([\w-]+)(?!.*only here)", part, re.M) for part in re.split(r"^beside it", told, flags=re.M)]
    return parts[0], parts[1]


def missing(names, text, before, after=r"[\s`'\",\[+]"):
    """Those of which the text says nothing."""
    return [name for name in names if not re.search(before + re.escape(name) + after, text)]


def main():
    """Exit status 1 if anything is not so."""
    names = [policy.name for policy in policy_words.POLICIES]
    others = [name for name in names if name not in policy_words.REPLACING]
    built = {policy.file.stem for policy in policy_words.POLICIES}
    docs, boots, fuzz = ((ROOT / name).read_text() for name in ("docs/policies.md", "tests/meson.build", "tests/host/pager_fuzz.c"))
    words = {part.split(",")[0] for entry in policy_words.EVERY for part in entry.split("+")}
    found = {
        f"fewer than {LINES} lines": long_files(),
        "no file is left out of all.h": sorted({file.stem for file in policy_words.FOLDER.glob("*.c")} ^ built),
        "what the files say is what is linked": [] if listed(sys.argv[1]) == (policy_words.REPLACING, others) else listed(sys.argv[1]),
        "docs/policies.md has a line for each": missing(names, docs, r"(?m)^\| `(?:policy=)?"),
        "each is among the words that are tested": sorted(set(names) - set(policy_words.PRESSED) - words),
        "each of pressure is in a boot of tests/meson.build": missing(policy_words.PRESSED, boots, r"[=+]"),
        "each that brings pages in is in the pager's fuzzer": missing(policy_words.having("fault", "made"), fuzz, r'"'),
    }
    status = checks.report({what: not wrong for what, wrong in found.items()})
    for what, wrong in found.items():
        if wrong:
            print(f"# {what}, but for: {wrong}")
    return status


if __name__ == "__main__":
    sys.exit(main())
