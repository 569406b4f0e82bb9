#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What single operations take (scale.c) against the number of processes, of mappings, or of pages that the program has touched:
prints a table for each, and fails if one takes much more though its own work is the same."""
import argparse
import json
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import judge  # noqa: E402
import peer  # noqa: E402

BEGIN = "<!-- made by scripts/bench --scale --update-docs: begin -->"
PLOT = peer.DOCUMENT.parent / "scale.svg"
TITLES = {"processes": "processes alive", "mappings": "mappings of the program", "pages": "pages that the program has touched"}
SIZES = {"processes": (1, 10, 100, 1000, 10000), "mappings": (1, 10, 100, 1000, 8000), "pages": (16, 256, 4096, 65536, 262144)}
MEMORY = {10000: "512M", 65536: "512M", 262144: "1280M"}
WORK = {("fork", "mappings"), ("fork_exec", "mappings"), ("fork", "pages"), ("fork_exec", "pages")}  # these copy what there is
LIMIT = 2.0


def measure(build, kind, size):
    """operation -> instructions, of one boot."""
    options = judge.parser().parse_args(["--kernel", f"{build}/kernel/quire.bin", "--initrd", f"{build}/tests/scale.cpio", "--append",
                                         f"ready=0 serve=uart serve=posix:scale:{kind}:{size}", "--memory", MEMORY.get(size, "256M"),
                                         "--deadline", "1000"])
    output = judge.boot(options)
    if any(line.startswith("not ok") for line in judge.judge(output)):
        raise judge.Bad(f"{kind}, {size}: the benchmark failed:\n" + output.decode(errors="replace"))
    found = [json.loads(line[8:]) for line in judge.console(output) if line.startswith("# bench {")]
    return {figure["name"].split("/")[0]: figure["median"] for figure in found if "/" in figure["name"]}


def collect(build):
    """kind -> operation -> {size: instructions}."""
    found = {}
    for kind, sizes in SIZES.items():
        rows = found.setdefault(kind, {})
        for size in sizes:
            for operation, median in measure(build, kind, size).items():
                rows.setdefault(operation, {})[size] = median
    return found


def growth(row):
    """By how much the most is more than the least."""
    return max(row.values()) / min(row.values())


def tables(found):
    """One for each kind of size."""
    for kind, rows in found.items():
        yield f"| {TITLES[kind]} | " + " | ".join(f"{size:,}" for size in SIZES[kind]) + " | most / least |"
        yield "| --- |" + " ---: |" * (len(SIZES[kind]) + 1)
        for operation, row in rows.items():
            cells = [f"{row[size]:,}" if size in row else "-" for size in SIZES[kind]]
            mark = " (its work)" if (operation, kind) in WORK else ""
            yield f"| `{operation}` | " + " | ".join(cells) + f" | {growth(row):.2f}{mark} |"
        yield ""


def grown(found):
    """What takes more than it should."""
    for kind, rows in found.items():
        for operation, row in rows.items():
            if (operation, kind) not in WORK and growth(row) > LIMIT:
                yield f"{operation} takes {growth(row):.1f} times as much, by the number of {kind}"


# ---- The plot ---------------------------------------------------------------------------------------------------------------

WIDTH, HEIGHT, LEFT, TOP = 300, 300, 40, 30
COLOURS = ("#1b6ca8", "#c2410c", "#15803d", "#7e22ce", "#a16207", "#0e7490", "#be123c", "#4d7c0f", "#475569", "#9d174d", "#1e40af", "#b45309",
           "#115e59", "#6b21a8")
LEAST, MOST = 10, 100_000_000


def text(x, y, words, more=""):
    """A label of the plot."""
    return f'<text x="{x:.0f}" y="{y:.0f}" {more}>{words}</text>'


def height_of(value):
    """Where a number of instructions stands."""
    return TOP + HEIGHT * (1 - math.log(value / LEAST) / math.log(MOST / LEAST))


def panel(left, kind, rows, colours):
    """Both scales are logarithmic."""
    sizes = SIZES[kind]

    def across(size):
        return left + WIDTH * math.log(size / sizes[0]) / math.log(sizes[-1] / sizes[0])
    yield f'<rect x="{left}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#888"/>'
    yield text(left, TOP - 10, TITLES[kind])
    for power in range(1, 9):
        y = height_of(10 ** power)
        yield f'<path d="M{left} {y:.0f}h{WIDTH}" stroke="#ddd"/>' + text(left - 4, y + 4, f"1e{power}", 'text-anchor="end"')
    for size in sizes:
        yield text(across(size), TOP + HEIGHT + 14, f"{size:,}", 'text-anchor="middle"')
    for operation, row in rows.items():
        points = " ".join(f"{across(size):.0f},{height_of(value):.0f}" for size, value in row.items())
        yield f'<polyline points="{points}" fill="none" stroke="{colours[operation]}" stroke-width="1.5"/>'


def plot(found):
    """An SVG of all tables."""
    names = list(dict.fromkeys(operation for rows in found.values() for operation in rows))
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    step = WIDTH + LEFT + 20
    wide, tall = LEFT + step * len(found) + 140, TOP + HEIGHT + 30
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{tall}" font-family="sans-serif" font-size="10">',
             f'<rect width="{wide}" height="{tall}" fill="white"/>']
    for i, (kind, rows) in enumerate(found.items()):
        parts += panel(LEFT + i * step, kind, rows, colours)
    for i, name in enumerate(names):
        x, y = LEFT + step * len(found), TOP + 14 + 20 * i
        parts.append(f'<path d="M{x} {y - 4}h16" stroke="{colours[name]}" stroke-width="2"/>' + text(x + 22, y, name))
    return "\n".join(parts + ["</svg>"]) + "\n"


def main():
    """Exit status 1 if something grows that should not."""
    parser = argparse.ArgumentParser(prog="scripts/bench --scale", description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--json", type=Path, help="where to write the figures, too")
    parser.add_argument("--update-docs", action="store_true", help="puts the tables into docs/results.md, and renews docs/scale.svg")
    options = parser.parse_args()
    try:
        found = collect(options.build)
        print(*tables(found), sep="\n")
        if options.json:
            options.json.write_text(json.dumps(found, indent=1) + "\n")
        if options.update_docs:
            peer.DOCUMENT.write_text(peer.updated(peer.DOCUMENT.read_text(), "\n".join(tables(found)).rstrip(), BEGIN))
            PLOT.write_text(plot(found))
    except (judge.Bad, peer.Failed) as why:
        sys.exit(f"scale: {why}")
    bad = list(grown(found))
    print(*bad, sep="\n")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
