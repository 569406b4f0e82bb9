#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""One step of an experiment (experiment.py), as ninja starts it: the plug-in; a workload's trace; a policy replayed on one; a policy
in the guest. What comes out is a matter of the arguments only, so it is the same each time."""
import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import agree  # noqa: E402
import pages  # noqa: E402
import told  # noqa: E402

PROGRAMS = {b"workload", b"sh"}  # what is measured
COUNTS = {"read_backs": "refaults", "write_backs": "written", "evicted": "evicted", "fetched": "ahead", "wrong": "wrong"}  # ours, and told.End's


def boot_words(options):
    """The boot option that runs the workload alone."""
    return pages.boot_words(["workload", "-s", str(options.seed), *options.words.split()], False)


def others(options):
    """Pages of the workload that no budget is of."""
    return agree.shared(f"{options.build}/apps/workload") | {agree.ARGUMENTS}


def record(options):
    """The references to all pages that a budget is of, as a text."""
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw"
        pages.record(options.build, raw, boot_words(options), seconds=options.timeout)
        return agree.own_pages(raw, others(options))


def figures(options, misses, references, more):
    """A cell's JSON."""
    found = {"run": options.step, "workload": options.workload, "words": options.words or options.lines, "policy": options.policy,
             "frames": options.frames, "seed": options.seed, "misses": misses}
    ratio = {"references": references, "miss_ratio": round(misses / references, 6)} if references else {}
    return json.dumps(found | ratio | more, indent=1) + "\n"


def waited(options, read_backs, fetched):
    """How long the program waits for the store at least, if that has a time: for each page that it reads back, one after another; what
    is written is written beside it. Pages that come together, for a policy or several programs, are not that simple."""
    if options.store_microseconds is None:
        return {}
    known = {"store_microseconds": options.store_microseconds}
    return known if fetched or options.lines else known | {"wait_microseconds": read_backs * options.store_microseconds}


def replay(options):
    """A policy on the trace. The touch that brings a page in sets its accessed bit, as it does in the guest."""
    areas = agree.areas(f"{options.build}/apps/workload", Path(options.trace).read_text())
    done = subprocess.run([f"{options.build}/pager/replay/replay", "--json", "--enter", "set", "--seed", str(options.seed), "--policy",
                           options.policy, "--frames", str(options.frames), "--areas", areas, options.trace], capture_output=True,
                          text=True, check=False)
    if done.returncode:
        raise pages.Bad(done.stderr)
    run = json.loads(done.stdout)
    found = run["runs"][0]
    named = ("cold", "read_backs", "write_backs", "fetched", "untouched", "wrong", "chosen", "refault", "figures")
    return figures(options, found["misses"], run["references"],
                   {name: found[name] for name in named} | waited(options, found["read_backs"], found["fetched"]))


def process(begin, end):
    """What one took."""
    return {"name": begin.name.rstrip(b"\0").decode(), "microseconds": (end.head.time - begin.head.time) * 1_000_000 / begin.timebase,
            "faults": end.faults} | {name: getattr(end, field) for name, field in COUNTS.items()}


def measured(events):
    """The program and those that it started, in the order in which they began; a shell that has become another program has its name. One
    that did not come to an end of its own, for want of memory or of room in the store, leaves no figures."""
    first = next(event.head.id for event in events if isinstance(event, told.Begin) and event.name.rstrip(b"\0") in PROGRAMS)
    begins, named = {}, {}
    for event in events:
        if isinstance(event, told.Begin) and event.head.id >= first:
            begins.setdefault(event.head.id, event)
            named[event.head.id] = event.name
    for end in (event for event in events if isinstance(event, told.End) and event.head.id in begins):
        if end.reason not in (told.EXIT, told.KILLED):
            raise pages.Bad(f"{named[end.head.id].rstrip(bytes(1)).decode()} ({end.head.id}) ended: {told.reasons()[end.reason]}")
    ends = {event.head.id: event for event in events if isinstance(event, told.End)}
    return [process(begin._replace(name=named[id]), ends[id]) for id, begin in begins.items() if id in ends]


def cost(options, events):
    """What all of them took, by the pager: microseconds of the machine's time until the first has ended, waits included; pages that were
    read back from the store, written there, that went, and that a policy brought beside."""
    processes = measured(events)
    sums = {name: sum(one[name] for one in processes) for name in COUNTS}
    each = {"processes": processes} if options.lines else {}
    return {"microseconds": processes[0]["microseconds"]} | sums | waited(options, sums["read_backs"], sums["fetched"]) | each


def boot(options, folder):
    """What runs: the boot image, and the boot option."""
    return pages.lines_image(options.build, folder, options.lines) if options.lines else (pages.IMAGE, boot_words(options))


def guest(options):
    """A policy in the pager. The references are those of the trace, since nothing counts them here; commands have none, and all their
    faults count."""
    store = f"ram,{options.store_pages},{options.store_microseconds}"
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        image, program = boot(options, folder)
        frames = f"{options.frames},all" if options.together else options.frames
        append = f"trace=ends budget={frames} policy={options.policy} seed={options.seed} store={store} {program}"
        found = cost(options, told.listen(options.build, append, log=log, plugin=options.plugin, seconds=options.timeout, image=image))
        not_its_own = set() if options.lines else others(options)
        misses = sum(address // pages.PAGE not in not_its_own for _, _, address in told.traps(log))
    references = None if options.lines else Path(options.trace).read_text().count("\n")
    return figures(options, misses, references, found | {"store": store})


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=["plugin", "trace", "replay", "guest"])
    for name in ("build", "out", "workload", "words", "policy", "trace", "plugin", "lines"):
        parser.add_argument("--" + name)
    parser.add_argument("--together", action="store_true")
    for name in ("frames", "seed", "timeout", "store-pages", "store-microseconds"):
        parser.add_argument("--" + name, type=int)
    return parser.parse_args()


def step(options):
    """Makes its file."""
    out = Path(options.out)
    out.unlink(missing_ok=True)
    if options.step == "plugin":
        pages.compiled(out.parent, out.stem)
    else:
        out.write_text({"trace": record, "replay": replay, "guest": guest}[options.step](options))


def main():
    """Exit status 1, and no file, if it fails."""
    try:
        step(arguments())
    except (pages.Bad, OSError, subprocess.SubprocessError) as why:
        sys.exit(f"cell: {why}")


if __name__ == "__main__":
    main()
