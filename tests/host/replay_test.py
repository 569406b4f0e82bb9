#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""replay_test.py CHECKED [REPLAY]: the replayer, with sanitizers and tests/host/hostile.c in it, and as built; without that one with
fewer traces. TAP.

Reference strings with known counts, random traces against replay_model.py, formats, what is refused, hostile policies."""
import json
import random
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import policy_words  # noqa: E402
import replay_model  # noqa: E402

CHECKED, REPLAY = sys.argv[1], sys.argv[-1]
TRACES = 1000 if len(sys.argv) > 2 else 60
HOST = ["lru", "2q", "arc", "lirs", "opt"]
OPTIONS = {"aging": "aging,1", "window": "window,4", "fixed": "fixed,4", "ws": "ws,20", "pff": "pff,4"}  # for short traces
REPLACE, FETCH, ALLOCATE = (policy_words.with_options(policy_words.having(*hooks), OPTIONS) for hooks in (["victims"], ["fault", "made"], ["budget"]))
ERRORS = []
# What issue texts and textbooks give for each number of frames: (trace, {policy: {frames: misses}}).
STRINGS = [
    ("7 0 1 2 0 3 0 4 2 3 0 3 2 1 2 0 1 7 0 1", {"fifo": {3: 15}, "lru": {3: 12}, "opt": {3: 9}}),
    ("1 2 3 4 1 2 5 1 2 3 4 5", {"fifo": {3: 9, 4: 10}, "lru": {3: 10, 4: 8}, "opt": {3: 7, 4: 6}}),
    ("1 2 3 4 2 1 5 6 2 1 2 3 7 6 3 2 1 2 3 6", {"lru": dict(enumerate((20, 18, 15, 10, 8, 7, 7), 1)),
                                                 "fifo": dict(enumerate((20, 18, 16, 14, 10, 10, 7), 1)),
                                                 "opt": dict(enumerate((20, 15, 11, 8, 7, 7, 7), 1))}),
    ("7 2 3 1 2 5 3 4 6 7 7 1 0 5 4 6 2 3 0 1", {"lru": {3: 18}, "fifo": {3: 17}, "opt": {3: 13}}),
]


def run(*arguments, text="", program=REPLAY):
    """The finished process; `text` is its standard input, text or bytes."""
    done = subprocess.run([program, *map(str, arguments)], input=text.encode() if isinstance(text, str) else text, capture_output=True,
                          timeout=100, check=False)
    done.out, done.error = done.stdout.decode(), done.stderr.decode()
    return done


def figures(policies, frames, text, *more, program=REPLAY):
    """{(policy, frames): figures}, by --json."""
    arguments = [a for policy in policies for a in ("--policy", policy)]
    done = run(*arguments, "--frames", ",".join(map(str, frames)), "--json", *more, "-", text=text, program=program)
    if done.returncode:
        raise AssertionError(f"{arguments} {frames}: {done.error}")
    return {(one["policy"], one["frames"]): one for one in json.loads(done.out)["runs"]}


def misses(*arguments, **named):
    """The same with misses only."""
    return {key: one["misses"] for key, one in figures(*arguments, **named).items()}


def same(what, one, other):
    """Whether they are; says so if not."""
    if one != other:
        ERRORS.append(f"{what}: {one} and {other}")
    return one == other


# ---- Counts ----
def reference_strings():
    """Each policy at each number of frames, with both ways to enter, and as expectations that hold and that do not."""
    for text, known in STRINGS:
        for policy, counts in known.items():
            for enter in ("clear", "set"):
                got = misses([policy], counts, text, "--enter", enter)
                yield same(f"{policy}: {text}", got, {(policy, frames): count for frames, count in counts.items()})


def second_chance():
    """A page enters with its accessed bit clear: at the last reference 1 was used and 2 was not; if it enters set, both were."""
    text = "1 2 3 1 4 2"
    return same("clear", misses(["clock"], [3], text), {("clock", 3): 5}) and \
        same("set", misses(["clock"], [3], text, "--enter", "set"), {("clock", 3): 4})


def random_trace(seed):
    """Pages, drawn from few with some locality, and how many frames."""
    draw = random.Random(seed)
    pages, length, trace = draw.randint(2, 14), draw.randint(1, 150), []
    for _ in range(length):
        near = draw.random() < 0.3 and trace
        trace.append(draw.choice(trace[-3:]) if near else draw.randint(0, pages - 1))
    return trace


def against_models(trace, enter):
    """Those that are written twice, for 1 to 8 frames."""
    got = misses(replay_model.ALL, range(1, 9), ",".join(map(str, trace)), "--enter", enter)
    want = {(name, frames): model(trace, frames, enter == "set") for name, model in replay_model.ALL.items() for frames in range(1, 9)}
    return same(f"{trace} enter {enter}", got, want)


def against_each_other(trace, seed):
    """OPT is never beaten by demand paging; more frames never hurt LRU and OPT; where all pages fit only cold misses are left; what is
    chosen for a policy that proposes nothing goes round, as FIFO does."""
    frames = [1, 2, 3, 4, 5, 8, 16]
    got = misses(REPLACE + HOST, frames, "\n".join(f"{page}{'w' * (page % 2)}" for page in trace), "--seed", seed)
    good = all(got["opt", n] <= count for (_, n), count in got.items())
    good &= all(got[policy, a] >= got[policy, b] for policy in ("lru", "opt") for a, b in zip(frames, frames[1:]))
    good &= all(got["null", n] == got["fifo", n] for n in frames)
    good &= all(count == len(set(trace)) for (_, n), count in got.items() if n == 16)
    return good or bool(ERRORS.append(f"{trace}: {got}"))


def figures_add_up():
    """What all policies count, in a trace of two processes with writes, and in a build with sanitizers."""
    draw = random.Random(5)
    text = "page,process,kind\n" + "\n".join(f"{int(60 * draw.random() ** 2)},{draw.randint(7, 8)},{draw.choice('rrw')}" for _ in range(3000))
    words = REPLACE + HOST + [f"{fetch}+clock" for fetch in FETCH] + [f"{allocate}+sieve" for allocate in ALLOCATE]
    words += [f"window,16+{replace}" for replace in REPLACE]  # a victim for each page that comes
    words += [f"pff,20+{replace}" for replace in REPLACE]  # several at a time, when a budget falls
    for pools in ("global", "each"):
        got = figures(words, [4, 9, 40, 200], text, "--csv", "page", "--csv-process", "process", "--csv-kind", "kind", "--pools", pools,
                      program=CHECKED)
        for (policy, frames), one in got.items():
            # The null policy proposes nothing, so all is chosen for it; else nothing is.
            good = one["wrong"] == 0 and ("null" in policy) >= (one["chosen"] > 0)
            good &= sum(one["refault"]) <= one["misses"] and one["untouched"] <= one["fetched"] and one["resident"] <= frames
            good &= (one["fetched"] > 0) <= ("+" in policy) and one["write_backs"] <= one["misses"] + one["fetched"]
            good &= "+" in policy or sum(one["refault"]) == one["misses"] - one["cold"]
            good &= "+" in policy or one["read_backs"] <= one["misses"] - one["cold"]
            yield good or bool(ERRORS.append(f"{policy} {frames}: {one}"))


def walks():
    """Read-ahead and Leap see a walk, Leap backwards too, and bring nothing in where there is none."""
    up, down = " ".join(map(str, range(1000))), " ".join(map(str, range(999, -1, -1)))
    jumps = " ".join(map(str, random.Random(1).sample(range(0, 100000, 100), 500)))
    pairs = " ".join(f"{page} {page + 1}" for page in map(int, jumps.split()))  # every other step is 1, which is no majority
    ahead, back, apart = (figures(["readahead+fifo", "leap+fifo"], [100], text) for text in (up, down, jumps))
    return ahead["readahead+fifo", 100]["misses"] < 50 and ahead["leap+fifo", 100]["misses"] < 150 and \
        back["leap+fifo", 100]["misses"] < 150 and back["readahead+fifo", 100]["misses"] == 1000 and \
        all(one["fetched"] == 0 for one in apart.values()) and figures(["leap+fifo"], [100], pairs)["leap+fifo", 100]["fetched"] == 0


def worth():
    """What sees use misses clearly less than FIFO; `dirty` writes less than clock for a few misses more; with each of three seeds."""
    words = ["fifo", "clock", "aging", "dirty", "wsclock", "sieve", "s3-fifo", "generations"]
    for seed in (1, 2, 3):
        got = {policy: one for (policy, _), one in figures(words, [300], DIRTIED[seed]).items()}
        good = all(one["misses"] < 0.97 * got["fifo"]["misses"] for policy, one in got.items() if policy != "fifo")
        good &= got["dirty"]["write_backs"] < 0.95 * got["clock"]["write_backs"] and got["dirty"]["misses"] < 1.05 * got["clock"]["misses"]
        yield good or bool(ERRORS.append(str({policy: (one["misses"], one["write_backs"]) for policy, one in got.items()})))


def read_back_by_hand():
    """What was written comes back from there, however often it was; what was not is zeros each time."""
    got = figures(["fifo", "lru"], [1, 2], "1w 2 1 2 1 2w 3 2 1", program=CHECKED) | figures(["clock"], [1], "1w 2 1w 2 1", program=CHECKED)
    one = {(policy, frames): (each["write_backs"], each["read_backs"]) for (policy, frames), each in got.items()}
    wanted = {("fifo", 1): (2, 4), ("lru", 1): (2, 4), ("fifo", 2): (2, 1), ("lru", 2): (1, 1), ("clock", 1): (2, 2)}
    return one == wanted or bool(ERRORS.append(str(one)))


def fetched_by_hand():
    """Pages 0 to 3 come, then 8 and 9, where the program ends; 3 and 8 are never touched. In three frames one comes besides."""
    def counts(one):
        return one["misses"], one["cold"], one["fetched"], one["untouched"]
    all_fit = counts(figures(["window,4+fifo"], [16], "0 1 2 9 9 0")["window,4+fifo", 16])
    few = counts(figures(["window,4+fifo"], [4], "0 1 2 9 9 0")["window,4+fifo", 4])
    return same("16 frames", all_fit, (2, 2, 4, 2)) and same("4 frames", few, (4, 3, 4, 3))


def stored_by_hand():
    """Of eight frames two come besides: from the store beside what is there, zeros beside zeros; 0 is there when 1 comes again as zeros."""
    def counts(words, frames, text, *more):
        one = figures([words], [frames], text, *more, program=CHECKED)[words, frames]
        return one["misses"], one["fetched"], one["read_backs"]
    written = " ".join(f"{page}w" for page in range(16)) + " 0 1 2 3 4 5 6 7"
    return all([same("from the store", counts("window,8+fifo", 8, written), (9, 15, 8)),
                same("zeros", counts("window,4+fifo", 4, "0w 4 5 6 7 8 9 1", "--areas", "0-1,4-9"), (5, 4, 0))])


def areas():
    """A window is cut to the piece of memory that the page is in, and elsewhere nobody is asked."""
    def counts(*more):
        one = figures(["window,4+fifo"], [16], "5 9 5 10", *more, program=CHECKED)["window,4+fifo", 16]
        return one["misses"], one["fetched"], one["wrong"]
    return all([same("no areas", counts(), (2, 4, 0)), same("all", counts("--areas", "0-0x10"), (2, 6, 0)),
                same("most", counts("--areas", "0-0xffffffffffffe"), (2, 6, 0)), same("two", counts("--areas", "05-6,009-09"), (3, 1, 0)), same("elsewhere", counts("--areas", "0-3"), (3, 0, 0))])


def budgets():
    """A fixed one is kept; a program that uses three pages needs three of forty frames by working set."""
    text = " ".join(map(str, [*range(40), *(page for new in range(40, 60) for page in [0, 1, 2] * 200 + [new])]))
    got = figures(["fixed,5+fifo", "ws,500+clock", "pff,100+clock", "clock"], [40], text)
    return got["fixed,5+fifo", 40]["resident"] <= 5 and got["ws,500+clock", 40]["resident"] < 25 < got["clock", 40]["resident"] and \
        got["pff,100+clock", 40]["resident"] < 25


def shares():
    """Of two processes one of which goes round many pages, the other keeps its few where shares are fair; both have their own figures."""
    draw = random.Random(4)
    text = "page,process\n" + "\n".join(f"{n % 50},1\n{draw.randint(0, 7)},2" for n in range(2000))
    each = figures(["fair"], [20], text, "--csv", "page", "--csv-process", "process", "--pools", "each")["fair", 20]["figures"]
    got = figures(["fair", "fifo", "readahead+fair"], [20], text, "--csv", "page", "--csv-process", "process", program=CHECKED)
    small = {key: sum(one["refault"]) for key, one in got.items()}
    own = got["fair", 20]["figures"]
    return same("figures", own, {"programs": 2, "largest": 12}) and same("figures of two pools", each, {"programs": 2, "largest": 18}) and got["fifo", 20]["figures"] == {} and \
        small["fair", 20] < 0.8 * small["fifo", 20] and set(got["readahead+fair", 20]["figures"]) == {"followed", "others", "programs", "largest"}


def own_figures():
    """What policies say of themselves, added up over pools: in text, too."""
    text = " ".join(map(str, range(1000)))
    one = figures(["readahead,8+generations+ws,100"], [100], text)["readahead,8+generations+ws,100", 100]
    own, said = one["figures"], run("--policy", "readahead,8+fifo", "--policy", "fifo", "--frames", 100, "-", text=text).out
    return own["followed"] + own["others"] == one["misses"] and 0 < sum(own[name] for name in ("youngest", "younger", "older", "oldest")) <= 100 \
        and own["working_set"] > 0 and len(re.findall(r"^readahead,8\+fifo +100 followed:\d+ others:1$", said, re.M)) == 1 and \
        said.endswith("others:1\n")


def dirtied(seed):
    """Half of the pages are written whenever they are used; some pages are used more than others."""
    draw = random.Random(seed)
    numbers = (int(2000 * draw.random() ** 3) for _ in range(40000))
    return " ".join(f"{number}{'w' * (number % 2)}" for number in numbers)


DIRTIED = {seed: dirtied(seed) for seed in (1, 2, 3)}


# ---- Formats ----
def formats():
    """One trace in every format."""
    draw = random.Random(9)
    records = [(draw.randint(0, 30), draw.choice("rw")) for _ in range(500)]
    binary = b"QTRACE1\n" + b"".join(struct.pack("<QII", page << 12 | "rwx".index(kind), 0, 0) for page, kind in records)
    texts = {
        "binary": (binary, []),
        "text": ("# a comment\n" + " ".join(f"{page}{'w' * (kind == 'w')}" for page, kind in records), []),
        "hexadecimal, commas": (",".join(f"{page:#x}{'w' * (kind == 'w')}" for page, kind in records) + "\r\n", []),
        "addresses": ("\n".join(f"{(page << 12) + n:#x}{'w' * (kind == 'w')}" for n, (page, kind) in enumerate(records)), ["--addresses"]),
        "columns by number": ("\n".join(f'x,{kind}, "{page}"' for page, kind in records), ["--csv", 3, "--csv-kind", 2]),
        "quotation marks": ('"page","by ""whom"", where"\r\n' + "\r\n".join(f'"{page}","a,""b"",{n}"' for n, (page, _) in enumerate(records)),
                            ["--csv", "page"]),
        "300 columns": ("\n".join("9," * 299 + f"{page}" for page, _ in records), ["--csv", 300]),
        "columns by name": ("pc,what,page\n" + "\n".join(f"9,{'read' if kind == 'r' else 'Write'},{page}" for page, kind in records),
                            ["--csv", "page", "--csv-kind", "what"]),
    }
    want = figures(["clock", "opt"], [5, 10], binary)
    read = figures(["clock", "opt"], [5, 10], " ".join(str(page) for page, _ in records))
    for name, (text, options) in texts.items():
        wanted = read if "--csv" in options and "--csv-kind" not in options else want
        yield same(name, figures(["clock", "opt"], [5, 10], text, *options, program=CHECKED), wanted) and want["opt", 5]["write_backs"] > 0


def processes_apart():
    """The same page of two processes is two pages."""
    record = lambda process: struct.pack("<QII", 5 << 12, process, 0)
    return same("processes", misses(["fifo"], [2], b"QTRACE1\n" + (record(1) + record(2)) * 3), {("fifo", 2): 2})


def record_of(page_kind=4096, process=0, zero=0):
    """A binary trace: a good record and this one."""
    return b"QTRACE1\n" + struct.pack("<QII", 4096, 0, 0) + struct.pack("<QII", page_kind, process, zero)


# What is said of (arguments, trace). Each of the arguments is beside a good policy and number of frames.
REFUSED = [
    ([], "1 2\n3 x4", r"standard input:2: 'x4' is no page number: write a decimal number or 0x"),
    ([], "1,,2", r"standard input:1: a page number is missing before a comma"),
    ([], "1\n2,3,\n", r"standard input:2: a page number is missing after the last comma"),
    ([], "1 -2", r":1: '-2' is no page number"),
    ([], "1 2ww", r":1: '2ww' is no page number"),
    ([], "1 0x", r":1: '0x' is no page number"),
    ([], "1\n99999999999999999999 1", r":2: page 9{20} is out of range, which ends at 4503599627370494"),
    ([], "0x1000000000000000000000000", r":1: page 0x10+ is out of range"),
    ([], f"1\n\n{2 ** 52 - 1}", r":3: page 4503599627370495 is out of range, which ends at 4503599627370494: .* --addresses"),
    (["--addresses"], "0xffffffffffffffff", r":1: address 0xf{16} is out of range, which ends at 18446744073709547519: the last page has"),
    (["--addresses"], "99999999999999999999", r":1: address 9{20} is out of range"),
    ([], "# nothing\n\n", r"standard input: there is no reference in it"),
    ([], "", r"standard input: there is no reference in it"),
    ([], b"1 2\n\0", r":2: it has a byte 0: this is neither text nor"),
    ([], record_of(page_kind=4096 | 8), r"standard input: record 2: 0x1008 is not the address of a page.* record it again"),
    ([], record_of(page_kind=4096 | 3), r"record 2: 0x1003 is not the address of a page"),
    ([], record_of(page_kind=2 ** 64 - 4096), r"record 2: 0xfffffffffffff000 is not"),
    ([], record_of(zero=1), r"record 2: its last four bytes are not 0"),
    ([], record_of()[:-5], r"record 2: it has 11 bytes of 16: the file was cut off, record it again"),
    (["--csv", "1"], record_of(), r"standard input: it is a binary trace, .*: leave out --csv and --addresses"),
    (["--addresses"], record_of(), r"standard input: it is a binary trace"),
    ([], b"QTRACE1\n", r"there is no reference in it"),
    (["--csv", "2"], "1,2\n3", r"standard input:2: it has 1 field, but the first line has 2"),
    (["--csv", "page"], "time,page,kind\n7,1,r\n8,1\n", r"standard input:3: it has 2 fields, but the first line has 3"),
    (["--csv", "1"], "1,2\n3,4,5", r":2: it has 3 fields, but the first line has 2"),
    (["--csv", "1"], "1,2\n3,4\n# 5", r":3: it has 1 field, but the first line has 2"),
    (["--csv", "1"], "1\n#2", r":2: column '1': '#2' is no number"),
    (["--csv", "2"], '"1,2",5\n1,"""2"""\n', r""":2: column '2': '""2""' is no number"""),
    (["--csv", "2"], '1,"2\n3",4\n', r":1: a quotation mark is not closed on its line"),
    (["--csv", "2"], '1,2"3"\n', r":1: a field is partly in quotation marks"),
    (["--csv", "2"], '1,"2"3\n', r":1: a field is partly in quotation marks"),
    (["--csv", "2"], "1,2\n3,\n", r":2: column '2' is empty"),
    (["--csv", "b"], 'a,b\n1,2\n3,""\n', r":3: column 'b' is empty"),
    (["--csv", "300"], "1,2\n", r":1: there is no column '300': name one that this line has, or give a number, 1 to 2"),
    (["--csv", "1", "--csv-kind", "3"], "\n1,2\n", r":2: there is no column '3': .* 1 to 2"),
    (["--csv", "0"], "1,2\n", r":1: there is no column '0'"),
    (["--csv", "1"], "1\n99999999999999999999", r":2: page 9{20} is out of range"),
    (["--csv", "1"], "page\n3", r":1: column '1': 'page' is no number: .*name the column: --csv NAME"),
    (["--csv", "page"], "pages,x\n3,4", r":1: there is no column 'page': name one that this line has, or give a number"),
    (["--csv", "1", "--csv-kind", "2"], "1,r\n2,q", r":2: 'q' is no kind: it is r, w or x"),
    (["--csv", "1", "--csv-process", "2"], "1,1\n2,4294967296", r":2: process 4294967296 is out of range"),
    (["--csv", "1", "--csv-process", "2"], "1,1\n2,99999999999999999999", r":2: process 9{20} is out of range"),
    (["--csv", "1", "--csv-process", "pid"], "page,pid\n2,one", r":2: column 'pid': 'one' is no number"),
    (["--csv-kind", "2"], "1", r"say --csv COLUMN too"),
    (["--policy", "best"], "1", r"--policy best: 'best' is no policy; there are:\n(.*\n)+  clock\n(.*\n)+  opt .*\n"),
    (["--policy", "clock+best,3"], "1", r"--policy clock\+best,3: 'best' is no policy; there are:\n"),
    (["--policy", "clock+"], "1", r"--policy clock\+: '' is no policy; there are:\n"),
    (["--policy", "clock,7"], "1", r"--policy clock,7: the option of 'clock,7' is not understood: write clock\n$"),
    (["--policy", "window,3+clock"], "1", r"--policy window,3\+clock: the option of 'window,3' is not understood: write window\[,PAGES\] \(.*\)\n$"),
    (["--policy", "clock+readahead," + "1" * 40], "1", r"the option of 'readahead,1*' is not understood: write readahead\[,PAGES\]"),
    (["--policy", "clock+fifo"], "1", r"--policy clock\+fifo: 'clock' and 'fifo' both say what goes: write one of them\n$"),
    (["--policy", "demand+window+clock"], "1", r"'demand' and 'window' both say what comes: write one of them"),
    (["--policy", "pff+clock+fixed,5"], "1", r"'pff' and 'fixed' both say how much a program may have: write one of them"),
    (["--policy", "wide_process"], "1", r"'wide_process' cannot be used: it declares process_bytes of 129, and 128 is the most\n$"),
    (["--policy", "clock+wide_process"], "1", r"'wide_process' cannot be used"),
    (["--policy", "wide_state"], "1", r"'wide_state' cannot be used: it declares state_bytes of 100000, and 4096 is the most"),
    (["--policy", "wide_note"], "1", r"'wide_note' cannot be used: it declares note_bytes of 18446744073709551615, and 64 is the most"),
    (["--policy", "wide_each"], "1", r"'wide_each' cannot be used: it declares each_bytes of 65, and 64 is the most"),
    (["--policy", "wide_both"], "1", r"'wide_both' cannot be used: it declares note_bytes \+ each_bytes of 65, and 64 is the most"),
    (["--policy", "window"], "1", r"--policy window: it says what comes, but not what goes: write window\+fifo"),
    (["--policy", "fixed,3+fifo"], "1", r"the option of 'fixed,3' is not understood: write fixed,PAGES \(4 and up\)"),
    (["--policy", "fixed+fifo"], "1", r"--policy fixed\+fifo: the option of 'fixed' is not understood: write fixed,PAGES"),
    (["--frames", "2147483647"], "1", r"--frames 2147483647: write numbers from 1 to 268435456"),
    (["--pools", "each", "--frames", "134217729"], record_of(process=1), r"fifo: 134217729 frames for each of 2 processes are too many: 268435456"),
    (["--policy", "fixed,4+fifo", "--frames", "268435456"], record_of(process=1), r"fixed,4\+fifo: 268435456 frames for each of 2"),
    (["--step", "--frames", "1001"], "1", r"--step shows every frame, at most 1000: --frames 1001 is too many"),
    (["--step", "--json"], "1", r"--json and --time are of the figures, .*--step"),
    (["--step", "--time"], "1", r"--json and --time are of the figures, .*--step"),
    (["--frames", "0"], "1", r"--frames 0: write numbers from 1 to"),
    (["--frames", "3,,4"], "1", r"--frames 3,,4: write numbers"),
    (["--frames", "-1"], "1", r"--frames -1: write numbers"),
    (["--areas", "5"], "1", r"--areas 5: write FIRST-LAST, page numbers up to 4503599627370494"),
    (["--areas", "5-4"], "1", r"--areas 5-4: write FIRST-LAST"),
    (["--areas", "1-2,"], "1", r"--areas 1-2,: write FIRST-LAST"),
    (["--areas", "-1-2"], "1", r"--areas -1-2: write FIRST-LAST"),
    (["--areas", "0-0xfffffffffffff"], "1", r"write FIRST-LAST"),
    (["--areas", "0-99999999999999999999"], "1", r"write FIRST-LAST"),
    (["--enter", "maybe"], "1", r"--enter maybe: write clear or set"),
    (["--pools", "2"], "1", r"--pools 2: write global or each"),
    (["--seed", "x"], "1", r"--seed x: write a decimal number"),
    (["--pools", "each", "--frames", "1"], record_of(process=1), r"fifo: 1 frames are too few for 2 processes.*--frames 2"),
    (["--nonsense"], "1", r"see replay --help"),
    (["--make", "10"], "1", r"--make: there are 2"),
    (["--expect", "fifo=x"], "1", r"--expect: fifo=x: after = a count is missing; write POLICY\[@FRAMES\]\[:FIGURE\]=COUNT"),
    (["--expect", "fifo@=1"], "1", r"after @ a number of frames is missing"),
    (["--expect", "fifo:hits=1"], "1", r"fifo:hits=1: there is no such figure: see --json"),
    (["--expect", "=1"], "1", r"it names no policy"),
    (["--expect", "lru=1"], "1", r"lru=1: there was no such run: name it with --policy"),
    (["--expect", "/dev/null"], "1", r"--expect /dev/null: it expects nothing"),
    (["--expect", "/"], "1", r"--expect /: Is a directory"),
    (["--expect", "/nonexistent/file"], "1", r"--expect /nonexistent/file: No such file or directory"),
]


def refused():
    """Each with exit status 2 and its message."""
    for arguments, text, message in REFUSED:
        done = run("--policy", "fifo", "--frames", "2", *arguments, "-", text=text, program=CHECKED)
        yield done.returncode == 2 and bool(re.search(message, done.error)) or bool(ERRORS.append(f"{arguments}: {done.error}"))
    for arguments, message in ((["-"], "--policy is missing"), (["--policy", "fifo", "-"], "--frames is missing"),
                               (["--policy", "fifo", "--frames", "2"], "there are 0"),
                               (["--policy", "fifo", "--frames", "2", "--make", "9,9", "--addresses"], "leave them out beside --make"),
                               (["--policy", "fifo", "--frames", "2", "--make", "9,9", "--csv", "1"], "leave them out beside --make"),
                               (["--policy", "fifo", "--frames", "2", "/nonexistent"], "/nonexistent: No such file")):
        done = run(*arguments, program=CHECKED)
        yield done.returncode == 2 and message in done.error or bool(ERRORS.append(done.error))


# ---- What it shows ----
STEP = """ reference   fifo, 2 frames   clock, 2 frames   opt, 2 frames
        1    * 1  .           * 1  .            * 1  .
        2w   * 1  2           * 1  2            * 1  2
        1      1' 2             1' 2              1  2
        3    * 3  2           * 1  3            * 1  3
        1    * 3  1             1' 3              1  3
    misses   4                3                 3
