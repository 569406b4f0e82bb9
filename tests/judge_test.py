#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tests the judge with guests that are silent, cut short, garbled or dishonest. Prints TAP."""
import sys
import tempfile
import zlib
from pathlib import Path

import judge

BANNER = "OpenSBI \x1b[1m banner\nquire: Quire 0.0\npager: hello\n"


def guest(results, plan=None, passed=None, crc=None, status=None):
    """What a guest with these result lines prints."""
    own = ["# begin x", f"1..{len(results) if plan is None else plan}"] + results
    bad = sum(line.startswith("not") for line in results)
    skips = sum("# SKIP" in line for line in results)
    good = len(results) - bad - skips if passed is None else passed
    crc = zlib.crc32("".join(line + "\n" for line in own).encode()) if crc is None else crc
    end = f"# end x passed={good} failed={bad} skipped={skips} lines={len(own)} crc={crc:08x} "
    return BANNER + "\n".join(own) + f"\n{end}status={int(bad > 0) if status is None else status}\nquire: off, status 0\n"


GOOD = guest(["ok 1 - a", "ok 2 - b"])
BELIEVED = {
    "a good guest": (GOOD, 2),
    "carriage returns": (GOOD.replace("\n", "\r\n"), 2),
    "a failing guest": (guest(["ok 1 - a", "not ok 2 - b"]), 2),
    "a skip": (guest(["ok 1 - a # SKIP why"]), 1),
    "comments and the pager's lines between": (GOOD.replace("ok 2", "# note\npager: victim ended\nok 2"), 2),
}
REFUSED = {
    "a silent guest": "",
    "only the firmware": "OpenSBI\n",
    "only the kernel": BANNER,
    "a guest cut short after a result": GOOD[:GOOD.index("ok 2")],
    "a guest cut short within a line": GOOD[:GOOD.index("# end") + 12],
    "a missing result": GOOD.replace("ok 1 - a\n", ""),
    "a changed character": GOOD.replace("- b", "- c"),
    "a byte that is no text": GOOD.replace("- b", "- \x07"),
    "a line of garbage": GOOD.replace("ok 2", "hello\nok 2"),
    "two lines in one": GOOD.replace("ok 1 - a\n", "ok 1 - a"),
    "results out of order": guest(["ok 2 - b", "ok 1 - a"]),
    "a plan not kept": guest(["ok 1 - a"], plan=2),
    "no results at all": guest([]),
    "a wrong count of passes": guest(["ok 1 - a"], passed=2),
    "a wrong checksum": guest(["ok 1 - a"], crc=1),
    "a status that hides a failure": guest(["not ok 1 - a"], status=0),
    "text after the record": GOOD + "ok 3 - c\n",
    "a panic after the record": GOOD + "quire: panic: x\n",
    "a panic before": GOOD.replace("pager: hello", "quire: panic: y"),
    "the guest's time is up": GOOD.replace("pager: hello", "quire: deadline: up"),
}


def boots(script):
    """Whether the judge believes a stand-in for QEMU."""
    with tempfile.TemporaryDirectory() as folder:
        qemu = Path(folder) / "qemu"
        qemu.write_text("#!/bin/sh\n" + script)
        qemu.chmod(0o755)
        try:
            judge.judge(judge.boot(judge.parser().parse_args(["--qemu", str(qemu), "--kernel", "k", "--timeout", "2"])))
        except judge.Bad:
            return False
    return True


def checks():
    """(what, whether it came out right)."""
    for what, (text, count) in BELIEVED.items():
        try:
            yield what, len(judge.judge(text.encode("latin-1"))) == count + 1
        except judge.Bad as why:
            yield f"{what}: {why}", False
    for what, text in REFUSED.items():
        try:
            judge.judge(text.encode("latin-1"))
            yield what, False
        except judge.Bad:
            yield what, True
    good = GOOD.replace("\x1b", "")
    yield "a process that prints a good guest", boots(f"cat <<'X'\n{good}X\n")
    yield "a process that hangs", not boots("echo quire: hello; exec sleep 20\n")
    yield "a process that fails", not boots(f"cat <<'X'\n{good}X\nexit 3\n")


def main():
    """Exit status 0 if the judge is right every time."""
    results = list(checks())
    print(f"1..{len(results)}")
    for number, (what, right) in enumerate(results, 1):
        print(f"{'ok' if right else 'not ok'} {number} - {what}")
    return int(not all(right for _, right in results))


if __name__ == "__main__":
    sys.exit(main())
