#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""mutate.py CLANG ARGUMENTS...: shows that the host tests can fail. TAP.

Each mutation breaks one line of a copy of a source; some test of that source must then fail. A mutation whose text is no
longer there, or is there twice, is an error: change it together with the code. The tests must pass when nothing is changed.
"""
import os
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SECONDS = 100  # for one test

# What runs: the program's source, the others that it links, more arguments, and the script and its arguments.
TESTS = {
    "frames fuzz": ("frames_fuzz.c", ["pager/frames.c"], ["-fsanitize=fuzzer"], ["fuzz.py"], ["1000"]),
    "image fuzz": ("image_fuzz.c", ["pager/image.c"], ["-fsanitize=fuzzer"], ["fuzz.py"], ["10000"]),
    "pager fuzz": ("pager_fuzz.c", ["pager/frames.c", "pager/slab.c", "pager/image.c", "pager/object.c", "pager/space.c", "pager/ahead.c", "pager/region.c",
                                    "pager/life.c", "pager/arguments.c", "pager/promise.c", "pager/policy/choose.c", "pager/policy/demand.c", "pager/policy/window.c", "pager/policy/eager.c"],
                   ["-fsanitize=fuzzer"], ["fuzz.py"], ["2500"]),
    "fdt": ("fdt_test.c", ["kernel/devicetree.c"], ["-lfdt"], ["fdt_test.py"], []),
    "fdt fuzz": ("fdt_fuzz.c", ["kernel/devicetree.c"], ["-fsanitize=fuzzer", "-lfdt"], ["fuzz.py"], ["50000"]),
    "tty fuzz": ("tty_fuzz.c", ["servers/posix/tty.c"], ["-fsanitize=fuzzer"], ["fuzz.py"], ["3000"]),
    "cpio fuzz": ("cpio_fuzz.c", ["kernel/cpio.c"], ["-fsanitize=fuzzer"], ["fuzz.py"], ["50000"]),
}

# file: [(name, old text, new text)]
MUTATIONS = {
    "pager/frames.c": [
        ("a freed frame counts as zeroed", "push(n, STATE_FREE);", "push(n, STATE_READY);"),
        ("a frame is not zeroed", "  if (pa && zero)\n", "  if (pa && !zero)\n"),
        ("a frame of a run is not zeroed", "if (state[n] == STATE_READY)\n      ready++;", "if (state[n] != STATE_VIRGIN)\n      ready++;"),
        ("a run goes past its end", "while (end - first < most && end <", "while (end - first <= most && end <"),
        ("a run takes what is not free", "return state >= least && state <= STATE_READY;", "return state >= least && state <= STATE_USED;"),
        ("a run leaves a list's frame behind", "while (low > first && link[low].next == low)", "while (low > first && link[low].next)"),
        ("a run over two blocks is counted in one", "  if (end > edge)\n", "  if (end > edge + BLOCK_FRAMES)\n"),
        ("a ready frame of a run counts as another", "  frames.zeroed -= ready;\n  frames.unzeroed -= end", "  frames.unzeroed -= end"),
        ("a list's backward link is lost", "frames.link[*head - 1].prev = (uint32_t)n + 1;", ";"),
        ("the last of a list stays on it", "list_of(frames.state[low])) = next;",
         "list_of(frames.state[low])) = next ? next : *list_of(frames.state[low]);"),
        ("a block of the kernel's own is not counted", "frames.total += BLOCK_FRAMES;", ";"),
        ("the reserve is given away first", "if (find_block(&block)) {\n    *base",
         "if (!frames.reserve && find_block(&block)) {\n    *base"),
        ("the reserve is remembered after it left", "frames.reserve = 0;", ";"),
        ("a block that came back is not available", "  frames.block_free[block] = BLOCK_FRAMES;\n", ""),
        ("a range is added to its first block only", "stop = stop < end ? stop : end;", "stop = end;"),
        ("preparing loses count", "while (frames.zeroed < count)", "while (frames.zeroed + 1 < count)"),
    ],
    "pager/image.c": [
        ("a segment past the file's end", "s->filesz <= bytes - s->offset &&", "s->filesz <= bytes &&"),
        ("a table past the file's end", "h->phnum <= (head - h->phoff) / sizeof(struct elf_segment)", "h->phnum"),
        ("writable and executable", "prot != (PF_W | PF_X) &&", ""),
        ("segments may overlap", "s->vaddr >= from &&", "s->vaddr + Q_PAGE_SIZE >= from &&"),
        ("too little cache is promised", "(file_bytes / Q_PAGE_SIZE + 2)", "(file_bytes / Q_PAGE_SIZE + 1)"),
        ("one segment too many", "image->segments == SEGMENTS_MAX ||", "image->segments > SEGMENTS_MAX ||"),
        ("the bytes of the first page lie at its start", "memcpy((char *)to + (start - page),", "memcpy((char *)to,"),
        ("a page past the segment's data", "end = end < page + Q_PAGE_SIZE ? end : page + Q_PAGE_SIZE;",
         "end = page + Q_PAGE_SIZE;"),
        ("an odd entry", "return image->entry % 2 == 0;", "return true;"),
    ],
    "pager/space.c": [
        ("only one block is taken back", "  while (!frames.free && !frames.ready && !frames_hot() &&",
         "  if (!frames.free && !frames.ready && !frames_hot() &&"),
        ("a page that goes stays charged", "  assert(space->stats.resident);\n  space->stats.resident--;\n", ""),
        ("a cached page that nobody has is kept", "    if (last)\n      frame_mapped(frame, false);\n", ""),
        ("a mapped cached page is dropped", "if (drop && !frames.link[frame_number(frame)].next) {", "if (drop) {"),
        ("the tail of a page that shrank is kept", "  int error = page < brk ? own_page(space, page, &frame) : 0;",
         "  int error = frame = 0;"),
        ("a tail is cleared that another has, too", "  *frame = answer.reason ? 0 : PAGE_OF(answer.frame_prot);",
         "  *frame = answer.reason ? 0 : old;"),
        ("shrinking leaves the last page", "if (PAGE_UP(old) == from)", "if (PAGE_UP(old) - from <= Q_PAGE_SIZE)"),
        ("a failed populate keeps its pages",
         "    backend_unmap(space, from, (page - from) >> Q_PAGE_SHIFT, space_removed_all);\n    return ENOMEM;",
         "    return ENOMEM;"),
        ("a failed populate keeps the break", "    space->brk = old;\n", ""),
        ("text may be written", "if (kind == Q_FAULT_WRITE && !(segment->prot & Q_PROT_WRITE))", "if (kind > Q_FAULT_EXECUTE)"),
        ("the byte at the break belongs to the heap", "  if (va >= space->heap && va < space->brk)\n    return kind",
         "  if (va >= space->heap && va <= space->brk)\n    return kind"),
        ("what another has is written", "if (!writes_through && (!last || is_common(old))) {",
         "if (!writes_through && is_common(old)) {"),
        ("an object's page is written", "(!last || is_common(old))", "!last"),
        ("a copy is charged twice", "      space->stats.resident--; /* which", "      space->stats.resident -= 0; /* which"),
        ("a replaced page that comes back is not charged", "  else\n    charge_one(space);\n", ""),
        ("a replaced page that comes back is not shown", "  if (is_common(old))\n    show(space, old);\n  else",
         "  if (!is_common(old))"),
        ("a page with a failed table is lost", "  frame_give(frame);\n  return 0;\n}\n\nstatic uint64_t region_content", 
         "  return 0;\n}\n\nstatic uint64_t region_content"),
        ("an object's page comes writable", "return show(space, frame) | (region->prot & ~(unsigned)Q_PROT_WRITE);",
         "return show(space, frame) | region->prot;"),
        ("a frozen page is charged twice", "  if (good && own) {\n    space->stats.resident--;", "  if (good && own) {"),
        ("what an object leaves behind is common", "  creator->stats.shared -= mapped;\n", ""),
    ],
    "pager/ahead.c": [
        ("the pages leave the area above", "page + (after < most_after ? after : most_after)};", "page + after};"),
        ("the pages leave the area below", "page - (before < most_before ? before : most_before),", "page - before,"),
        ("the pages lie below sp", "set(area, POLICY_STACK, stack_start(sp), P_STACK_TOP", "set(area, POLICY_STACK, P_STACK_BASE, P_STACK_TOP"),
        ("the file's bytes are lost", "!(segment->prot & Q_PROT_WRITE) || page < start)", "!(segment->prot & Q_PROT_WRITE))"),
        ("an object's pages are zeros", "if (region->object || !region->prot)", "if (!region->prot)"),
        ("what is there comes again above", "    run->end = page + (uint64_t)__builtin_ctzl(above) * Q_PAGE_SIZE;", "    ;"),
        ("what is there comes again below", "    run->start = page - (uint64_t)__builtin_clzl(below) * Q_PAGE_SIZE;", "    ;"),
        ("what is mapped is forgotten", "    extent_add(area.touched, run.start, run.end);", "    ;"),
        ("what is mapped at once is forgotten", "    extent_add(area->touched, page, page + n * Q_PAGE_SIZE);", "    ;"),
        ("a short run misses the page", "  return page < last ? page : last;", "  return run->start;"),
        ("what failed before a fault is lost", "  space_undo(space, &run);\n  return 0;", "  return 0;"),
        ("promised frames are given", "  uint64_t n = promised ? 0 : take(", "  uint64_t n = take("),
        ("a mapping without access gets pages", "  if (region && !region->prot)\n    return;\n", ""),
        ("what was touched counts as untouched", "there.present & ~there.accessed", "there.present"),
    ],
    "pager/region.c": [
        ("no region is divided at its offset", "  rest->offset += (at - region->start) >> Q_PAGE_SHIFT;\n", ""),
        ("a divided object is held once", "    if (region->object)\n      object_hold(region->object);\n", ""),
        ("a region is not counted", "  space->region_count--;\n", ""),
        ("unmapping leaves the pages",
         "    backend_unmap(space, region->start, (region->end - region->start) >> Q_PAGE_SHIFT, space_removed_all);\n    *link",
         "    *link"),
        ("a mapping goes round", "bytes <= P_BREAK_MAX - start;", "start + bytes <= P_BREAK_MAX;"),
        ("a mapping over the heap", "start >= PAGE_UP(space->brk) &&", ""),
        ("a gap of one page too few", "found = r->start - gap >= bytes ?", "found = r->start - gap + Q_PAGE_SIZE >= bytes ?"),
        ("writable and executable", "&& !writes_code);", ");"),
        ("a mapping that fails keeps its region", "    if (region)\n      region_free(space, region);\n", ""),
        ("a parked page is another program's, too", "  if (!last) { /* it", "  if (0) { /* it"),
        ("a parked page is lost", "  return object_put(object, (va - region->start) >> Q_PAGE_SHIFT, parked);",
         "  return parked;"),
        ("a parked page stays charged", "  space->stats.resident--;\n  promises_use", "  promises_use"),
        ("a parked page keeps its promise", "promises_use(space, last ? -1 : 0);", "promises_use(space, 0);"),
        ("parking forgets what the object had", "    good = !frame || object_put(object, i, frame);\n", ""),
        ("parking ends after a page", "entry = good ? backend_take(space, &va, region->end) : 0)", "entry = 0)"),
        ("what was parked shows elsewhere", "  region->offset = 0;\n", ""),
        ("the object before is held for ever", "  if (old)\n    space_drop_object(old);\n", ""),
        ("what cannot be parked is lost", "      put_back(space, region, va, frame);\n", ""),
        ("what was never parked is lost", "    put_back(space, region, va, PAGE_OF(entry));\n", ""),
        ("what is put back cannot run", "frame | (region->prot & ~(unsigned)Q_PROT_WRITE));", "frame | Q_PROT_READ);"),
        ("what is made writable is so for all", "region->shared ? prot : prot & ~(unsigned)Q_PROT_WRITE;", "prot;"),
        ("what is written no more is promised to others", "writable || (prot && region->counted && !region->shared);",
         "writable;"),
    ],
    "pager/object.c": [
        ("an object's frame goes with the first that drops it", "  if (--link->prev)\n    return false;\n", "  link->prev = 0;\n"),
        ("a frame that the server has goes", "  if (mapped)\n    frames.state", "  if (0)\n    frames.state"),
        ("a frame that nobody has is kept", "  bool mapped = link->next;", "  bool mapped = true;"),
        ("a frame of two objects is counted once", "  link->prev++;\n", "  link->prev = 1;\n"),
        ("what was in its place is kept", "  if (*slot)\n    let_go((uint64_t)*slot << Q_PAGE_SHIFT);\n", ""),
        ("its tables are kept", "  frame_give((uint64_t)((char *)leaf - frames.window));\n", ""),
        ("it goes with the first that drops it", "  if (--object->holders)\n    return 0;\n", ""),
        ("another's object is found", "object->id == id && object->creator == creator", "object->id == id"),
        ("an id is found when it is gone", "  table[object->id % OBJECTS] = NULL;\n", ""),
        ("a page past its end", "page < object->pages ? slot_of(object, page) : NULL;", "slot_of(object, page);"),
    ],
    "pager/life.c": [
        ("an old process id is found", "space_begin(space, next++, image, policy);",
         "space_begin(space, next++ % 1000 + 1, image, policy);"),
        ("a server's objects outlive it", "while (space->server &&", "while (!space->server &&"),
        ("the regions outlive the program", "  regions_drop(space);\n", ""),
        ("the promise outlives the program", "  promise_end(space);\n", ""),
        ("a fork may write the heap", "PAGE_UP(parent->brk), Q_PROT_READ);", "PAGE_UP(parent->brk), Q_PROT_READ | Q_PROT_WRITE);"),
        ("a fork may write a mapping", "r->shared ? r->prot : r->prot & ~(unsigned)Q_PROT_WRITE);", "r->prot);"),
        ("a fork that fails keeps pages", "    unmap_all(child, unshared);\n", ""),
        ("a fork forgets the break", "  child->brk = parent->brk;\n", ""),
        ("a fork is charged nothing", "child->stats.peak = parent->stats.resident;", "child->stats.peak = 0;"),
        ("exec keeps the break", "  space->brk = next->brk;\n", ""),
        ("exec forgets its promise", "  space->promised = next->promised;\n", ""),
        ("exec is charged nothing", "  stats.resident = next->stats.resident;\n", ""),
        ("exec keeps the memory", "  space_clear(space);\n  struct p_stats stats", "  struct p_stats stats"),
    ],
    "pager/promise.c": [
        ("a promise that goes is kept", "  promise_all(promised - space->promised);\n", ""),
        ("a promise is counted anew", "promise_all(promised + now - space->promised);", "promise_all(promised + now);"),
        ("mappings are not promised", "sum += r->counted ? pages", "sum += 0 ? pages"),
        ("what is had is promised still", "used += space->strict ? (uint64_t)frames : 0;", "(void)space, (void)frames;"),
        ("anybody's frames are counted", "used += space->strict ? (uint64_t)frames : 0;", "(void)space, used += (uint64_t)frames;"),
        ("others take what was promised", "  return frames_available() > promises_withheld() + links_to_come();\n", "  return true;\n"),
    ],
    "pager/arguments.c": [
        ("argv does not end", "8 * (count + 3)) & ~15ul, at", "8 * (count + 1)) & ~15ul, at"),
        ("not even a name", "  if (environment >= count)\n", "  if (environment > count)\n"),
        ("the environment is not apart", "at += n == count - environment ? 8 : 0;", "at += 0;"),
    ],
    "kernel/devicetree.c": [
        ("the cursor leaves its block", "if (bytes > (uint64_t)(from->end - from->at))", "if (bytes >> 32)"),
        ("a string goes on past its block", "while (end < from->end && *end)", "while (*end)"),
        ("nodes of any depth", "if (token.kind == BEGIN_NODE && depth == DEPTH)", "if (token.kind == BEGIN_NODE && depth == 2 * DEPTH)"),
        ("a device's range goes round", "if (range.base + range.bytes < range.base)\n    return false;", ""),
        ("a reservation goes round", "if (range.base + range.bytes < range.base)\n    tree", "if (!tree)\n    tree"),
        ("a reserved range is left out", "(uint64_t)(all.end - all.at) != i * entry", "(uint64_t)(all.end - all.at) < i * entry"),
        ("any interrupt's context is the supervisor's", "<< 32 | SUPERVISOR_EXTERNAL))", "<< 32 | (uint32_t)entry))"),
        ("an initrd that ends before it starts", "m->initrd > m->initrd_end ?", "!m->initrd_end && m->initrd ?"),
        ("a bus does not translate", "range->base += to - from;", "range->base += from - to;"),
        ("a disabled hart", 'enabled(node) && find(node, "reg").at;', 'find(node, "reg").at;'),
    ],
    "servers/posix/tty.c": [
        ("the mark of a line is an end of input", "if (!whole &&", "if (!whole && !got &&"),
        ("a newline's line takes the end of input with it", "bool whole = got && tty->in[(tty->read - 1) % TTY_IN] == '\\n';", "bool whole = false;"),
        ("two lines are one read", "if (c == TTY_END)\n      break;", ""),
        ("the place for the end of a line is taken", "TTY_IN : TTY_IN - 1)", "TTY_IN : TTY_IN)"),
        ("a line of one byte too many", ">= POSIX_LINE - 1;", ">= POSIX_LINE;"),
        ("a character's first byte stays", "while (CONTINUES(c) &&", "while (!c &&"),
        ("erasing leaves the line", "while (CONTINUES(c) && tty->typed > tty->lines);", "while (CONTINUES(c));"),
        ("a control character is one column", "? column + 2 :", "? column + 1 :"),
        ("a tab from where the line begins", "unsigned column = tty->start,", "unsigned column = 0,"),
        ("a newline of which half has room", "tty_room(tty) >= 2; n++", "tty_room(tty) >= 1; n++"),
        ("an interrupt keeps whole lines", "tty->read = tty->lines = tty->typed;", "tty->lines = tty->typed = tty->lines;"),
        ("type-ahead is shown twice", "tty->echoed = i < echoed ? tty->typed + 1 : tty->read;", "tty->echoed = tty->read;"),
        ("raw mode leaves the line being typed", "if (raw)\n    tty->lines = tty->typed;\n  else", ""),
        ("raw mode reads beyond the line", "if (c == '\\n')\n      break;", ""),
        ("erasing a word stops at its blanks", "while (tty->typed > tty->lines && blank(last(tty)))\n    erase(tty);\n", ""),
    ],
    "kernel/cpio.c": [
        ("a file past the end", "data_bytes > left - data ||", "data_bytes > left ||"),
        ("a name past the end", "data > left ||", ""),
        ("a name that does not end", " || name[name_bytes - 1])", ")"),
        ("a digit that is none", "if (digit > 9 && letter > 5)", "if (digit > 9 && letter > 6)"),
    ],
}


def compiled(clang, name, source, mutated, folder):
    """The test's program, with `mutated` instead of `source`."""
    own, others, more, _, _ = TESTS[name]
    program = folder / name.replace(" ", "_")
    files = [HERE / own] + [mutated if other == source else ROOT / other for other in others]
    here = ["-iquote", (ROOT / source).parent] # where its headers are
    subprocess.run(clang[:1] + here + clang[1:] + ["-Wno-unused", "-Wno-unused-parameter", "-fsanitize=address,undefined"] + files + more + ["-o", program], check=True, capture_output=True,
                   text=True)
    return program


