#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs each policy with each workload, number of frames and seed that one TOML file names (docs/policies.md), replayed on a recorded
trace or in the guest: a JSON for each of these cells, a CSV of all, and a plot of miss ratios beside Belady's optimum. The cells run
side by side, and only those that are not there yet, or are older than what they come from. Nothing of the host's time is in the
results: the same file makes the same bytes."""
import argparse
import csv
import io
import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import curves

HERE = Path(__file__).resolve().parent
LISTS = ("policies", "frames", "seeds", "workloads")
TABLES = ("workloads", "commands")
NUMBERS = {"store_pages": (8192, 1, 32768), "store_microseconds": (0, 0, 1_000_000), "timeout": (100, 1, 100_000)}
KEYS = {"replay": (*LISTS, "store_microseconds", "timeout"), "guest": (*LISTS, *NUMBERS, "together")}
FRAMES = {"replay": (1, 2**28), "guest": (4, 65536)}  # pager/replay/main.c; pager/pressure.c
SEEDS = (1, 10**9)
ALONE = {"fork"}  # patterns that cannot run alone: who starts processes is the posix server
FIELDS = ("run", "workload", "policy", "frames", "seed", "references", "misses", "miss_ratio", "cold", "read_backs", "write_backs", "fetched",
          "untouched", "store_microseconds", "wait_microseconds", "microseconds")
PLUGIN = "channel.so"


class Bad(Exception):
    """What is wrong with an experiment, and where."""


class Cell(NamedTuple):
    """One run."""
    run: str
    workload: str
    policy: str
    frames: int
    seed: int

    @property
    def out(self):
        """The file of its figures."""
        return f"cells/{'-'.join(map(str, self))}.json"

    @property
    def trace(self):
        """The file of the references."""
        return f"traces/{self.workload}-{self.seed}"


# ---- Reading: all is refused before anything runs ----------------------------------------------------------------------------

def keys(where, table, known):
    """Refuses others."""
    if not isinstance(table, dict):
        raise Bad(f"{where} must be a table, [{where}]")
    for key in table:
        if key not in known:
            raise Bad(f"{where}: unknown key {key}; there are: {', '.join(known)}")


def whole(where, value, least, most):
    """A number within bounds."""
    if type(value) is not int or not least <= value <= most:
        raise Bad(f"{where}: {value!r} is no whole number from {least} to {most}")
    return value


def several(where, table, key, check):
    """A list, each entry of which is checked."""
    values = table.get(key)
    if not isinstance(values, list) or not values:
        raise Bad(f"{where}.{key}: write a list, {key} = [..., ...]")
    for i, value in enumerate(values):
        check(f"{where}.{key}", value)
        if value in values[:i]:
            raise Bad(f"{where}.{key}: {value!r} is there twice")
    return values


def only_replayed(build):
    """The policies that see every reference, which no pager does."""
    told = subprocess.run([f"{build}/pager/replay/replay", "--list"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^ +(\S+) \(.*only here", told, re.M))


def check_policy(build, run, where, policy):
    """The replayer knows all policies, and what goes with what."""
    if not isinstance(policy, str):
        raise Bad(f"{where}: {policy!r} is no policy")
    done = subprocess.run([f"{build}/pager/replay/replay", "--policy", policy, "--frames", "4", "--make", "1,1"], capture_output=True,
                          text=True, check=False)
    if done.returncode:
        raise Bad(f"{where}: {re.sub('^replay: (--policy )?', '', done.stderr.strip())}")
    only = only_replayed(build) & set(re.split(r"[+,]", policy))
    if run == "guest" and only:
        raise Bad(f"{where}: {policy} can only be replayed: it sees every reference, and a pager faults only")


def check_workload(build, name, words):
    """Runs it once here, which refuses what it does not take."""
    where = f"workloads.{name}"
    if not re.fullmatch(r"\w+", name):
        raise Bad(f"{where}: a workload's name has letters, digits and _ only")
    if not isinstance(words, str) or not words.split():
        raise Bad(f'{where}: write the words of the program workload: {name} = "-p 16 -n 2000 zipf"')
    if any(word[:2] in ("-s", "-r", "-l") for word in words.split()):
        raise Bad(f"{where}: only -p, -n and -w go here; seeds are a list of their own")
    if words.split()[-1] in ALONE:
        raise Bad(f"{where}: {words.split()[-1]} starts processes, and a workload runs alone here")
    done = subprocess.run([f"{build}/tests/workload_native", "-s", "1", *words.split()], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Bad(f"{where}: {done.stderr.strip()}")


def check_command(name, words):
    """What it says is the shell's business: it is only known in the guest."""
    where = f"commands.{name}"
    if not re.fullmatch(r"\w+", name):
        raise Bad(f"{where}: a command's name has letters, digits and _ only")
    if not isinstance(words, str) or not words.split():
        raise Bad(f'{where}: write lines for the shell of the guest: {name} = "ls /bin | wc -l"')


