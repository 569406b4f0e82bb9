#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""docs.py FILE: runs the shell commands of a document (its blocks marked sh), in order, in a copy of the tree and with a home
of their own. Prints TAP."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run(block, tree, home):
    """The output if the block fails, else None. Each begins in the tree, but one that needs what is in the home's folder."""
    folder = tree if "scripts/" in block else home / "hello"
    done = subprocess.run(["bash", "-e", "-c", block], cwd=folder, env={**os.environ, "HOME": str(home)},
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout if done.returncode else None


def main():
    """TAP, a test for each block."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", Path(sys.argv[1]).read_text(), re.S | re.M)
    print(f"1..{len(blocks)}")
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        tree, home = Path(folder) / "tree", Path(folder) / "home"
        home.mkdir()
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns("build*/", "build*", ".git", "__pycache__"))
        shutil.copy(ROOT / "scripts/build", tree / "scripts/build")
        for number, block in enumerate(blocks, 1):
            wrong = run(block, tree, home)
            failed += wrong is not None
            print(f"{'ok' if wrong is None else 'not ok'} {number} - {block.splitlines()[0]}", flush=True)
            for line in (wrong or "").splitlines():
                print("#", line)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
