#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""experiment_test.py BUILD: a small experiment twice gives the same bytes, under load too, and the guest the replayer's misses and pages
that come back; a second start does nothing again; a cell that fails is named and stops no other; and what is wrong is refused, by name, before anything runs. Prints
TAP."""
import contextlib
import csv
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree
from pathlib import Path

import checks
import pages

TOOL = Path(__file__).resolve().parent / "experiment.py"
SMALL = """
[workloads]
zipf = "-p 16 -n 1000 zipf"
loop = "-p 10 -n 400 loop"
[replay]
policies = ["fifo", "clock"]
frames = [6, 9]
seeds = [3]
[guest]
policies = ["clock"]
workloads = ["zipf"]
frames = [6, 9]
seeds = [3]
store_pages = 512
store_microseconds = 20
"""
MANY = """
[workloads]
zipf = "-p 16 -n 500 zipf"
chase = "-p 12 -n 300 chase"
[guest]
policies = ["clock", "random", "sieve"]
frames = [6, 9]
seeds = [3, 4]
store_microseconds = 50
"""
COMMANDS = """
[commands]
pipe = "ls /bin | grep o | wc -l"
two = "workload -p 16 -n 500 zipf & workload -p 12 -n 300 chase; wait"
[guest]
policies = ["clock"]
frames = [6, 12]
seeds = [3]
store_microseconds = 50
"""
WRONG = {  # what is replaced in SMALL -> what is said of it
    ("[replay]", "[replays]"): "experiment: unknown key replays",
    ("frames = [6, 9]", "fames = [6]"): "replay: unknown key fames",
    ("store_pages", "store_bytes"): "guest: unknown key store_bytes",
    ("[guest]", "store_microseconds = -1\n[guest]"): "replay.store_microseconds: -1 is no whole number from 0",
    ("[guest]", "store_pages = 8\n[guest]"): "replay: unknown key store_pages",
    ("store_pages = 512", "together = 1"): "guest.together: 1 is neither true nor false",
    ("store_pages = 512", "store_pages = 0"): "guest.store_pages: 0 is no whole number from 1",
    ("[6, 9]\nseeds = [3]\nstore", "[3]\nseeds = [3]\nstore"): "guest.frames: 3 is no whole number from 4",
    ("[6, 9]", "[6, true]"): "replay.frames: True is no whole number from 1",
    ("[6, 9]", "[6, 6]"): "replay.frames: 6 is there twice",
    ("[6, 9]", "6"): "replay.frames: write a list",
    ("seeds = [3]", "seeds = [0]"): "replay.seeds: 0 is no whole number from 1",
    ("seeds = [3]\n", ""): "replay.seeds: write a list",
    ('"fifo"', '"lifo"'): "replay.policies: lifo: 'lifo' is no policy; there are:",
    ('"fifo"', '"window,3+fifo"'): "replay.policies: window,3+fifo: the option of 'window,3' is not understood: write window[,PAGES]",
    ('"fifo"', '"demand"'): "replay.policies: demand: it says what comes, but not what goes",
    ('["clock"]', '["lru"]'): "guest.policies: lru can only be replayed",
    ('["zipf"]', '["zip"]'): "guest.workloads: no workload 'zip'; there are: zipf, loop",
    ("400 loop", "400 lop"): "workloads.loop: workload: no pattern 'lop'",
    ("-n 400", "-s 400"): "workloads.loop: only -p, -n and -w go here",
    ("400 loop", "400 fork"): "workloads.loop: fork starts processes",
    ("loop =", '"lo op" ='): "workloads.lo op: a workload's name has",
    ("[replay]", '[commands]\nzipf = "ls"\n[replay]'): "commands.zipf: a workload has that name",
    ("[replay]", '[commands]\nls = 3\n[replay]'): "commands.ls: write lines for the shell",
    ("[replay]", '[commands]\nl-s = "ls"\n[replay]'): "commands.l-s: a command's name has",
    (SMALL[:SMALL.index("[replay]")], '[commands]\nls = "ls"\n'): "replay: there are no workloads, and commands run in the guest only",
    ("[workloads]", "[workloads"): "(at line 2, column 11)",
    (SMALL, ""): "workloads: write a table",
    (SMALL[SMALL.index("[replay]"):], ""): "neither a table [replay] nor one [guest]",
}


def start(build, file, out, jobs=2):
    """Exit status and all that was printed."""
    command = [sys.executable, TOOL, "--build", build, *(["--out", out] if out else []), "--jobs", str(jobs), file]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


def results(folder):
    """All that an experiment makes, by name."""
    names = [*folder.glob("cells/*.json"), *folder.glob("traces/*"), folder / "results.csv", *folder.glob("*.svg")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in names}


def rows(folder):
    """(run, workload, policy, frames) -> its line of the table, of one seed."""
    with open(folder / "results.csv", encoding="utf-8") as file:
        return {(row["run"], row["workload"], row["policy"], int(row["frames"])): row for row in csv.DictReader(file)}


def misses(folder):
    """(run, workload, policy, frames) -> misses."""
    return {key: int(row["misses"]) for key, row in rows(folder).items()}


@contextlib.contextmanager
def load():
    """A busy host: twice as many programs as it has processors."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * os.cpu_count())]
    try:
        yield
    finally:
        for one in busy:
            one.kill()
            one.wait()