"""


def steps():
    """A small one, by hand; the counts are those of a run without it."""
    done = run("--policy", "fifo", "--policy", "clock", "--policy", "opt", "--frames", 2, "--step", "-", text="1 2w 1 3 1", program=CHECKED)
    return same("--step", done.out, STEP)


def expectations():
    """Exit status 0 or 1, and what differed."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "expected"
        base = ["--policy", "fifo", "--policy", "lru", "--frames", "3,4", "-"]
        for lines, status, said in (("fifo@3=9 # Belady\n\n fifo@4=10\nlru@3=10\nlru@4:cold=5\n", 0, ""),
                                    ("lru@3=9\n", 1, "replay: lru, 3 frames: 10 misses, but 9 were expected\n"),
                                    ("lru=10\n", 1, "replay: lru, 4 frames: 8 misses, but 10 were expected\n")):
            file.write_text(lines)
            done = run("--expect", file, *base, text=STRINGS[1][0])
            yield same(lines, (done.returncode, done.error), (status, said))
        file.write_text("# lru@3=10\n\n \n")
        done = run("--expect", file, *base, text=STRINGS[1][0])
        yield done.returncode == 2 and f"{file}: it expects nothing" in done.error
        file.write_text("lru@3=10\nlru@3\n")
        done = run("--expect", file, *base, text=STRINGS[1][0])
        yield done.returncode == 2 and f"{file}:2: lru@3: after = a count is missing" in done.error


