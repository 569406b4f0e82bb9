#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""fault_trace.py BUILD: what scripts/trace --faults records is every page fault that QEMU logged, in its order, and as many as the
pager counted of each process; the replayer reads it; a run that is traced faults as one that is not; what is wrong is refused.
Prints TAP."""
import csv
import subprocess
import sys
import tempfile
from pathlib import Path

BENCH = Path(__file__).resolve().parent / "bench"
sys.path.insert(0, str(BENCH))
import checks  # noqa: E402
import pages  # noqa: E402
import told  # noqa: E402

ZIPF = "run=workload:-p:16:-n:1000:zipf"
CASES = {"a program that runs alone": (ZIPF, "apps/quire.cpio"),
         "a fork tree": ("serve=uart serve=posix:workload:-p:8:-n:300:fork", "apps/quire.cpio"),
         "a program with a budget": (f"budget=6 policy=clock {ZIPF}", "apps/quire.cpio"),
         "one whose store takes its time": (f"budget=6 policy=clock store=ram,512,20 {ZIPF}", "apps/quire.cpio"),
         "pages that come beside": (f"policy=window,8 {ZIPF}", "apps/quire.cpio"),
         "faults that are refused, and a ring that is on and off": ("processes=255 run=t_hostile", "tests/tests.cpio"),
         "copies that fault": ("serve=uart serve=posix:t_lazy", "tests/tests.cpio")}
FIELDS = ["--csv", "address", "--addresses", "--csv-process", "process", "--csv-kind", "kind"]


def same(build, append, image, folder):
    """Whether the faults of the programs themselves are QEMU's traps, one by one; how many were copies' and refused."""
    log = folder / "log"
    faults = told.listen(build, f"trace=faults {append}", log=log, image=image)
    told.complete(faults)
    rows = told.rows(faults)
    own = [(row["kind"], int(row["pc"], 16), int(row["address"], 16)) for row in rows if row["by"] == "program"]
    return own == list(told.traps(log)), len(own), rows, faults


def agreeing(build, folder):
    """All cases."""
    for name, (append, image) in CASES.items():
        good, count, rows, _ = same(build, append, image, folder)
        yield f"{name}: as QEMU's traps, in order", good and count > 10
        if "refused" in name:
            yield "refusals say why", len({row["answer"] for row in rows} & {"null page", "write to a read-only segment"}) == 2
        if "copies" in name:
            yield "a kernel copy's faults are told apart", any(row["by"] == "copy" for row in rows)


def counted(build, folder):
    """Of a program with a budget."""
    _, _, rows, faults = same(build, f"budget=6 policy=clock store=ram,512,20 {ZIPF}", "apps/quire.cpio", folder)
    end = next(record for record in faults if isinstance(record, told.End))
    yield "as many as the process had", len(rows) == end.faults > 100 and end.refused == 0
    sums = [sum(row[name] for row in rows) for name in ("evicted", "written", "refaults")]
    yield "evictions, writes and returns add up", sums == [end.evicted, end.written, end.refaults] and end.evicted > end.written > 10
    yield "what came from the store is told apart", sum(row["answer"] == "store" for row in rows) == end.refaults > 10
    yield "and waited for it", all((row["waited"] >= 150) == (row["answer"] == "store") for row in rows)
    shorter = [record for record in faults if record is not next(r for r in faults if r.head.what == told.FAULT)]
    yield "one that is missing is noticed", "were told" in (checks.failure(pages.Bad, told.complete, shorter) or "")
    yield "all that are missing are noticed", "told of no" in (checks.failure(pages.Bad, told.complete, faults[:3]) or "")


def untraced(build, folder):
    """Page-fault traps of the same run without a trace."""
    log = folder / "log"
    command = [*pages.machine(build, "quire.bin", f"budget=6 policy=clock {ZIPF}"), "-d", "trace:riscv_trap", "-D", str(log)]
    pages.run(command, 100)
    found = list(told.traps(log))
    told.listen(build, f"trace=faults budget=6 policy=clock {ZIPF}", log=log)
    yield "a run that is traced has the faults of one that is not", found == list(told.traps(log)) != []


def trace(build, *words):
    """As scripts/trace starts it: status, output, errors."""
    done = subprocess.run([sys.executable, BENCH / "tracing.py", "--build", build, *map(str, words)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def files(build, folder):
    """What comes out for a person, and goes into the replayer."""
    out, again, part = folder / "out.csv", folder / "again.csv", folder / "part.csv"
    budget = ["--faults", "--append", "budget=6 policy=fifo store=ram,512,20"]
    status, said, _ = trace(build, *budget, out, "--", "workload", "-p", "16", "zipf")
    rows = list(csv.DictReader(out.read_text().splitlines()))
    yield "a file of all of them", status == 0 and f"process 1 (workload): {len(rows):,} faults, 0 refused" in said
    trace(build, *budget, again, "workload", "-p", "16", "zipf")
    yield "the same bytes again", out.read_bytes() == again.read_bytes()
    trace(build, *budget, "--kinds", "w", part, "workload", "-p", "16", "zipf")
    yield "a part of them", list(csv.DictReader(part.read_text().splitlines())) == [row for row in rows if row["kind"] == "w"] != []
    replayed = subprocess.run([f"{build}/pager/replay/replay", *FIELDS, "--policy", "lru", "--frames", "4", out], capture_output=True, text=True,
                              check=False)
    yield "the replayer takes it", f"{len(rows)} references (" in replayed.stdout and replayed.returncode == 0
    status, said, _ = trace(build, "--faults", "--harts", "2", "--posix", out, "workload", "-p", "8", "-n", "300", "fork")
    yield "with two harts none is lost", status == 0 and said.count("(workload)") == 15


def refused(build, folder):
    """With what is said."""
    out = folder / "none.csv"
    for words, wanted in {("--kinds", "wq", out, "true"): "--kinds wq: these are letters of rwx", (out,): "required: program",
                          (out, "workload", "a b"): "argument with a space", (out, "none"): "not in the boot image",
                          (out, "workload", "none"): "no pattern 'none'", (folder / "no" / "where", "true"): "No such file",
                          ("--append", "trace=all", out, "true"): "trace=all is not: trace=faults or trace=ends"}.items():
        status, _, said = trace(build, "--faults", *words)
        yield f"refused: {wanted}", status != 0 and wanted in said and "Traceback" not in said and not out.exists()


def main():
    """Exit status 1 if anything is not so."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for part in (agreeing, counted, untraced, files, refused):
            found.update(part(sys.argv[1], Path(folder)))
    return checks.report(found)


if __name__ == "__main__":
    sys.exit(main())