def twice(build, place):
    """What holds of a good experiment."""
    file, first, second = place / "small.toml", place / "first", place / "second"
    file.write_text(SMALL)
    status, said = start(build, file, first)
    yield "it runs", status == 0 and "14 cells of 14" in said, said
    status, said = start(build, file, second, 1)
    yield "the same bytes from the same file, by one at a time", len(results(first)) == 14 + 2 + 3 and results(first) == results(second), said
    found = misses(first)
    rest = {key: count for key, count in found.items() if key[2] != "opt"}
    yield "the guest misses as often as the replayer", all(found["guest", "zipf", "clock", n] == found["replay", "zipf", "clock", n] > 16
                                                           for n in (6, 9)), found
    yield "nothing beats the optimum", all(count >= found["replay", key[1], "opt", key[3]] for key, count in rest.items()), found
    drawn = xml.etree.ElementTree.parse(first / "results.svg").getroot()
    count = {name: len(drawn.findall(f".//{{*}}{name}")) for name in ("polyline", "circle")}
    yield "a curve for each policy and workload, a point for each cell", count == {"polyline": 3 * 2, "circle": 14 + 4}, count
    status, said = start(build, file, first)
    yield "a second start has nothing to do", status == 0 and "no work to do" in said, said
    file.write_text(SMALL.replace('"fifo", ', ""))
    start(build, file, second)
    yield "what is no longer asked for goes", set(results(first)) - set(results(second)) == {
        f"cells/replay-{name}-fifo-{n}-3.json" for name in ("zipf", "loop") for n in (6, 9)}, sorted(results(second))


def loaded(build, place):
    """The guest's cells alone, 24 boots and the optimum's eight, with a store that takes its time."""
    file, idle, busy = place / "many.toml", place / "idle", place / "busy"
    file.write_text(MANY)
    start(build, file, idle)
    with load():
        status, said = start(build, file, busy, 4)
    yield "24 boots on a busy host: the same bytes", status == 0 and len(results(idle)) == 24 + 8 + 4 + 3 and results(idle) == results(busy), said
    drawn = {name: xml.etree.ElementTree.parse(idle / name).getroot() for name in ("results.svg", "times.svg")}
    count = {name: [len(root.findall(f".//{{*}}{what}")) for what in ("polyline", "polygon", "circle")] for name, root in drawn.items()}
    yield "bands along curves, of the guest's times too", count == {"results.svg": [2, 2, 16 + 4], "times.svg": [6, 6, 12 + 3]}, count


def times(build, place):
    """What a store's time makes of the guest's and of the replayer's."""
    file, slow, fast = place / "times.toml", place / "slow", place / "fast"
    for text, folder in ((SMALL, slow), (SMALL.replace("store_microseconds = 20", ""), fast)):
        file.write_text(text)
        start(build, file, folder)
    of = rows(slow)
    same = [[of[run, "zipf", "clock", n][name] for n in (6, 9) for name in ("read_backs", "write_backs")] for run in ("guest", "replay")]
    yield "the guest reads and writes what the replayer says", same[0] == same[1] and min(map(int, same[0])) > 10, same
    waits = {key: (int(row["wait_microseconds"]), 20 * int(row["read_backs"])) for key, row in of.items()}
    yield "waiting is 20 microseconds a page that is read back", all(one == other for one, other in waits.values()), waits
    yield "only the guest's cells have been timed", all((key[0] == "guest") == bool(row["microseconds"]) for key, row in of.items()), of
    for n in (6, 9):
        key = "guest", "zipf", "clock", n
        longer = float(of[key]["microseconds"]) - float(rows(fast)[key]["microseconds"])
        least = int(of[key]["wait_microseconds"])
        yield f"the guest waits so long, or for what is being written, too: {n} frames", least < longer < 1.5 * least, (least, longer)
    file.write_text(SMALL.replace("[guest]", "store_microseconds = 7\n[guest]"))
    start(build, file, slow)
    found = {key[0]: {row["store_microseconds"] for other, row in rows(slow).items() if other[0] == key[0]} for key in rows(slow)}
    yield "a replayed store has its own time", found == {"replay": {"7"}, "guest": {"20"}}, found


