#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""thirdparty.py BUILD FILE.toml: a program of Debian's, built unchanged for this machine and for Quire, gives the same on both.

The file (docs/apps.md) says which source, how it is built, and the cases: command lines, whose output, status and files are
compared byte for byte. Sources and builds are kept in the cache. Prints TAP, a test a case; without a source, skips, but with
QUIRE_FULL set that is a failure.
"""
import difflib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import debian

ROOT = Path(__file__).resolve().parents[1]
TOOLS = "ar", "ranlib", "strip", "nm", "objcopy"
TOOLCHAIN = "gcc", "libc6-dev", "gcc-riscv64-unknown-elf", "binutils-riscv64-unknown-elf", "picolibc-riscv64-unknown-elf"
UNUSED = 30 * 24 * 3600  # seconds after which a build that no run wanted is removed
DIFF_LINES, LINE = 12, 160


class Bad(Exception):
    """What is wrong with a file or a build; each argument is a line."""


@dataclass
class Case:
    """A command line, and what it needs. status: what it must be here, so that what is wrong on both sides is seen. each: one
    case for each of these files of the source; {each} is its name, without folders."""
    name: str = ""
    command: str = ""
    files: dict = field(default_factory=dict)
    output: list = field(default_factory=list)
    status: int = 0
    memory: str = "256M"
    timeout: float = 600
    each: str = ""
    without: dict = field(default_factory=dict)
    figure: bool | str = False


@dataclass
class Program:
    """What a file says. also: other files beside it, whose programs its cases find, too."""
    path: Path
    source: str
    build: str
    case: list
    needs: list = field(default_factory=list)
    also: list = field(default_factory=list)

    @property
    def name(self):
        return self.path.stem


def made(kind, table, where, **more):
    """One of the classes above, of a table; an entry that it has not, or of another type, is refused."""
    known = {name: what for name, what in kind.__dataclass_fields__.items() if name not in more}
    for name, value in table.items():
        if name not in known:
            raise Bad(f"{where}: there is no '{name}', only {', '.join(known)}")
        if not isinstance(value, (int, float) if known[name].type is float else known[name].type):
            raise Bad(f"{where}: '{name}' is to be of type {known[name].type.__name__}")
    try:
        return kind(**table, **more)
    except TypeError as why:
        raise Bad(f"{where}: {str(why).partition(' ')[2]}") from None


def read(path):
    """The Program of a file."""
    if not path.exists():
        raise Bad(f"{path}: not there")
    try:
        program = made(Program, tomllib.loads(path.read_text()), path, path=path)
    except tomllib.TOMLDecodeError as why:
        raise Bad(f"{path}: {why}") from None
    program.case = [made(Case, table, f"{path}, case {number}") for number, table in enumerate(program.case, 1)]
    for number, case in enumerate(program.case, 1):
        if not case.command or not case.name:
            raise Bad(f"{path}, case {number}: it needs a name and a command")
    if not program.case:
        raise Bad(f"{path}: no [[case]]")
    return program


def digest(*parts):
    """A name made of what is in them."""
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part if isinstance(part, bytes) else str(part).encode()).digest())
    return total.hexdigest()[:16]


def installed_sdk(build):
    """The SDK of a build directory, in the cache: its own path does not change, so configure scripts may keep it."""
    base = debian.cache() / "sdk"
    base.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=base) as stage:
        subprocess.run(["meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", stage], check=True, stdout=sys.stderr)
        root = next(Path(stage).rglob("quire.specs")).parents[1]
        shutil.rmtree(root / "share")  # no program is built with the kernel, the boot image and
        (root / "bin/quire-run").unlink()
        files = sorted(path for path in root.rglob("*") if path.is_file())
        sdk = base / digest(*(part for path in files for part in (path.relative_to(root), path.read_bytes())))
        with debian.locked(base / "lock"):
            if not sdk.exists():
                shutil.move(root, sdk)
    os.utime(sdk)
    return sdk


@dataclass
class Kit:
    """What a program is built with."""
    name: str
    cc: str
    host: str
    prefix: str

    def key(self):
        """Changes with the SDK, whose path does, and with what is not in it: compilers and C libraries."""
        versions = subprocess.run(["dpkg-query", "-W", *TOOLCHAIN], capture_output=True, check=True).stdout
        return digest(self.cc, versions)

    def environment(self, source, out):
        """Of the build."""
        tools = {tool.upper(): self.prefix + tool for tool in TOOLS}
        return {"PATH": os.environ["PATH"], "HOME": str(source), "LC_ALL": "C", "CC": self.cc, "HOST": self.host, "OUT": str(out),
                "SOURCE": str(source), "JOBS": str(os.cpu_count()), **tools}


def kits(build):
    """This machine's, and Quire's."""
    return Kit("here", "gcc", "", ""), Kit("quire", str(installed_sdk(build) / "bin/quire-cc"), "--host=riscv64-unknown-elf",
                                           "riscv64-unknown-elf-")


def built(program, version, tree, kit):
    """The directory with what it put into $OUT; built if it is not in the cache."""
    folder = debian.cache() / "built" / program.name / f"{kit.name}-{digest(version, program.build, kit.key())}"
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        source, out = folder / "source", folder / "out"
        out.mkdir(parents=True)
        shutil.copytree(tree, source, symlinks=True)
        with open(folder / "log", "wb") as log:
            done = subprocess.run(["sh", "-ec", program.build], cwd=source, env=kit.environment(source, out), stdin=subprocess.DEVNULL,
                                  stdout=log, stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            raise Bad(f"{version} was not built with {kit.cc}; all of it is in {folder}/log",
                      *(folder / "log").read_text(errors="replace").splitlines()[-30:])
        shutil.rmtree(source)
        (folder / "done").touch()
    os.utime(folder)
    return folder / "out"


def forget_old():
    """Builds and SDKs that nobody used for long."""
    for folder in [*(debian.cache() / "built").glob("*/*-*"), *(debian.cache() / "sdk").glob("?" * 16)]:
        if time.time() - folder.stat().st_mtime > UNUSED:
            shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Result:
    """What a command line gave."""
    status: int
    out: bytes
    files: dict  # name: bytes, or None: there is none
    error: bytes


class Place:
    """Where cases run: what was built, what of other programs was, and the source for their files."""

    def __init__(self, outs, tree, build):
        self.out, self.outs, self.tree, self.build = outs[0], outs, tree, build

    def content(self, what):
        """The path of one of a case's files, None if it is a text."""
        path = self.out / what["built"] if isinstance(what, dict) else self.tree / what
        if not path.exists():
            raise Bad(f"{what}: not there")
        return path

    def furnish(self, case, folder):
        """Puts the case's files there."""
        for name, what in case.files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(what, dict) and "text" in what:
                target.write_text(what["text"])
            elif (path := self.content(what)).is_dir():
                shutil.copytree(path, target, dirs_exist_ok=True)
            else:
                shutil.copyfile(path, target)

    def here(self, case):
        """On this machine."""
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            self.furnish(case, work)
            done = subprocess.run(["sh", "-c", case.command], cwd=work, stdin=subprocess.DEVNULL, capture_output=True, check=False,
                                  env={"PATH": ":".join(map(str, [*self.outs, "/usr/bin", "/bin"])), "HOME": folder, "LC_ALL": "C", "TZ": "UTC0"},
                                  timeout=case.timeout)
            files = {name: (work / name).read_bytes() if (work / name).is_file() else None for name in case.output}
        return Result(128 - done.returncode if done.returncode < 0 else done.returncode, done.stdout, files, done.stderr)

    def quire(self, case, *options):
        """In the guest."""
        with tempfile.TemporaryDirectory() as folder:
            work, back = Path(folder) / "work", Path(folder) / "back"
            work.mkdir()
            back.mkdir()
            self.furnish(case, work)
            programs = [path for out in self.outs for path in out.iterdir() if path.is_file() and os.access(path, os.X_OK)]
            command = [sys.executable, ROOT / "scripts/runner", "--build", self.build, "--memory", case.memory,
                       "--timeout", str(case.timeout), "--add", f"case={work}", *options]
            command += [f"--add={path.name}={path}" for path in programs]
            command += [f"--get=/case/{name}={back / str(number)}" for number, name in enumerate(case.output)]
            line = f"test -d /case || mkdir /case; cd /case\n{case.command}"
            done = subprocess.run([*command, "--", "sh", "-c", line], stdin=subprocess.DEVNULL, capture_output=True, check=False)
            files = {name: (back / str(number)).read_bytes() if (back / str(number)).exists() else None
                     for number, name in enumerate(case.output)}
        return Result(done.returncode, done.stdout, files, done.stderr)


