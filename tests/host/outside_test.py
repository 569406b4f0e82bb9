#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""outside_test.py: a policy that is outside the tree, in the replayer and in the pager, built by one command; what scripts/replay says
of names that do not fit. TAP."""
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Last in, first out, which is what keeps a part of a loop.
POLICY = """#include "list.h"

static uint32_t victims(struct policy_pool *pool, uint32_t *victim, uint32_t most) {
  const struct list *list = pool->state;
  uint32_t n = 0;
  for (uint32_t at = list->newest; at && n < most; at = list_link(pool, at)->older)
    victim[n++] = at - 1;
  return n;
}

const struct policy policy_mine = {.name = "mine", .usage = "mine", .state_bytes = sizeof(struct list),
  .note_bytes = sizeof(struct link), .mapped = list_mapped, .unmapped = list_unmapped, .victims = victims};
"""
# Files of that policy by other names, its .name, and what is said of each.
MISNAMED = [("my-policy.c", "clock", "its name is no NAME.c of letters, digits and _"), ("mine.h", "clock", "its name is no NAME.c"),
            ("none.c", "clock", "there is no such file"), ("clock.c", "clock", "there is a policy_clock already"),
            ("other.c", "clock", "it does not define policy_other"), ("mine.c", "clock", 'there are two policies whose .name is "clock"'),
            ("mine.c", "lru", 'there are two policies whose .name is "lru"'), ("mine.c", None, "policy '' has no .name"),
            ("mine.c", "", "policy 'mine' has no .usage")]
LOOP = [0, 1, 2, 3, 4] * 20


def last_out(trace, frames):
    """How often it misses, as defined."""
    there, misses = [], 0
    for page in trace:
        if page not in there:
            misses += 1
            there = there[:frames - 1] + [page]
    return misses


def misnamed(folder, call):
    """What was said of each, if it is not one line that says what is wrong."""
    tree = Path(folder) / "tree"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns("build*", ".git", "__pycache__"))
    for name, policy, says in MISNAMED:
        file = Path(folder) / name
        if name != "none.c":
            file.write_text(POLICY.replace('.name = "mine",', "") if policy is None else
                            POLICY.replace('.usage = "mine",', "") if not policy else POLICY.replace('"mine"', f'"{policy}"'))
        done = call(tree / "scripts/replay", "--with", file, "--policy", "mine", "--frames", "3", "--make", "100,10")
        if done.returncode != 2 or done.stdout.count("\n") != 1 or says not in done.stdout:
            yield f"{name} {policy}: {done.stdout[-2000:]}"


def main():
    """TAP."""
    with tempfile.TemporaryDirectory() as folder:
        file, build = Path(folder) / "mine.c", Path(folder) / "build"
        file.write_text(POLICY)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MESON")}
        call = lambda *words, **more: subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                                                     cwd=ROOT, env=environment, **more)
        done = call("meson", "setup", build, "--cross-file", "cross/riscv64.ini", f"-Dpolicies={file}")
        if not done.returncode:
            done = call("ninja", "-C", build, "pager/replay/replay", "pager/pager", "tests/guest/pager", "tests/host/pool_test")
        built = done.returncode == 0
        ran = built and call(build / "pager/replay/replay", "--policy", "mine", "--policy", "lru", "--frames", "3", "--expect",
                             f"mine={last_out(LOOP, 3)}", "--expect", f"lru={len(LOOP)}", "-", input=" ".join(map(str, LOOP)))
        in_pager = built and b"mine\0" in (build / "pager/pager").read_bytes()
        said = "".join(misnamed(folder, call))
        print("1..4")
        for number, (good, what, output) in enumerate(((built, "one command builds it", done.stdout[-3000:]),
                                                     (ran and ran.returncode == 0, "the replayer runs it", ran and ran.stdout),
                                                     (in_pager, "the pager has it", ""),
                                                     (not said, "names that do not fit", said)), 1):
            print(f"{'ok' if good else 'not ok'} {number} - {what}")
            if not good:
                print("# " + (output or "").replace("\n", "\n# "))
    return int(not (built and in_pager and ran.returncode == 0 and not said))


if __name__ == "__main__":
    sys.exit(main())
