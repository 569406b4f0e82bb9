#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What each policy makes of the workloads in the tree, and which one is therefore the default.

Boot to the prompt; command lines with the programs of apps/; the workloads of malloc() (heap.c); the programs of tests/thirdparty
with a figure. Of each: the machine's instructions while it ran, the most frames that its process had, all faults and the pages
that came besides, those of its children among them, and how many of these pages were never touched. There is no pool of ready
frames, so that zeroing is in the instructions. What was never touched comes of a second boot (count=untouched), since counting it
costs instructions.
"""
import argparse
import json
import math
import os
import re
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import debian  # noqa: E402
import events  # noqa: E402
import judge  # noqa: E402
import peer  # noqa: E402
import programs  # noqa: E402
import session  # noqa: E402
import thirdparty  # noqa: E402

POLICIES = ["demand", "window,4", "window,8", "window,16", "window,32", "eager"]
DOCUMENT = peer.ROOT / "docs/policies.md"
BEGIN = "<!-- made by scripts/bench --policies --update-docs: begin -->"
SHELL = {  # in one boot, one after another
    "true": "true",
    "fork and exec": "sh -c 'ls / | cat; echo one | wc; true; ls /bin | head -n 3'",
    "files": "sh -c 'cd /tmp; seq 2000 >a; cp a b; cmp a b; grep 7 <b | wc; mkdir d; mv b d; ls d; rm d/b a; rm d'",
    "a script": "sh -c 'i=0; while [ $i != 200 ]; do i=$((i+1)); done'",
    "a pipe": "sh -c 'seq 3000 | grep 7 | wc'",
    "grow, 8 MiB": "grow 8192",
    "grow, 8 times": "sh -c 'for i in 1 2 3 4 5 6 7 8; do grow 300; done'",
    **{f"malloc: {name}": f"heap {name}" for name in ("mix", "larson", "vectors", "strings", "tree", "large", "fork")},
}
TOTALS = re.compile(rb"programs that ended: (\d+) faults, (\d+) pages brought in besides, (\d+) of these")
TABLES = {"instructions": "instructions", "frames": "frames at most", "faults": "faults", "untouched": "pages never touched"}


@dataclass
class Cost:
    """Of one workload under one policy; None: not to be had."""
    instructions: int
    frames: int
    faults: int
    besides: int | None = None
    untouched: int | None = None


# ---- Measuring -------------------------------------------------------------------------------------------------------------

def script(commands):
    """What the guest's shell is to run: each command between two looks at the totals. The first look warms up."""
    return "\n".join(["free\nfree\nfree", *(f"{{ time {command}\n}} >/tmp/output\nfree" for command in commands)])


def costs(result, count):
    """The Cost of each of so many commands of a script."""
    totals = [[int(figure) for figure in found] for found in TOTALS.findall(result.out)]
    times = [[int(figure) for figure in found] for found in programs.COST.findall(result.error)]
    if len(totals) != count + 3 or len(times) != count:
        raise thirdparty.Bad(f"{len(times)} of {count} commands have figures", *result.error.decode(errors="replace").splitlines()[-3:])
    steps = [[after - before for before, after in zip(*pair)] for pair in zip(totals[1:], totals[2:])]
    look, *steps = steps  # what `free` takes itself
    return [Cost(instructions, frames, *(step - own for step, own in zip(all_of, look)))
            for (instructions, _, frames), all_of in zip(times, steps)]


def boot_options(policy, counted):
    """Of the machine."""
    return f"policy={policy} ready=0" + (" count=untouched" if counted else "")


def run(job, policy, counted):
    """workload -> Cost of one boot."""
    place, case, commands = job
    case = replace(case, command=script(commands.values()), output=[])
    result = place.quire(case, "--icount", "shift=0,sleep=off", "--append", boot_options(policy, counted))
    return dict(zip(commands, costs(result, len(commands))))