def repeats():
    """The same bytes twice, with another seed another trace, and another choice of one; with --time the counts are the same too."""
    arguments = ["--policy", "random", "--policy", "leap+aging", "--frames", "50", "--json", "--make", "20000,500"]
    one, two, other, timed = run(*arguments), run(*arguments), run(*arguments, "--seed", 2), run(*arguments, "--time")
    strip = lambda text: re.sub(r', "(policy_)?ns": \d+', "", text)
    drawn = [misses(["random"], [30], DIRTIED[1], "--seed", seed)["random", 30] for seed in (1, 2)]
    return one.returncode == 0 and drawn[0] != drawn[1] and same("twice", one.out, two.out) and one.out != other.out and timed.out != one.out and \
        same("--time", strip(timed.out), one.out)


def says_what_there_is():
    """Every policy of the build is in --help, and the report has a row for each run, how fast it was only with --time."""
    text = run("--help").out
    report = run("--policy", "fifo", "--policy", "opt", "--frames", "2,3", "-", text="1 2 3 1 2 3").out
    timed = run("--policy", "clock", "--frames", "50", "--make", "20000,100", "--time").out
    fast = re.search(r"^policy .* Mref/s ns in policy\n(clock .* (\d+\.\d) +\d+\.\d\d)$", timed, re.M)
    if not fast or float(fast[2]) <= 0 or "Mref" in report:
        return bool(ERRORS.append(timed))
    return all(re.search(rf"^  {re.escape(name.split(',')[0])}\b", text, re.M) for name in REPLACE + HOST + FETCH + ALLOCATE) and \
        len(re.findall(r"^(fifo|opt) +[23] +\d+\.\d{4} ", report, re.M)) == 4