def check_name(known, where, name):
    """A workload's or command's."""
    if not isinstance(name, str) or name not in known:
        raise Bad(f"{where}: no workload {name!r}; there are: {', '.join(known)}")


def cells_of(build, run, table, known):
    """The product of a table's lists."""
    keys(run, table, KEYS[run])
    names = several(run, {"workloads": list(known)} | table, "workloads", lambda *entry: check_name(known, *entry))
    policies = several(run, table, "policies", lambda *entry: check_policy(build, run, *entry))
    frames = several(run, table, "frames", lambda *entry: whole(*entry, *FRAMES[run]))
    seeds = several(run, table, "seeds", lambda *entry: whole(*entry, *SEEDS))
    return list(itertools.starmap(Cell, itertools.product([run], names, policies, frames, seeds)))


class Experiment(NamedTuple):
    """What is to be run."""
    cells: list  # the optimum's too, of all workloads
    workloads: dict  # name -> words
    commands: dict  # name -> lines of the shell: in the guest only
    numbers: dict  # way to run -> the other keys of its table
    together: bool  # the guest's programs share their frames
    replayed: int  # microseconds of a store in replayed cells: the guest's unless they have their own; None: neither says


def programs(build, told):
    """The tables of workloads and commands."""
    workloads, commands = (told.get(name, {}) for name in TABLES)
    if not isinstance(workloads, dict) or not isinstance(commands, dict) or not workloads | commands:
        raise Bad("workloads: write a table [workloads] of names and the words of the program workload, or [commands] of lines for the shell")
    for name, words in workloads.items():
        check_workload(build, name, words)
    for name, words in commands.items():
        check_command(name, words)
        if name in workloads:
            raise Bad(f"commands.{name}: a workload has that name")
    return workloads, commands


def read(build, path):
    """The experiment in that file."""
    told = tomllib.loads(path.read_text())
    keys("experiment", told, (*TABLES, *KEYS))
    workloads, commands = programs(build, told)
    if not set(told) & set(KEYS):
        raise Bad("there is neither a table [replay] nor one [guest], so nothing to run")
    runs = [run for run in KEYS if run in told]
    if "replay" in runs and not workloads:
        raise Bad("replay: there are no workloads, and commands run in the guest only")
    cells = [cell for run in runs for cell in cells_of(build, run, told[run], workloads | (commands if run == "guest" else {}))]
    numbers = {run: {key: whole(f"{run}.{key}", told[run].get(key, usual), *bounds) for key, (usual, *bounds) in NUMBERS.items()}
               for run in runs}
    cells += [cell._replace(run="replay", policy="opt") for cell in cells if cell.workload in workloads]
    replayed = told.get("replay", {}).get("store_microseconds", numbers.get("guest", {}).get("store_microseconds"))
    together = told.get("guest", {}).get("together", False)
    if not isinstance(together, bool):
        raise Bad(f"guest.together: {together!r} is neither true nor false")
    return Experiment(list(dict.fromkeys(cells)), workloads, commands, numbers, together, replayed)


# ---- Running -----------------------------------------------------------------------------------------------------------------

def escaped(path):
    """For a place where ninja takes file names."""
    return re.sub(r"([$ :])", r"$\1", str(path))


def statement(out, needs, what, command):
    """One step, in ninja's words."""
    line = shlex.join(map(str, command)).replace("$", "$$")
    return f"build {out}: step {' '.join(map(escaped, needs))}\n  words = {line}\n  what = {what}\n"


def arguments_of(experiment, cell):
    """Of cell.py, for that cell."""
    yield from ["--workload", cell.workload, "--policy", cell.policy, "--frames", cell.frames, "--seed", cell.seed]
    if cell.workload in experiment.commands:
        yield from ["--lines", experiment.commands[cell.workload]]
    else:
        yield from ["--trace", cell.trace, "--words", experiment.workloads[cell.workload]]
    if cell.run == "guest":
        number = experiment.numbers["guest"]
        yield from ["--store-pages", number["store_pages"], "--store-microseconds", number["store_microseconds"], "--timeout", number["timeout"],
                    "--plugin", PLUGIN, *["--together"] * experiment.together]
    elif experiment.replayed is not None:
        yield from ["--store-microseconds", experiment.replayed]


