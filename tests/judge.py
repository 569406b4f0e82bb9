#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Boots a guest test in QEMU and judges what it prints.

A guest test prints TAP between "# begin NAME" and a closing record:
  # end NAME passed=P failed=F skipped=S lines=L crc=XXXXXXXX status=N
L counts, and the CRC-32 covers, the lines "# begin", "1..", "ok" and "not ok", each with its newline. The boot fails unless
the plan, every line and the record arrived and agree, and nothing else was printed but comments and lines that start with
"quire: " or "pager: ". What was judged goes on as TAP, so that meson counts the subtests.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile
import zlib

END = re.compile(r"# end (\S+) passed=(\d+) failed=(\d+) skipped=(\d+) lines=(\d+) crc=([0-9a-f]{8}) status=(\d+)")
RESULT = re.compile(r"(ok|not ok) (\d+) - (.*)")


class Bad(Exception):
    """Why a boot is not believed."""


def console(output):
    """The lines after the firmware's banner."""
    if not output:
        raise Bad("the guest printed nothing")
    start = output.find(b"quire: ")
    if start < 0:
        raise Bad("the kernel printed nothing")
    text = output[start:]
    if re.search(rb"[^\n\r\t -~]", text):
        raise Bad("garbage: bytes that are not printable ASCII")
    if not text.endswith(b"\n"):
        raise Bad("the output ends within a line")
    return text.decode().replace("\r\n", "\n").split("\n")[:-1]


def believed(lines):
    """The test's own lines and its closing record, if the whole can be believed."""
    own, record = [], None
    for line in lines:
        if line.startswith(("quire: panic", "pager: panic", "quire: deadline", "quire: the first program stopped")):
            raise Bad(line)
        if line.startswith(("quire: ", "pager: ")):
            continue
        if record:
            raise Bad(f"garbage after the closing record: {line!r}")
        if line.startswith(("# begin ", "1..", "ok ", "not ok ")):
            own.append(line)
        elif line.startswith("# end "):
            record = END.fullmatch(line)
            if not record:
                raise Bad(f"a malformed closing record: {line!r}")
        elif not line.startswith("# "):
            raise Bad(f"garbage: {line!r}")
    if not record:
        raise Bad("no closing record: the test did not come to its end")
    return own, record


def judge(output):
    """The TAP lines of a boot that can be believed."""
    own, record = believed(console(output))
    name, passed, failed, skipped, count, crc, status = record.groups()
    if int(count) != len(own) or int(crc, 16) != zlib.crc32("".join(line + "\n" for line in own).encode()):
        raise Bad("lines were lost or changed: the closing record's count or checksum does not match")
    if len(own) < 2 or own[0] != f"# begin {name}" or not re.fullmatch(r"1\.\.\d+", own[1]):
        raise Bad("no beginning with a plan")
    results = [RESULT.fullmatch(line) for line in own[2:]]
    if not all(results) or [int(r[2]) for r in results] != list(range(1, int(own[1][3:]) + 1)) or not results:
        raise Bad("the plan was not kept")
    skips = sum("# SKIP" in r[3] for r in results)
    bad = sum(r[1] == "not ok" for r in results)
    if (int(passed), int(failed), int(skipped)) != (len(results) - bad - skips, bad, skips):
        raise Bad("the closing record counts other results than were printed")
    if (int(status) != 0) != (bad != 0):
        raise Bad("the closing record's status does not agree with the results")
    return own[1:]


def boot(options):
    """Everything that the guest printed."""
    deadline = options.deadline * (1 if options.smp == 1 else 5)  # several harts' time is the host's
    command = [options.qemu, "-machine", "virt", "-m", options.memory, "-smp", str(options.smp), "-nographic", "-no-reboot",
               "-kernel", options.kernel, "-append",
               f"{options.full if options.full and os.environ.get('QUIRE_FULL') else options.append} deadline={deadline}".strip()]
    if options.smp == 1:
        command += ["-icount", "shift=0,sleep=off"]  # which lets several harts run but one after the other
    if options.initrd:
        command += ["-initrd", options.initrd]
    command += options.extra
    with tempfile.TemporaryFile() as output:  # not a pipe: full, it would stop the UART, and the idle guest's time would leap
        try:
            status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                    timeout=options.timeout, check=False).returncode
        except subprocess.TimeoutExpired:
            status = None
        output.seek(0)
        printed = output.read()
    if status is None:
        raise Bad(f"no end within {options.timeout} s; last: {printed[-200:]!r}")
    if status:
        raise Bad(f"QEMU failed with {status}: {printed[-300:].decode(errors='replace')}")
    return printed


def parser():
    """The options that say what to boot."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--qemu", default="qemu-system-riscv64")
    options.add_argument("--kernel", required=True)
    options.add_argument("--initrd")
    options.add_argument("--append", default="")
    options.add_argument("--full", help="the same instead, if QUIRE_FULL is in the environment")
    options.add_argument("--memory", default="128M")
    options.add_argument("--smp", type=int, default=int(os.environ.get("QUIRE_HARTS", "1")), help="harts")
    options.add_argument("--deadline", type=int, default=100, help="seconds of guest time, five times that with several harts")
    options.add_argument("--timeout", type=int, default=400 if os.environ.get("QUIRE_HARTS", "1") == "1" else 900, help="seconds of the host's time, as a last resort")
    options.add_argument("--expect", help="a regular expression for a boot that is to be refused")
    options.add_argument("--extra", nargs=argparse.REMAINDER, default=[], help="further arguments for QEMU")
    return options


def refused(output, expected):
    """TAP for a boot that must end with a message and nothing else."""
    lines = console(output)
    if any("panic" in line for line in lines) or not re.fullmatch(expected, lines[-1]):
        raise Bad(f"expected {expected!r}, got {lines[-1]!r}")
    return ["1..1", f"ok 1 - refused: {lines[-1]}"]


def main():
    """Exit status 0 if every subtest passed."""
    options = parser().parse_args()
    output = b""
    try:
        output = boot(options)
        tap = refused(output, options.expect) if options.expect else judge(output)
    except Bad as why:
        print("1..1", f"not ok 1 - {why}", "Bail out! the boot cannot be believed", sep="\n")
        print(output.decode(errors="replace"), file=sys.stderr)
        return 1
    print(*tap, sep="\n")
    failed = any(line.startswith("not ok") for line in tap)
    if failed:
        print(output.decode(errors="replace"), file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