# ---- Hostile policies ----
def hostile():
    """Counted, replaced by what is chosen for it, and the accounts are right. Proposing nothing that can be is what null does."""
    draw = random.Random(3)
    text = " ".join(f"{int(80 * draw.random() ** 2)}{draw.choice(['', 'w'])}" for _ in range(5000))
    frames = [1, 2, 7, 30, 100]
    got = figures(["hostile", "hostile,1", "hostile,2", "hostile,3", "hostile,4", "hostile,5", "hostile,6", "null", "opt"], frames, text, program=CHECKED)
    for kind in ("hostile,1", "hostile,5"):
        yield same(kind, [got[kind, n]["misses"] for n in frames], [got["null", n]["misses"] for n in frames])
    yield same("chosen", [got["null", n]["chosen"] for n in frames], [max(0, got["null", n]["misses"] - n) for n in frames])
    yield all(got[kind, n]["wrong"] > 0 for kind in ("hostile", "hostile,1", "hostile,3", "hostile,4") for n in (2, 7, 30))
    yield all(one["misses"] >= got["opt", n]["misses"] and sum(one["refault"]) == one["misses"] - one["cold"] for (_, n), one in got.items())
    for words in ("glutton+hostile", "glutton+clock", "glutton+hostile,2", "grasping+hostile", "glutton+grasping+hostile", "scribbler", "slow", "nosy",
                  "urging+refusing+pressing,1+meddling", "grasping+lru"):
        if words == "grasping+lru":
            done = run("--policy", words, "--frames", 4, "-", text=text, program=CHECKED)
            yield done.returncode == 2
            continue
        for (_, n), one in figures([words], frames, text, program=CHECKED).items():
            good = one["resident"] <= n and one["untouched"] <= one["fetched"] and sum(one["refault"]) <= one["misses"]
            yield good and (one["wrong"] > 0 or n in (1, 100) or not words.startswith(("glutton", "urging"))) or bool(ERRORS.append(f"{words} {n}: {one}"))
    yield figures(["glutton+hostile,2"], [30], text, program=CHECKED)["glutton+hostile,2", 30]["wrong"] > 1000
    for words in ("endless_victims", "endless_fault+fifo", "endless_option,2"):
        done = run("--policy", words[:-1] + "1" if words[-1] == "2" else "null", "--policy", words, "--frames", 4, "-", text=text, program=CHECKED)
        yield done.returncode == 2 and words in done.error and "has not returned" in done.error or bool(ERRORS.append(f"{words}: {done}"))