def steps(build, experiment):
    """All of build.ninja. A step depends on its code too, so a later start runs what is out of date only."""
    tool = [sys.executable, HERE / "cell.py"]
    code = [HERE / "cell.py", HERE / "pages.py", HERE / "told.py", HERE.parent / "agree.py"]
    image = [f"{build}/apps/quire.cpio", f"{build}/apps/workload"]
    needs = {"replay": [f"{build}/pager/replay/replay"], "guest": [f"{build}/kernel/quire.bin", f"{build}/pager/pager", *image, PLUGIN]}
    seconds = max(number["timeout"] for number in experiment.numbers.values())
    yield "rule step\n  command = $words\n  description = $what\n"
    yield statement(PLUGIN, [*code, *(HERE / "plugin").glob("*.[ch]")], "the plug-in", [*tool, "plugin", "--out", PLUGIN])
    traced = [cell for cell in experiment.cells if cell.workload in experiment.workloads]
    for trace, cell in {cell.trace: cell for cell in traced}.items():
        yield statement(trace, [*code, f"{build}/kernel/quire-trace.bin", *image], f"trace of {cell.workload}, seed {cell.seed}",
                        [*tool, "trace", "--build", build, "--out", trace, "--words", experiment.workloads[cell.workload], "--seed", cell.seed,
                         "--timeout", seconds])
    for cell in experiment.cells:
        trace = [cell.trace] if cell in traced else []
        yield statement(cell.out, [*code, *trace, *needs[cell.run]],
                        f"{cell.run}: {cell.workload}, {cell.policy}, {cell.frames} frames, seed {cell.seed}",
                        [*tool, cell.run, "--build", build, "--out", cell.out, *arguments_of(experiment, cell)])


def run(folder, jobs, text):
    """Whether all steps were done; one that fails stops only what needs it."""
    (folder / "build.ninja").write_text(text)
    return subprocess.run(["ninja", "-k", "0", "-j", str(jobs)], cwd=folder, check=False).returncode == 0


def table(rows):
    """The CSV; empty where a run has no such figure."""
    out = io.StringIO()
    writer = csv.DictWriter(out, FIELDS, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def prepare(folder, cells):
    """The folders, without the figures of cells that are no longer asked for."""
    for name in ("cells", "traces"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    wanted = {cell.out for cell in cells}
    for path in (folder / "cells").glob("*.json"):
        if f"cells/{path.name}" not in wanted:
            path.unlink()


def collected(folder, experiment):
    """The figures that there are. A step that fails leaves no file; those of cells whose trace failed are of an earlier start."""
    there = [cell for cell in experiment.cells if (folder / cell.out).exists() and
             (cell.workload in experiment.commands or (folder / cell.trace).exists())]
    return [json.loads((folder / cell.out).read_text()) for cell in there]


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(prog="scripts/experiment", description=__doc__)
    parser.add_argument("--build", type=Path, default="build", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, metavar="DIR", help="where all goes, else FILE without .toml")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="cells at a time")
    parser.add_argument("file", type=Path, metavar="FILE.toml")
    return parser.parse_args()


def folder_of(options):
    """Where all goes."""
    if not options.out and options.file.suffix != ".toml":
        raise Bad("the name does not end in .toml: say with --out where the results go")
    return options.out or options.file.with_suffix("")


def main():
    """Exit status 1 if a cell failed, 2 if the experiment is wrong."""
    options = arguments()
    build = options.build.resolve()
    try:
        experiment = read(build, options.file)
        folder = folder_of(options)
        prepare(folder, experiment.cells)
    except (Bad, OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as why:
        print(f"experiment: {options.file}: {why}", file=sys.stderr)
        return 2
    good = run(folder, options.jobs, "".join(steps(build, experiment)))
    rows = collected(folder, experiment)
    for name, text in {"results.csv": table(rows), "results.svg": curves.plot(rows), "times.svg": curves.plot(rows, curves.TIMES)}.items():
        (folder / name).write_text(text)
    print(f"{folder}: {len(rows)} cells of {len(experiment.cells)}; results.csv, results.svg, times.svg")
    if not good:
        print("experiment: something failed: ninja names the commands above, which can be given again by hand there", file=sys.stderr)
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