def short(line):
    """Of a line, what fits."""
    return line if len(line) <= LINE else f"{line[:LINE]}... ({len(line)} characters)"


def differs(what, here, quire):
    """Lines that say how two contents differ; none if they do not."""
    if here == quire:
        return []
    if here is None or quire is None:
        return [f"{what}: not there {'here' if here is None else 'on Quire'}"]
    at = next((i for i, (one, other) in enumerate(zip(here, quire)) if one != other), min(len(here), len(quire)))
    lines = [f"{what}: {len(here)} bytes here, {len(quire)} on Quire; they differ from byte {at}"]
    texts = [data.decode(errors="backslashreplace").splitlines() for data in (here, quire)]
    if b"\0" not in here[:4096] + quire[:4096]:
        lines += list(difflib.unified_diff(*texts, "here", "Quire", lineterm="", n=1))[:DIFF_LINES]
    return [short(line) for line in lines]


def compare(here, quire):
    """Lines that say what of two results differs."""
    wrong = [f"status: {here.status} here, {quire.status} on Quire"] if here.status != quire.status else []
    wrong += differs("output", here.out, quire.out)
    for name, data in here.files.items():
        wrong += differs(name, data, quire.files[name])
    if wrong:
        wrong += [f"error output on Quire: {short(line)}" for line in quire.error.decode(errors="replace").splitlines()[:DIFF_LINES]]
    return wrong


