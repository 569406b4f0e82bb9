#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""disk.py KERNEL IMAGE STORE_IMAGE...: the disk's driver with disks of several kinds, and what the boot option store=disk says of them. Prints
TAP."""
import os
import re
import struct
import sys
import tempfile
from pathlib import Path

import judge

SECTORS, SECTOR = 8192, 512  # as in guest/t_blk.c
# Time stands still for nothing that the host does, unless it may sleep: else the deadline would come before the disk.
MODERN = ["-icount", "sleep=on", "-global", "virtio-mmio.force-legacy=false"]
SAID = rb"blk: the device [^\r\n]*; it is started anew\r?\n"
DEVICE = ["-device", "virtio-blk-device,drive=disk"]
BAD = """[inject-error]
event = "{event}"
errno = "5"
sector = "{sector}"
once = "off"
"""
HELP = "; give QEMU -global virtio-mmio.force-legacy=false -drive .*"


def content(seed):
    """What t_blk writes to the whole disk."""
    words = ((number + seed) * 0x9e3779b97f4a7c15 & (1 << 64) - 1 for number in range(SECTORS * SECTOR // 8))
    return struct.pack(f"<{SECTORS * SECTOR // 8}Q", *words)


def drive(path, more=""):
    """QEMU's options for a disk with that content."""
    return ["-drive", f"file={path},format=raw,if=none,id=disk{more}", *DEVICE]


def bad_drive(path, folder):
    """A disk of which sector 800 can be neither read nor written."""
    (folder / "errors").write_text("".join(BAD.format(event=event, sector=800) for event in ("read_aio", "write_aio")))
    return ["-drive", f"driver=raw,file.driver=blkdebug,file.config={folder / 'errors'},file.image.driver=file,"
            f"file.image.filename={path},if=none,id=disk", *DEVICE]


def boot(kernel, image, append, extra):
    """What the guest printed."""
    return judge.boot(judge.parser().parse_args(["--kernel", kernel, "--initrd", image, "--append", append,
                                                 "--extra", *(MODERN if os.environ.get("QUIRE_HARTS", "1") == "1" else MODERN[2:]), *extra]))


def guest(kernel, image, append, extra, resets=0):
    """As results(): the guest's own. resets: how often the driver says that it starts the device anew."""
    try:
        output = boot(kernel, image, append, extra)
        if len(re.findall(SAID, output)) != resets:
            raise judge.Bad(f"not {resets} times: the device is started anew")
        for line in judge.judge(re.sub(SAID, b"", output))[1:]:
            number, name = re.match(r"(?:not )?ok (\d+) - (.*)", line).groups()
            yield f"{append}: {name}", line.startswith("ok "), output.decode(errors="replace") if not line.startswith("ok ") else ""
    except judge.Bad as why:
        yield append, False, str(why)


def says(kernel, image, append, extra, expected, status):
    """As results(): the boot says one thing, and ends so."""
    try:
        lines = judge.console(boot(kernel, image, append, extra))
        right = any(re.fullmatch(expected, line) for line in lines) and lines[-1] == f"quire: off, status {status}"
        return "\n".join(lines), right and not any("panic" in line for line in lines)
    except judge.Bad as why:
        return str(why), False


def stores(kernel, images, disk):
    """As results(): the pager's side, with the driver and with worse ones (guest/store_user.c, mortal_blk.c)."""
    all_right = "pager: store: 1024 pages written and read, full at times, (none|some) failed( first)?, 0 wrong"
    for kind, expected, status in (
            ("good", all_right, 0), ("mortal", all_right, 0), ("liar", all_right, 0),
            ("doomed", r"pager: store: .*, some failed first, [1-9]\d* wrong", 1),
            ("none", "pager: the disk's driver ends again and again: what is on the disk is lost", 0)):
        disk.write_bytes(bytes(SECTORS * SECTOR))
        image = next(image for image in images if image.endswith(f"store_{kind}.cpio"))
        output, right = says(kernel, image, "budget=0 store=disk,1024 run=sleep:5", drive(disk), expected, status)
        yield f"the pager's store, driver: {kind}", right, output
        if expected is all_right:
            yield f"it is on the disk, driver: {kind}", disk.read_bytes() == content(1), "the disk has something else"


def programs(kernel, image, disk):
    """As results(): what programs say whose pages do not all have frames is what they say when all have."""
    for pattern in ("loop", "zipf", "fork"):
        run = f"serve=uart serve=posix:workload:-p:100:-n:500:{pattern}"
        plain = judge.console(boot(kernel, image, run, drive(disk)))
        line = next((line for line in plain if line.startswith(pattern)), "nothing")
        output, right = says(kernel, image, f"policy=clock budget=16 store=disk,1024 {run}", drive(disk), re.escape(line), 0)
        yield f"a program with its pages on the disk: {pattern}", right and "checksum" in line, output


def results(kernel, image, folder):
    """(what, whether it came out right, what came out)."""
    disk, whole = folder / "disk", content(1)
    disk.write_bytes(bytes(SECTORS * SECTOR))
    yield from guest(kernel, image, "serve=blk serve=t_blk", drive(disk), 10)
    yield "it is on the disk", disk.read_bytes() == whole, "the disk has something else"
    yield from guest(kernel, image, "serve=blk serve=t_blk:readonly", drive(disk, ",readonly=on"))
    yield from guest(kernel, image, "serve=blk serve=t_blk:errors", bad_drive(disk, folder))
    yield from guest(kernel, image, "serve=mortal_blk serve=t_blk:mortal", drive(disk))
    yield "it is on the disk, though the driver died", disk.read_bytes() == content(5), "the disk has something else"
    for what, append, extra, expected, status in (
            ("the disk as a store", "budget=0 store=disk,1024 run=sleep:1", drive(disk), f"pager: the disk holds {SECTORS // 8} pages", 0),
            ("a disk that is too small", "budget=0 store=disk,1025 run=sleep:1", drive(disk), "pager: store=disk,1025 is more than the disk's 1024 pages", 1),
            ("no disk", "budget=0 store=disk run=sleep:1", [], "pager: store=disk: there is no disk" + HELP, 1),
            ("a legacy disk", "budget=0 store=disk run=sleep:1", ["-global", "virtio-mmio.force-legacy=true", *drive(disk)],
             "pager: store=disk: the disk is a legacy device" + HELP, 1)):
        output, right = says(kernel, image, append, extra, expected, status)
        yield what, right, output


def main():
    """Exit status 0 if all is right."""
    kernel, image, *images = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        done = [*results(kernel, image, Path(name)), *stores(kernel, images, Path(name) / "disk"),
                *programs(kernel, image, Path(name) / "disk")]
    print(f"1..{len(done)}")
    for number, (what, right, output) in enumerate(done, 1):
        print(f"{'ok' if right else 'not ok'} {number} - {what}")
        if not right:
            print(output[-4000:], file=sys.stderr)
    return int(not all(right for _, right, _ in done))


if __name__ == "__main__":
    sys.exit(main())