def passes(clang, name, source, mutated, folder):
    """Whether the test passes, however it fails; one that does not compile raises."""
    program = compiled(clang, name, source, mutated, folder)
    _, _, _, script, arguments = TESTS[name]
    environment = {**os.environ, "QUIRE_FULL": "", "ASAN_OPTIONS": "symbolize=0"}
    with subprocess.Popen([sys.executable, HERE / script[0], program, *arguments], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, env=environment, start_new_session=True) as test:
        try:
            return test.wait(SECONDS) == 0
        except subprocess.TimeoutExpired:
            os.killpg(test.pid, signal.SIGKILL) # the program that the script has started too
            return False


def mutate(clang, source, old, new):
    """What went wrong; "" if a test failed as it must."""
    text = (ROOT / source).read_text()
    if text.count(old) != 1:
        return f"the text is there {text.count(old)} times, not once: {old!r}"
    with tempfile.TemporaryDirectory() as folder:
        mutated = Path(folder) / Path(source).name
        mutated.write_text(text.replace(old, new))
        try:
            for name, test in TESTS.items():
                if source in test[1] and not passes(clang, name, source, mutated, Path(folder)):
                    return ""
        except subprocess.CalledProcessError as error:
            return f"does not compile: {error.stderr[:300]!r}"
    return "no test fails"


def unchanged(clang, name):
    """What went wrong with a test of the sources as they are."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return "" if passes(clang, name, "", "", Path(folder)) else "it fails, so its failures say nothing"
        except subprocess.CalledProcessError as error:
            return f"does not compile: {error.stderr[:300]!r}"


def main():
    """Exit status 0 if all is right."""
    clang = sys.argv[1:]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [(f"unchanged: {name}", pool.submit(unchanged, clang, name)) for name in TESTS]
        jobs += [(f"{source}: {name}", pool.submit(mutate, clang, source, old, new))
                 for source, list_of in MUTATIONS.items() for name, old, new in list_of]
        print(f"1..{len(jobs)}")
        failed = 0
        for number, (what, job) in enumerate(jobs, 1):
            wrong = job.result()
            failed += bool(wrong)
            print(f"not ok {number} - {what}\n# {wrong}" if wrong else f"ok {number} - {what}", flush=True)
    return int(failed != 0)


if __name__ == "__main__":
    sys.exit(main())
