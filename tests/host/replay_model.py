# SPDX-License-Identifier: BSD-2-Clause
"""How often algorithms of replacement miss, as slowly and as plainly as their definitions are written. Nothing here is
taken from pager/: a trace is a list of pages, a frame a place in a list."""


def fifo(trace, frames, _enter):
    """The page that has been there longest goes."""
    there, misses = [], 0
    for page in trace:
        if page not in there:
            misses += 1
            there = (there + [page])[-frames:]
    return misses


def lru(trace, frames, _enter):
    """A reference misses unless fewer than `frames` other pages were referenced since the page's last."""
    misses = 0
    for now, page in enumerate(trace):
        before = [i for i in range(now) if trace[i] == page]
        misses += not before or len(set(trace[before[-1] + 1:now])) >= frames
    return misses


def clock(trace, frames, enter):
    """A circle of frames and a hand, which clears the bits it finds set and takes the first frame whose bit is clear."""
    circle, bit, hand, misses = [], [], 0, 0
    for page in trace:
        if page in circle:
            bit[circle.index(page)] = True
            continue
        misses += 1
        if len(circle) < frames:
            circle.append(page)
            bit.append(enter)
            continue
        while bit[hand]:
            bit[hand] = False
            hand = (hand + 1) % frames
        circle[hand], bit[hand] = page, enter
        hand = (hand + 1) % frames
    return misses


def sieve(trace, frames, enter):
    """Algorithm 1 of the paper: the queue's head is its first, the hand is an object of it or None, prev is towards the head."""
    queue, visited, hand, misses = [], {}, None, 0
    for page in trace:
        if page in queue:
            visited[page] = True
            continue
        misses += 1
        if len(queue) == frames:
            victim = queue[-1] if hand is None else hand
            while visited[victim]:
                visited[victim] = False
                place = queue.index(victim)
                victim = queue[place - 1] if place else queue[-1]
            place = queue.index(victim)
            hand = queue[place - 1] if place else None
            queue.remove(victim)
        queue.insert(0, page)
        visited[page] = enter
    return misses


def opt(trace, frames, _enter):
    """The page goes whose next reference is farthest away."""
    there, misses = set(), 0
    for now, page in enumerate(trace):
        if page in there:
            continue
        misses += 1
        if len(there) == frames:
            rest = trace[now:]
            there.remove(max(sorted(there), key=lambda other: rest.index(other) if other in rest else len(rest)))
        there.add(page)
    return misses


def s3_fifo(trace, frames, enter):
    """As the paper has it, with one bit of use, and faults since a page went for its ghost queue."""
    small, main, used, went, misses = [], [], {}, {}, 0
    for page in trace:
        if page in small + main:
            used[page] = True
            continue
        misses += 1
        back = page in went and misses - went[page] <= frames
        if len(small) + len(main) == frames:
            while True:
                queue = small if small and (not main or len(small) >= frames / 10) else main
                victim = queue.pop(0)
                if not used[victim]:
                    break
                used[victim] = False
                main.append(victim)
            went[victim] = misses
        (main if back else small).append(page)
        used[page] = enter
    return misses


def two_queues(trace, frames, _enter):
    """The paper's full version; lists begin with what is oldest."""
    a1in, a1out, am, misses = [], [], [], 0
    for page in trace:
        if page in am:
            am.remove(page)
            am.append(page)
        if page in am + a1in:
            continue
        misses += 1
        back = page in a1out
        a1out = [other for other in a1out if other != page]
        if len(a1in) + len(am) == frames:
            if len(a1in) > max(1, frames // 4) or not am:
                a1out = (a1out + [a1in.pop(0)])[-max(1, frames // 2):]
            else:
                am.pop(0)
        (am if back else a1in).append(page)
    return misses


def arc(trace, c, _enter):
    """Figure 4 of the paper; lists begin with what is oldest."""
    t1, t2, b1, b2, p, misses = [], [], [], [], 0.0, 0

    def replace(x):
        if t1 and (len(t1) > p or (x in b2 and len(t1) == p)) or not t2:
            b1.append(t1.pop(0))
        else:
            b2.append(t2.pop(0))

    for x in trace:
        if x in t1 + t2:
            (t1 if x in t1 else t2).remove(x)
            t2.append(x)
            continue
        misses += 1
        if x in b1 + b2:
            p = min(p + max(len(b2) / len(b1), 1), c) if x in b1 else max(p - max(len(b1) / len(b2), 1), 0)
            if len(t1) + len(t2) == c:
                replace(x)
            (b1 if x in b1 else b2).remove(x)
            t2.append(x)
            continue
        if len(t1) + len(b1) == c:
            if len(t1) < c:
                b1.pop(0)
                if len(t1) + len(t2) == c:
                    replace(x)
            else:
                t1.pop(0)
        else:
            if len(t1) + len(t2) + len(b1) + len(b2) == 2 * c:
                b2.pop(0)
            if len(t1) + len(t2) == c:
                replace(x)
        t1.append(x)
    return misses


def lirs(trace, frames, _enter):
    """Stack and queue of the paper, both as lists that begin with what is oldest; one frame in a hundred is for HIR pages, one at
    least."""
    stack, queue, low, misses, room = [], [], set(), 0, frames - max(1, frames // 100)
    for page in trace:
        known, there = page in stack, page in low or page in queue
        misses += not there
        if not there and len(low) + len(queue) == frames:
            queue.pop(0)
        stack = [other for other in stack if other != page] + [page]
        if page not in low:
            queue = [other for other in queue if other != page]
            if len(low) < room and not there or known and room:
                low.add(page)
            else:
                queue.append(page)
        if len(low) > room:
            bottom = next(other for other in stack if other in low)
            low.remove(bottom)
            queue.append(bottom)
        while room and stack[0] not in low:
            stack.pop(0)
    return misses


ALL = {"fifo": fifo, "lru": lru, "clock": clock, "sieve": sieve, "opt": opt, "s3-fifo": s3_fifo, "2q": two_queues, "arc": arc, "lirs": lirs}
