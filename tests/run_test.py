#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""run_test.py BUILD: programs run under scripts/runner as if they ran here. Prints TAP."""
import os
import subprocess
import sys
import tempfile
import time
from importlib.machinery import SourceFileLoader
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUNNER = ROOT / "scripts/runner"
BYTES = bytes(range(256)) * 300 + b"\n\r\r\n\x01o0004abcd\r\n\x02"


class Runs:
    """What the tests share: a build, a folder, and how the runner is called."""

    def __init__(self, build, folder):
        self.build = Path(build).resolve()
        self.folder = Path(folder)
        (self.folder / "bytes").write_bytes(BYTES)

    def start(self, *arguments, **how):
        """The runner, begun."""
        return subprocess.Popen([sys.executable, RUNNER, "--build", self.build, *map(str, arguments)], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, cwd=self.folder, **how)

    def run(self, *arguments, given=b"", timeout=200):
        """(status, output, error output)."""
        with self.start(*arguments, stdin=subprocess.PIPE) as runner:
            out, error = runner.communicate(given, timeout=timeout)
            return runner.returncode, out, error


def output_is_exact(runs):
    """Every byte comes out of a program, and nothing else does."""
    return runs.run("--add", "data/bytes=bytes", "--", "cat", "/data/bytes") == (0, BYTES, b"")


def input_is_exact(runs):
    """Every byte goes in, and the end does."""
    return runs.run("--", "cat", given=BYTES) == (0, BYTES, b"")


def input_that_comes_late(runs):
    """What is typed while the machine runs reaches the program, which answers before the end."""
    with runs.start("--", "cat", stdin=subprocess.PIPE) as runner:
        time.sleep(1)
        for text in (b"one\n", b"\x03\x04\x7f\0" + b"x" * 2000 + b"\n"):
            runner.stdin.write(text)
            runner.stdin.flush()
            if b"".join(runner.stdout.read(1) for _ in text) != text:
                return False
        runner.stdin.close()
        return runner.stdout.read() == b"" and runner.wait() == 0


def no_input_at_all(runs):
    """A closed standard input is an empty one."""
    with runs.start("--", "cat", stdin=subprocess.DEVNULL) as runner:
        return runner.stdout.read() == b"" and runner.wait() == 0


def error_output_is_apart(runs):
    """The two streams do not mix, and the status is the program's."""
    status, out, error = runs.run("--", "cat", "/none")
    return status == 1 and out == b"" and b"/none" in error


def status_of_a_signal(runs):
    """128 and the signal's number, for a fault."""
    return runs.run("--add", f"victim={runs.build}/tests/guest/victim", "--", "victim", "touch", "write", "0")[0] == 128 + 11


def unknown_program(runs):
    """As a shell says it."""
    return runs.run("--", "none")[0] == 127 and runs.run("--add", "bin/text=bytes", "--", "/bin/text")[0] == 126


def files_come_back(runs):
    """Byte for byte, empty ones, too; one that is not there is said, and is a failure."""
    (runs.folder / "empty").write_bytes(b"")
    status, _, error = runs.run("--add", "d/bytes=bytes", "--add", "d/empty=empty", "--get", "/d/bytes=back", "--get",
                                "d/empty=back.empty", "--get", "/d/none", "--", "cat")
    back = (runs.folder / "back").read_bytes(), (runs.folder / "back.empty").read_bytes()
    return status == 1 and back == (BYTES, b"") and b"/d/none" in error and not (runs.folder / "none").exists()


def folders_go_in(runs):
    """All that is below them."""
    (runs.folder / "tree/below").mkdir(parents=True)
    (runs.folder / "tree/below/file").write_text("deep\n")
    return runs.run("--add", "t=tree", "--", "cat", "/t/below/file") == (0, b"deep\n", b"")


def data_is_not_stripped(runs):
    """A file is a program by its mode and kind: no other loses its symbols, whatever it holds."""
    (runs.folder / "made").mkdir()
    program = (Path(runs.build) / "tests/guest/victim").read_bytes()
    files = {"executable": program, "object.o": program[:16] + b"\1\0" + program[18:]}  # e_type: ET_REL
    for name, data in files.items():
        (runs.folder / "made" / name).write_bytes(data)
    (runs.folder / "made/object.o").chmod(0o755)
    status, _, error = runs.run("--add", "data/made=made", "--get", "/data/made/executable=e.back", "--get",
                                "/data/made/object.o=o.back", "--", "true")
    return (status, error) == (0, b"") and [(runs.folder / name).read_bytes() for name in ("e.back", "o.back")] == list(files.values())


def what_is_left_running(runs):
    """The machine ends with the program."""
    began = time.monotonic()
    return runs.run("--", "sh", "-c", "sleep 1000 &")[0] == 0 and time.monotonic() - began < 100


def too_long(runs):
    """124, and whatever was written before."""
    return runs.run("--timeout", "5", "--", "spin")[0] == 124


def no_machine(runs):
    """125, and why."""
    status, out, error = runs.run("--memory", "4M", "--", "echo")
    missing = runs.run("--add", "x=nothing", "--", "echo")
    return status == 125 and out == b"" and b"did not come up" in error and missing[0] == 125


def broken_output(runs):
    """Whoever reads the output may go."""
    with runs.start("--", "cat", "/dev/zero", stdin=subprocess.DEVNULL) as runner:
        runner.stdout.read(1000)
        runner.stdout.close()
        return runner.wait(100) == 128 + 13


def lines_within_frames(_runs):
    """What the kernel says in the middle of a frame, or of its head, is taken out, however the bytes arrive."""
    runner = SourceFileLoader("runner", str(RUNNER)).load_module()
    text = b"quire: one\r\necho\x01o0003ab\r\npager: x\r\nquire: y\r\nc\r\n\x01e0\r\npager: z\r\n003\x02J!\r\n\x01i0000\r\n"
    for step in range(1, len(text)):
        frames = runner.Frames()
        got = [frame for at in range(0, len(text), step) for frame in frames.take(text[at:at + step])]
        if got != [("o", b"abc"), ("e", b"\n!"), ("i", b"")] or frames.rest:
            return False
    return True


def image_of_an_image(runs):
    """What mkimage has written it reads again."""
    mkimage = SourceFileLoader("mkimage", str(ROOT / "scripts/mkimage")).load_module()
    archive = (Path(runs.build) / "apps/quire.cpio").read_bytes()
    return mkimage.image(mkimage.read(archive)) == archive


def main():
    """TAP, a test for each function above."""
    os.environ.pop("QUIRE_RUN", None)
    tests = [output_is_exact, input_is_exact, input_that_comes_late, no_input_at_all, error_output_is_apart, status_of_a_signal,
             unknown_program, files_come_back, folders_go_in, data_is_not_stripped, what_is_left_running, too_long, no_machine,
             broken_output, lines_within_frames, image_of_an_image]
    print(f"1..{len(tests)}")
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        runs = Runs(sys.argv[1], folder)
        for number, test in enumerate(tests, 1):
            good = test(runs)
            failed += not good
            print(f"{'ok' if good else 'not ok'} {number} - {test.__name__}: {test.__doc__}", flush=True)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
