#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tests of tests/thirdparty.py and tests/debian.py, without a network or a machine. Prints TAP."""
import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import debian
import thirdparty

LIST = "# of old\ndeb [arch=amd64 signed-by=/a.gpg] http://x/debian bookworm main contrib\ndeb-src http://y/ stable main\n#deb http://z/ a b\n"
SOURCES = "# comment\nTypes: deb deb-src\nURIs: http://x/debian\nSuites: bookworm\n\nEnabled: no\ntypes: deb\nURIs: http://y\nSuites: ./\n"
GOOD = 'source = "x"\nbuild = "true"\n[[case]]\nname = "a"\ncommand = "b"\n'


def refused(text, *words):
    """Whether the file is refused, with a reason that has the words."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "program.toml"
        path.write_text(text)
        try:
            thirdparty.read(path)
        except thirdparty.Bad as why:
            return all(word in str(why) for word in (*words, "program.toml"))
    return False


def result(status=0, out=b"text\n", **files):
    """What a command line gave."""
    return thirdparty.Result(status, out, files, b"said\n")


def lists_of_both_forms():
    """Options, suites and what is off stay; comments of a list, and what is there twice, go."""
    listed = debian.deb_src(LIST + "deb http://y/ stable main\n", False)
    return listed == "deb-src [arch=amd64 signed-by=/a.gpg] http://x/debian bookworm main contrib\ndeb-src http://y/ stable main\n" and \
        debian.deb_src(SOURCES, True) == SOURCES.replace("Types: deb deb-src", "Types: deb-src").replace("types: deb", "Types: deb-src")


def lists_of_a_machine():
    """Only the files that apt reads, and the old one; none of them is changed."""
    with tempfile.TemporaryDirectory() as folder:
        etc, own = Path(folder) / "etc", Path(folder) / "own"
        (etc / "sources.list.d").mkdir(parents=True)
        for name, text in {"sources.list": LIST, "sources.list.d/a.sources": SOURCES, "sources.list.d/b.list.save": LIST}.items():
            (etc / name).write_text(text)
        debian.own_lists(own, etc)
        return sorted(path.name for path in (own / "parts").iterdir()) == ["a.sources", "sources.list"] and \
            (etc / "sources.list").read_text() == LIST and (etc / "sources.list.d/a.sources").read_text() == SOURCES


def files_that_are_refused():
    """With the name of what is wrong."""
    return not refused(GOOD) and refused(GOOD + "comand = 1\n", "comand", "case 1") and refused(GOOD + "status = 'x'\n", "status", "int") and \
        refused("build = ''\ncase = []\n", "source") and refused('source = "x"\nbuild = ""\ncase = []\n', "case") and \
        refused(GOOD + "[[case]]\nname = 'c'\n", "case 2", "command") and refused("=", "line 1")


def what_differs():
    """Status, output, a file, a file that is not there: each is named. Nothing else is."""
    def said(*results):
        return "\n".join(thirdparty.compare(*results))
    long = [b"x" * 5000 + end for end in (b"1", b"2")]
    return said(result(a=b"1"), result(a=b"1")) == "" and "1 here, 2 on Quire" in said(result(1), result(2)) and \
        "+tent" in said(result(), result(out=b"tent\n")) and "said" in said(result(), result(out=b"")) and \
        "data: 1 bytes here, 2" in said(result(data=b"a"), result(data=b"ab")) and \
        "data: not there on Quire" in said(result(data=b""), result(data=None)) and \
        "data: 2 bytes here, 2 on Quire; they differ from byte 1" in said(result(data=b"\0a"), result(data=b"\0b")) and \
        len(said(result(out=long[0]), result(out=long[1]))) < 1000


def cases_that_cannot_fail():
    """One that fails here, too, or has nothing to compare, is a failure; the guest is not asked then."""
    case = thirdparty.Case(name="a", command="b")
    return "status 1 here, not 0" in thirdparty.wrong(case, result(1), None)[0] and \
        "nothing to compare" in thirdparty.wrong(case, result(out=b""), None)[0] and \
        not thirdparty.wrong(thirdparty.Case(status=3), result(3), lambda: result(3)) and \
        not thirdparty.wrong(thirdparty.Case(output=["x"]), result(out=b"", x=b""), lambda: result(out=b"", x=b""))


def a_case_for_each_file():
    """By name, but those that are left out; one that leaves out what is not there is refused."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        for name in ("b.t", "a.t", "c.t", "d.x"):
            (tree / name).touch()
        case = thirdparty.Case(name="own", command="run {each}", each="*.t", without={"c.t": "why"})
        found = [(one.name, one.command) for one in thirdparty.spread(case, tree)]
        try:
            thirdparty.spread(thirdparty.Case(name="own", each="*.t", without={"none.t": "why"}), tree)
        except thirdparty.Bad as why:
            return "none.t" in str(why) and found == [("own: a.t", "run a.t"), ("own: b.t", "run b.t")]
    return False


def without_a_source():
    """A skip with its reason, and with QUIRE_FULL a failure."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "x.toml").write_text(GOOD.replace('"x"', '"no-such-source-package"'))
        (Path(folder) / "apt-get").write_text("#!/bin/sh\n")  # which finds nothing
        (Path(folder) / "apt-get").chmod(0o755)
        def run(full):
            return subprocess.run([sys.executable, thirdparty.__file__, folder, f"{folder}/x.toml"], capture_output=True, text=True, check=False,
                                  env={**os.environ, "XDG_CACHE_HOME": folder, "QUIRE_FULL": full, "PATH": f"{folder}:{os.environ['PATH']}"})
        skip, failure = run(""), run("1")
    print(skip, failure, file=sys.stderr)
    return skip.returncode == 0 and skip.stdout.startswith("1..0 # SKIP no source package 'no-such-source-package'") and \
        failure.returncode == 1 and "\nnot ok 1" in failure.stdout and "no-such-source-package" in failure.stdout


def main():
    """TAP, a test for each function above."""
    tests = [lists_of_both_forms, lists_of_a_machine, files_that_are_refused, what_differs, cases_that_cannot_fail,
             a_case_for_each_file, without_a_source]
    print(f"1..{len(tests)}")
    failed = 0
    for number, test in enumerate(tests, 1):
        try:
            good = test()
        except Exception:  # pylint: disable=broad-except
            traceback.print_exc()
            good = False
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - {test.__name__}: {test.__doc__}", flush=True)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
