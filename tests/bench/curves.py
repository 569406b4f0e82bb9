# SPDX-License-Identifier: BSD-2-Clause
"""The plots of an experiment: for each workload the miss ratios of all policies against the frames, Belady's optimum among them; and
the times of those that ran in the guest. A curve or point is the mean over the seeds, the band or stroke about it from the least to the
most."""
import collections
import math
import statistics
from typing import NamedTuple

from scale import COLOURS, text

WIDTH, HEIGHT, LEFT, TOP, COLUMNS, LEGEND = 280, 220, 50, 30, 3, 220
STEP_X, STEP_Y = WIDTH + LEFT + 20, HEIGHT + TOP + 40
MOST_TICKS = 5


class Point(NamedTuple):
    """What all seeds have there."""
    frames: int
    mean: float
    least: float
    most: float


class Figure(NamedTuple):
    """What is drawn."""
    name: str
    title: str
    unit: float  # what is drawn as 1
    lines: str  # of which way to run; of the other points only


MISSES = Figure("miss_ratio", "miss ratio", 1, "replay")
TIMES = Figure("microseconds", "milliseconds of the guest", 1000, "guest")


def curves(rows, figure):
    """(run, policy) -> its points, by frames."""
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    for row in rows:
        found[row["run"], row["policy"]][row["frames"]].append(row[figure.name] / figure.unit)
    return {key: [Point(frames, statistics.fmean(values), min(values), max(values)) for frames, values in sorted(points.items())]
            for key, points in found.items()}


def style(key, colours):
    """How a policy is drawn: OPT dashed, so that it is seen below another."""
    return f'stroke="{colours[key[1]]}"' + (' stroke-dasharray="5 3"' if key[1] == "opt" else "")


def mark(x, y, key, colours):
    """A point: filled of a replay, a ring of the guest."""
    replayed = key[0] == "replay"
    return (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{2 if replayed else 4.5}" fill="{colours[key[1]] if replayed else "none"}" '
            f'stroke="{colours[key[1]]}"/>')


def round_step(most):
    """The least of 1, 2 and 5 times a power of ten of which at most MOST_TICKS reach so high."""
    power = 10 ** math.floor(math.log10(most / MOST_TICKS))
    return next(step for step in (power, 2 * power, 5 * power, 10 * power) if step * MOST_TICKS >= most)


def axes(left, top, sizes, most, across):
    """The frame of a panel, and what its scales say, which are linear: ratios from 0, frames from the fewest."""
    yield f'<rect x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#888"/>'
    step = round_step(most)
    for i in range(int(most / step + 1e-9) + 1):
        y = top + HEIGHT * (1 - i * step / most)
        yield f'<path d="M{left} {y:.0f}h{WIDTH}" stroke="#ddd"/>' + text(left - 4, y + 4, f"{i * step:.3g}", 'text-anchor="end"')
    for size in sizes[::-(-len(sizes) // 8)]:
        yield text(across(size), top + HEIGHT + 14, f"{size:,}", 'text-anchor="middle"')
    yield text(left + WIDTH / 2, top + HEIGHT + 28, "frames", 'text-anchor="middle"')


def band(points, across, down, colour):
    """From the least to the most of the seeds, along a curve."""
    edge = [(across(point.frames), down(point.most)) for point in points] + [(across(p.frames), down(p.least)) for p in reversed(points)]
    return f'<polygon points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in edge)}" fill="{colour}" fill-opacity="0.15"/>'


def strokes(points, across, down, colour):
    """The same of single points."""
    for point in points:
        yield f'<path d="M{across(point.frames):.1f} {down(point.least):.1f}V{down(point.most):.1f}" stroke="{colour}"/>'


def panel(left, top, name, rows, colours, figure=MISSES):
    """One workload."""
    sizes = sorted({row["frames"] for row in rows})
    lines = curves(rows, figure)
    most = max(point.most for points in lines.values() for point in points) or 1

    def across(size):
        return left + WIDTH * ((size - sizes[0]) / (sizes[-1] - sizes[0]) if len(sizes) > 1 else 0.5)

    def down(value):
        return top + HEIGHT * (1 - value / most)
    yield from axes(left, top, sizes, most, across)
    yield text(left, top - 10, f"{name}: {figure.title}")
    for key, points in lines.items():
        places = [(across(point.frames), down(point.mean)) for point in points]
        yield from strokes(points, across, down, colours[key[1]])
        if key[0] == figure.lines:
            yield band(points, across, down, colours[key[1]])
            yield f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in places)}" fill="none" {style(key, colours)} stroke-width="1.5"/>'
        yield from (mark(x, y, key, colours) for x, y in places)


def legend(left, keys, colours, figure):
    """A line for each policy and way to run it."""
    for i, key in enumerate(keys):
        y = TOP + 14 + 20 * i
        if key[0] == figure.lines:
            yield f'<path d="M{left} {y - 4}h24" {style(key, colours)} stroke-width="2"/>'
        yield mark(left + 12, y - 4, key, colours)
        yield text(left + 32, y, key[1] + (", in the guest" if key[0] == "guest" else ""))


def plot(rows, figure=MISSES):
    """The SVG of all rows (cell.py's figures)."""
    policies = [policy for policy in dict.fromkeys(row["policy"] for row in rows) if policy != "opt"]
    rows = [row for row in rows if figure.name in row]
    names = list(dict.fromkeys(row["workload"] for row in rows))
    keys = list(dict.fromkeys((row["run"], row["policy"]) for row in rows))
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(policies)} | {"opt": "#000"}
    across = max(min(len(names), COLUMNS), 1)
    wide = LEFT + STEP_X * across + LEGEND
    tall = max(STEP_Y * -(-len(names) // COLUMNS), TOP + 20 * len(keys)) + 10
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{tall}" font-family="sans-serif" font-size="11">',
             f'<rect width="{wide}" height="{tall}" fill="white"/>']
    for i, name in enumerate(names):
        parts += panel(LEFT + i % COLUMNS * STEP_X, TOP + i // COLUMNS * STEP_Y, name, [row for row in rows if row["workload"] == name], colours, figure)
    parts += legend(LEFT + STEP_X * across, keys, colours, figure)
    return "\n".join(parts + ["</svg>"]) + "\n"