def commands(build, place):
    """Lines for the shell, several programs at once among them."""
    file, first, second = place / "commands.toml", place / "commands", place / "again"
    file.write_text(COMMANDS)
    status, said = start(build, file, first)
    start(build, file, second, 1)
    yield "lines for the shell: the same bytes again", status == 0 and len(results(first)) == 4 + 3 and results(first) == results(second), said
    of = {(key[1], key[3]): row for key, row in rows(first).items()}
    more = {name: [int(of["two", n][name]) - int(of["pipe", n][name]) for n in (6, 12)] for name in ("misses", "read_backs", "write_backs")}
    yield "all its programs count", all(few > many > 10 for few, many in more.values()), more
    yield "and how long they take together", float(of["two", 6]["microseconds"]) > 2 * float(of["two", 12]["microseconds"]), of
    empty = {row[name] for row in of.values() for name in ("references", "miss_ratio", "wait_microseconds")}
    yield "nothing is said of references", empty == {""}, empty
    told = json.loads((first / "cells/guest-two-clock-6-3.json").read_text())
    each = told["processes"]
    yield "each process by itself", [one["name"] for one in each] == ["sh", "workload", "workload"] and all(
        sum(one[name] for one in each) == told[name] > 0 for name in ("read_backs", "write_backs", "evicted")), told
    file.write_text(COMMANDS.replace("seeds", "together = true\nseeds"))
    start(build, file, second)
    alone, shared = (int(rows(folder)["guest", "two", "clock", 12]["misses"]) for folder in (first, second))
    yield "with the same frames for all together they miss more often", shared > 1.5 * alone, (alone, shared)
    file.write_text(COMMANDS.replace("store_micro", "store_pages = 1\nstore_micro"))
    status, said = start(build, file, second)
    yield "one that ends in the background for want of room", status == 1 and "workload (5) ended: the store is full" in said, said
    file.write_text(COMMANDS.replace("ls /bin", "ls /none"))
    status, said = start(build, file, second)
    yield "what the shell does not know is its business", status == 0 and "4 cells of 4" in said, said
    file.write_text(COMMANDS.replace("wc -l", "none"))
    status, said = start(build, file, second)
    yield "a command that fails has no figures", status == 1 and "2 cells of 4" in said and "none: no such program" in said, said


def failing(build, place):
    """A store that is too small ends the workload in the guest, in one cell of three."""
    file = place / "failing.toml"
    file.write_text(SMALL.replace("store_pages = 512", "store_pages = 1").replace("[6, 9]\nseeds = [3]\nstore", "[6, 60]\nseeds = [3]\nstore"))
    status, said = start(build, file, place / "failing")
    failed = [line for line in said.splitlines() if line.startswith("FAILED:")]
    yield "a cell that fails is named", status == 1 and [line.split()[1] for line in failed] == ["cells/guest-zipf-clock-6-3.json"], said
    yield "with its command and why", "cell.py guest --build" in said and "the store is full" in said, said
    yield "and stops no other", "14 cells of 15" in said and ("guest", "zipf", "clock", 60) in misses(place / "failing"), said


def stale(build, place):
    """A start after a good one in which no trace is done in time."""
    file = place / "stale.toml"
    text = SMALL[:SMALL.index("[guest]")] + "timeout = 1\n"
    file.write_text(text.replace("timeout = 1", ""))
    status, said = start(build, file, None)
    yield "without a guest's table", status == 0 and "12 cells of 12" in said, said
    timed = {row[name] for row in rows(place / "stale").values() for name in ("wait_microseconds", "store_microseconds", "microseconds")}
    yield "and nothing to wait for", timed == {""}, timed
    file.write_text(text.replace("-n 400 loop", "-n 5000000 loop"))
    status, said = start(build, file, None)
    yield "figures of an earlier start are left out", status == 1 and not any(key[1] == "loop" for key in misses(place / "stale")), said
    yield "and why is said", "came to no end in 1 seconds (--timeout)" in said, said


def left(*_):
    """A guest whose policy was left has no figures, by the words that the pager has."""
    words = (TOOL.parents[2] / "pager/watch.c").read_text()
    try:
        pages.checked(f"pager: policy mine: victims() {pages.LEFT}: it is\nquire: off, status 0\n", None)
        said = ""
    except pages.Bad as why:
        said = str(why)
    yield "a policy that did not return has no figures", pages.LEFT in words and "policy mine: victims()" in said, said


def refused(build, place):
    """Each is said, and nothing made."""
    for (old, new), wanted in WRONG.items():
        (place / "wrong.toml").write_text(SMALL.replace(old, new, 1))
        status, said = start(build, place / "wrong.toml", place / "wrong")
        yield f"refused: {wanted}", status == 2 and wanted in said and not (place / "wrong").exists(), said


def named(build, place):
    """Where results can't go."""
    (place / "small").write_text(SMALL)
    status, said = start(build, place / "small", None)
    yield "a file that is not called .toml", status == 2 and "does not end in .toml" in said, said
    status, said = start(build, place / "small", place / "small")
    yield "results where a file is", status == 2 and "small" in said and "Traceback" not in said, said
    status, said = start(build, place / "none.toml", None)
    yield "no such file", status == 2 and "No such file" in said, said


def main():
    """Exit status 1 if anything is not so."""
    found, failed = {}, []
    with tempfile.TemporaryDirectory() as folder:
        for part in (refused, named, twice, loaded, times, commands, failing, left, stale):
            for name, good, said in part(sys.argv[1], Path(folder)):
                found[name] = good
                failed += [] if good else [f"{name}: {said}"]
    status = checks.report(found)
    for line in "\n".join(failed).splitlines():
        print("#", line)
    return status


if __name__ == "__main__":
    sys.exit(main())
