#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Boots the guest benchmark, prints its instruction counts and compares them with a committed baseline."""
import argparse
import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import judge  # noqa: E402
import session  # noqa: E402
import stages  # noqa: E402


ALONE, SERVED, BATCH = "run=bench", "serve=uart serve=posix:bench", "policy=window run=bench:window"


def at_prompt(build):
    """What it took to come to the prompt, and what is in use there while `free` looks."""
    machine = session.Session(f"{build}/kernel/quire.bin", f"{build}/apps/quire.cpio", memory="256M")
    try:
        instructions = machine.expect(r"at its prompt (\d+) instructions")[1]
        machine.expect(session.PROMPT)
        kib = re.search(r"in use.* (\d+) KiB", machine.run("free"))[1]
    except session.Failed as why:
        raise judge.Bad(f"no prompt: {why}") from None
    finally:
        machine.close()
    return {"boot_to_prompt": {"median": int(instructions), "n": 1}, "memory_at_prompt_kib": {"median": int(kib), "n": 1}}


def measure(build, append):
    """name -> figures of one boot, which must be one that the judge believes."""
    options = judge.parser().parse_args(["--kernel", f"{build}/kernel/quire.bin", "--initrd", f"{build}/tests/bench.cpio",
                                         "--append", "ready=0 " + append, "--memory", "256M"])
    output = judge.boot(options)
    tap = judge.judge(output)
    if any(line.startswith("not ok") for line in tap):
        raise judge.Bad("\n".join(tap) + output.decode())
    found = [json.loads(line[8:]) for line in judge.console(output) if line.startswith("# bench {")]
    return {figures.pop("name"): figures for figures in found}


def worse(figures, baseline):
    """The names that need more than 2 % and 2 instructions over their baseline, or are gone."""
    return [name for name, old in baseline.items()
            if name not in figures or figures[name]["median"] > old["median"] * 1.02 + 2]


def main():
    """Exit status 1 if anything got worse."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--baseline", type=Path, required=True)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--update", action="store_true", help="makes this run the baseline")
    parser.add_argument("--stages", action="store_true", help="also shows where the instructions of each go")
    options = parser.parse_args()
    try:
        runs = {append: measure(options.build, append) for append in (ALONE, SERVED)}
        figures = {**measure(options.build, BATCH), **runs[ALONE], **runs[SERVED], **at_prompt(options.build)}
    except judge.Bad as why:
        sys.exit(f"bench: {why}")
    baseline = json.loads(options.baseline.read_text()) if options.baseline.exists() else {}
    for name, figure in figures.items():
        old = baseline.get(name, {}).get("median")
        print(f"{name:34} {figure['median']:>12,}" + (f"   was {old:,}" if old not in (None, figure["median"]) else ""))
    for path in [options.json] if options.json else []:
        path.write_text(json.dumps(figures, indent=1) + "\n")
    if options.stages:
        for append, found in runs.items():
            stages.show(options.build, append + ":trace", found)
    if options.update:
        options.baseline.write_text(json.dumps(figures, indent=1) + "\n")
        return 0
    bad = worse(figures, baseline)
    for name in bad:
        print(f"worse than the baseline: {name}")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
