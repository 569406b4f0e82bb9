#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""scripts.py KERNEL IMAGE SCRIPT...: runs each script with our shell in the guest, where the image has it as scripts/NAME, and
with this machine's dash. Prints TAP: the same output, and the same status. In the guest no `sh` on the path is dash."""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import session


def host(script):
    """Output and status."""
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "sh").symlink_to("/usr/bin/dash")
        work = Path(place) / "work"
        work.mkdir()
        done = subprocess.run(["/usr/bin/dash", script.resolve()], cwd=work, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=60, check=False)
    return done.stdout.decode("latin-1") + f"<{done.returncode}>"


def guest(machine, script):
    """The same of the guest."""
    machine.run("cd /tmp")
    machine.type(f"echo; echo '<'begin'>'; sh /scripts/{script.name} 2>/dev/null < /dev/null; echo \"<\"$?\">\"\n")
    machine.expect(r"<begin>\n")
    before = len(machine.transcript) - len(machine.seen)
    machine.expect(r"<\d+>\n\$ $")
    output = machine.transcript[before:].rsplit("\n$ ", 1)[0]
    return re.sub(r"sh \(\d+\): exit status \d+\n(?=<)", "", output)  # the prompt's own remark


def main():
    """Exit status 1 if any script differs."""
    kernel, image, *scripts = sys.argv[1:]
    machine = session.Session(kernel, image)
    failed = 0
    print(f"1..{len(scripts)}")
    try:
        machine.expect(session.PROMPT)
        for number, script in enumerate(map(Path, scripts), 1):
            wanted, got = host(script), guest(machine, script)
            failed += wanted != got
            print("ok" if wanted == got else "not ok", number, "-", script.stem, flush=True)
            for name, text in (("dash", wanted), ("ours", got)) if wanted != got else ():
                print(f"# {name}:\n#   " + text.replace("\n", "\n#   "))
    except session.Failed as why:
        print(f"Bail out! {why}; last: {machine.transcript[-300:]!r}")
        return 1
    finally:
        machine.close()
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
