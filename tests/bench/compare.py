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


ANCHORS = Path(__file__).resolve().parent / "anchors.json"
ALONE, SERVED, BATCH = "run=bench", "serve=uart serve=posix:bench", "policy=window run=bench:window"
HOOK = "policy=window,1 run=bench:hook"


def with_hook(build):
    """The rows of faults once more, where a policy is asked at each and says no more than that the page comes."""
    return {f"{name}_hook": row for name, row in measure(build, HOOK).items() if name.startswith("fault.")}


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
    return {"boot.prompt": {"median": int(instructions), "n": 1}, "mem.prompt_bytes": {"median": int(kib) * 1024, "n": 1}}


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


def of_harts(name):
    """Whether a row is of several harts, which smp.py measures."""
    return name.startswith("smp.")


def put(path, figures):
    """Puts these rows, all of one hart or all of several, in place of those of their kind in a file; the others stay."""
    old = json.loads(path.read_text()) if path.exists() else {}
    kinds = {of_harts(name) for name in figures}
    path.write_text(json.dumps({**{name: row for name, row in old.items() if of_harts(name) not in kinds}, **figures}, indent=1) + "\n")


def worse(figures, baseline):
    """The names, of one hart, that need more than 2 % and 2 instructions over their baseline, or are gone."""
    return [name for name, old in baseline.items()
            if not of_harts(name) and (name not in figures or figures[name]["median"] > old["median"] * 1.02 + 2)]


def number(value):
    """As it stands in a table."""
    return "-" if value is None else f"{value:,}"


def table(figures, baseline, anchors):
    """A line a row: what it takes, the target and whether it is met, what Linux takes, and what the baseline has if that is
    something else."""
    yield f"{'':30} {'now':>12} {'target':>12} {'met':>4} {'Linux':>12}"
    for name, figure in figures.items():
        now, old = figure["median"], baseline.get(name, {}).get("median")
        target, linux = (anchors.get(name, {}).get(column) for column in ("reach", "linux"))
        met = "-" if target is None else "yes" if now <= target else "no"
        was = "" if old in (None, now) else f"   was {old:,}"
        yield f"{name:30} {now:>12,} {number(target):>12} {met:>4} {number(linux):>12}{was}"


def main():
    """Exit status 1 if anything got worse."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--baseline", type=Path, required=True)
    parser.add_argument("--json", type=Path, help="where to write the figures, if not to bench.json in the build")
    parser.add_argument("--update", action="store_true", help="makes this run the baseline")
    parser.add_argument("--stages", action="store_true", help="also shows where the instructions of each go")
    options = parser.parse_args()
    try:
        runs = {append: measure(options.build, append) for append in (ALONE, SERVED)}
        figures = {**measure(options.build, BATCH), **with_hook(options.build), **runs[ALONE], **runs[SERVED], **at_prompt(options.build)}
    except judge.Bad as why:
        sys.exit(f"bench: {why}")
    baseline = json.loads(options.baseline.read_text()) if options.baseline.exists() else {}
    print(*table(figures, baseline, json.loads(ANCHORS.read_text())), sep="\n")
    put(options.json or Path(options.build) / "bench.json", figures)
    if options.stages:
        for append, found in runs.items():
            stages.show(options.build, f"ready=0 {append}:trace", found)
    if options.update:
        put(options.baseline, figures)
        return 0
    bad = worse(figures, baseline)
    for name in bad:
        print(f"worse than the baseline: {name}")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
