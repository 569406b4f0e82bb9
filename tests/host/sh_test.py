#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""sh_test.py SHELL SCRIPT...: runs each script with this machine's dash and with our shell. Prints TAP: the same output, and
the same status."""
import os
import subprocess
import sys
import tempfile
from pathlib import Path


def run(shell, script):
    """Output and status, in a directory of its own, where `sh` is the shell itself."""
    with tempfile.TemporaryDirectory() as place:
        programs = Path(place) / "programs"
        programs.mkdir()
        (programs / "sh").symlink_to(shell)
        work = Path(place) / "work"
        work.mkdir()
        done = subprocess.run([shell, script], cwd=work, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False,
                              env={"PATH": f"{programs}:{os.environ['PATH']}", "ASAN_OPTIONS": "detect_leaks=0"})
    if b"Sanitizer" in done.stderr or b"runtime error" in done.stderr:
        print("#", done.stderr.decode(errors="replace").replace("\n", "\n# "))
        return done.stdout, "a sanitizer's report"
    return done.stdout, done.returncode


def main():
    """Exit status 1 if any script differs."""
    shell, scripts = os.path.abspath(sys.argv[1]), sys.argv[2:]
    failed = 0
    print(f"1..{len(scripts)}")
    for number, script in enumerate(scripts, 1):
        path = os.path.abspath(script)
        wanted, got = run("/usr/bin/dash", path), run(shell, path)
        failed += wanted != got
        print("ok" if wanted == got else "not ok", number, "-", Path(script).stem)
        if wanted != got:
            for name, (text, status) in (("dash", wanted), ("ours", got)):
                print(f"# {name}: status {status}\n#   " + text.decode(errors="replace").replace("\n", "\n#   "))
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