def at_prompt(build, policy):
    """The Cost of coming to the prompt: faults and frames are the shell's, which has not ended."""
    machine = session.Session(f"{build}/kernel/quire.bin", f"{build}/apps/quire.cpio", memory="256M",
                              append=boot_options(policy, False) + " serve=uart serve=posix:sh")
    try:
        instructions = machine.expect(r"at its prompt (\d+) instructions")[1]
        machine.expect(session.PROMPT)
        kib, faults = re.search(r" (\d+) +(\d+)  \S.* sh\n", machine.run("ps")).groups()
    finally:
        machine.close()
    return Cost(int(instructions), int(kib) // 4, int(faults))


def jobs(build, folder, names):
    """(where it runs, what it needs, workload -> command) of each boot."""
    shutil.copy(build / "tests/bench/heap", folder)
    yield thirdparty.Place([Path(folder)], None, build), thirdparty.Case(name="shell"), SHELL
    for path in sorted((thirdparty.ROOT / "tests/thirdparty").glob("*.toml")):
        if names is not None and path.stem not in names:
            continue
        if programs.chosen(thirdparty.read(path).case):
            program, cases, _, place = thirdparty.ready(build, path)
            case = programs.chosen(cases)
            yield place, case, {program.name: case.command}


def merged(plain, counted):
    """One Cost of two boots."""
    return replace(plain, untouched=counted.untouched)


def measure(build, names):
    """workload -> policy -> Cost."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        prompts = {policy: pool.submit(at_prompt, build, policy) for policy in POLICIES}
        boots = [(policy, pool.submit(run, job, policy, False), pool.submit(run, job, policy, True))
                 for job in jobs(build, folder, names) for policy in POLICIES]
        found = {"boot to the prompt": {policy: prompt.result() for policy, prompt in prompts.items()}}
        for policy, plain, counted in boots:
            for name, cost in plain.result().items():
                found.setdefault(name, {})[policy] = merged(cost, counted.result()[name])
    return found


# ---- What it means ---------------------------------------------------------------------------------------------------------

def ratio(found, policy, what):
    """The geometric mean, over all workloads, of what the policy takes of it against `demand`."""
    logs = [math.log(getattr(by[policy], what) / getattr(by["demand"], what)) for by in found.values()]
    return math.exp(sum(logs) / len(logs))


def price(found, policy):
    """What the rule compares: a per cent of instructions is worth a per cent of frames."""
    return ratio(found, policy, "instructions") * ratio(found, policy, "frames")


def choice(found):
    """The policy that ought to be the default."""
    return min(POLICIES, key=lambda policy: price(found, policy))


def total(found, policy, what):
    """The sum over all workloads."""
    return sum(getattr(by[policy], what) or 0 for by in found.values())


def summary(found):
    """A row a policy."""
    best = choice(found)
    for policy in POLICIES:
        besides, untouched = total(found, policy, "besides"), total(found, policy, "untouched")
        share = f"{100 * untouched / besides:.0f} %" if besides else "-"
        yield (f"**`{policy}`**" if policy == best else f"`{policy}`", *(f"{value:.3f}" for value in (
            ratio(found, policy, "instructions"), ratio(found, policy, "frames"), price(found, policy))),
               f"{total(found, policy, 'faults'):,}", f"{besides:,}", f"{untouched:,}", share)


SUMMARY = "policy", "instructions", "frames", "both", "faults", "pages besides", "never touched", "of them"


def table(found, what):
    """A row a workload, a column a policy."""
    for name, by in found.items():
        values = [getattr(by[policy], what) for policy in POLICIES]
        yield (name, *("-" if value is None else f"{value:,}" for value in values))


def document(found):
    """All tables."""
    parts = [events.markdown(SUMMARY, summary(found))]
    parts += [events.markdown((title, *POLICIES), table(found, what)) for what, title in TABLES.items()]
    return "\n\n".join(parts)


def main():
    """The tables."""
    parser = argparse.ArgumentParser(prog="scripts/bench --policies", description=__doc__)
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--update-docs", action="store_true", help="puts the tables into docs/policies.md")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--only", nargs="*", metavar="NAME", help="of tests/thirdparty, no other programs than these")
    options = parser.parse_args()
    if options.update_docs and options.only is not None:
        parser.error("--update-docs is of all programs: without --only")
    try:
        found = measure(options.build.resolve(), options.only)
        print(document(found))
        if options.json:
            options.json.write_text(json.dumps({name: {policy: vars(cost) for policy, cost in by.items()} for name, by in found.items()}, indent=1) + "\n")
        if options.update_docs:
            DOCUMENT.write_text(peer.updated(DOCUMENT.read_text(), document(found), BEGIN))
    except (thirdparty.Bad, debian.Unavailable, judge.Bad, session.Failed, peer.Failed, OSError) as why:
        sys.exit("\n".join(["policies: " + str(why.args[0]), *map(str, why.args[1:])]))


if __name__ == "__main__":
    main()