def main():
    """TAP."""
    traces = [random_trace(seed) for seed in range(TRACES)]
    checks = {
        "reference strings": lambda: all(reference_strings()),
        "a page enters with its accessed bit clear, or set if that is wanted": second_chance,
        f"{TRACES} random traces against definitions": lambda: all([against_models(trace, "clear") for trace in traces]),
        f"{TRACES // 4} of them with pages that enter with their bit set": lambda: all([against_models(trace, "set") for trace in traces[::4]]),
        "OPT is not beaten, more frames do not hurt LRU and OPT": lambda: all([against_each_other(trace, seed) for seed, trace in enumerate(traces)]),
        "figures add up": lambda: all(list(figures_add_up())),
        "read-ahead": walks,
        "use is seen, and dirt": lambda: all(list(worth())),
        "what comes back from where it was written is counted": read_back_by_hand,
        "what is fetched is counted": fetched_by_hand,
        "what comes from the store beside what is there": stored_by_hand,
        "pieces of memory": areas,
        "budgets": budgets,
        "fair shares": shares,
        "figures of the policies themselves": own_figures,
        "formats": lambda: all(list(formats())),
        "processes are told apart": processes_apart,
        "bad inputs are refused": lambda: all(list(refused())),
        "steps": steps,
        "expectations": lambda: all(list(expectations())),
        "a run can be repeated": repeats,
        "help and report": says_what_there_is,
        "hostile policies": lambda: all(list(hostile())),
    }
    failed = 0
    print(f"1..{len(checks)}")
    for number, (what, check) in enumerate(checks.items(), 1):
        good = check()
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - {what}", flush=True)
        for error in ERRORS[:5]:
            print("#", error.replace("\n", "\n# ")[:2000])
        ERRORS.clear()
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