def wrong(case, here, quire):
    """Lines that say what is wrong with a case; none if nothing is."""
    if here.status != case.status or not (here.out or case.output):
        what = f"status {here.status} here, not {case.status}" if here.status != case.status else "there is nothing to compare"
        return [what, *(f"error output here: {short(line)}" for line in here.error.decode(errors="replace").splitlines()[-DIFF_LINES:])]
    return compare(here, quire())


def spread(case, tree):
    """The cases that one with each= stands for."""
    if not case.each:
        return [case]
    found = sorted(path for path in tree.glob(case.each) if path.name not in case.without)
    if not found:
        raise Bad(f"case {case.name}: each = {case.each!r} finds nothing in the source")
    gone = [name for name in case.without if not list(tree.glob(str(Path(case.each).parent / name)))]
    if gone:
        raise Bad(f"case {case.name}: without names {', '.join(gone)}, which the source has not")
    return [Case(**{**vars(case), "name": f"{case.name}: {path.name}", "command": case.command.replace("{each}", path.name),
                    "output": [name.replace("{each}", path.name) for name in case.output], "each": ""}) for path in found]


def provided(program, build):
    """(the source, [what was built for this machine, what for Quire])."""
    with debian.locked(debian.cache() / "built" / f"{program.name}.lock"):
        if program.needs:
            debian.install(program.needs)
        version, tree = debian.source(program.source)
        return tree, [built(program, version, tree, kit) for kit in kits(build)]


def ready(build, path):
    """(the program, its cases, where they run here, where on Quire)."""
    program = read(path)
    tree, outs = provided(program, build)
    others = [provided(read(beside), build)[1] for beside in map(path.with_name, (f"{name}.toml" for name in program.also))]
    places = [Place(list(each), tree, build) for each in zip(outs, *others)]
    forget_old()
    return program, [one for case in program.case for one in spread(case, tree)], *places


def main():
    """TAP, a test for each case."""
    build, path = sys.argv[1], Path(sys.argv[2])
    try:
        program, cases, here, quire = ready(build, path)
    except debian.Unavailable as why:
        print(f"1..1\nnot ok 1 - the source\n# {why}" if os.environ.get("QUIRE_FULL") else f"1..0 # SKIP {why}")
        return int(bool(os.environ.get("QUIRE_FULL")))
    except Bad as why:
        print("1..1\nnot ok 1 - the build", *(f"# {line}" for line in why.args), sep="\n")
        return 1
    print(f"1..{len(cases)}")
    failed = 0
    for number, case in enumerate(cases, 1):
        said = wrong(case, here.here(case), lambda case=case: quire.quire(case))
        failed += bool(said)
        print(f"{'not ok' if said else 'ok'} {number} - {case.name}", *(f"# {line}" for line in said), sep="\n", flush=True)
    for name, why in [entry for case in program.case for entry in case.without.items()]:
        print(f"# not run: {name}: {why}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
