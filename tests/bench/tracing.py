#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Records every page that a program refers to while it runs in the guest (pages.py), or with --faults every page fault of all
programs, as the pager saw it (told.py), as CSV. Without --posix the program runs alone, and is process 1; with it, below the uart and
the posix server, which are processes 1 and 2. Instructions are counted as in benchmarks, so a trace comes out the same each time
(with one hart)."""
import argparse
import re
import shlex
import sys
import tempfile
from pathlib import Path

import pages
import told


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(prog="scripts/trace", description=__doc__)
    parser.add_argument("--build", default="build", help=argparse.SUPPRESS)
    parser.add_argument("--faults", action="store_true", help="page faults, not references")
    parser.add_argument("--posix", action="store_true", help="with files, pipes and fork")
    parser.add_argument("--process", type=int, help="record that one only")
    parser.add_argument("--kinds", help="record these only, of r, w and x")
    parser.add_argument("--memory", default="256M", help="of the machine")
    parser.add_argument("--harts", type=int, default=1)
    parser.add_argument("--timeout", type=int, default=600, metavar="SECONDS")
    parser.add_argument("--append", default="", help="further boot options")
    parser.add_argument("out", metavar="FILE", help="where the trace goes")
    parser.add_argument("program")
    parser.add_argument("words", metavar="ARGUMENT", nargs=argparse.REMAINDER)
    return parser.parse_args()


def booted(options, folder):
    """The boot options, and the image. The posix server's first program may have any arguments: the shell becomes it."""
    words, image = [options.program, *options.words], pages.IMAGE
    if options.posix and any(re.search(r"[\s:]", word) for word in words):
        image, boot = pages.lines_image(options.build, folder, f"exec {shlex.join(words)}\n")
    else:
        boot = pages.boot_words(words, options.posix)
    return f"{options.append} {boot}".strip(), image


def references(options, append, image):
    """Every page that is referred to."""
    filters = [f"{name}={value}" for name, value in (("process", options.process), ("kinds", options.kinds)) if value is not None]
    pages.record(options.build, options.out, append, filters, options.memory, options.harts, options.timeout, image)
    return pages.summary(options.out)


def faults(options, append, image):
    """Every fault."""
    Path(options.out).unlink(missing_ok=True)
    return told.record_faults(options.build, options.out, append, process=options.process, kinds=options.kinds, memory=options.memory,
                              harts=options.harts, seconds=options.timeout, image=image)


def main():
    """Exit status 1 if there is no whole trace of a program that ended well."""
    options = arguments()
    try:
        with tempfile.TemporaryDirectory() as folder:
            print(*(faults if options.faults else references)(options, *booted(options, folder)), sep="\n")
    except (pages.Bad, OSError) as why:
        sys.exit(f"trace: {why}")


if __name__ == "__main__":
    main()
