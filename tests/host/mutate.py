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
SEEDS = 3  # of a fuzzer, until it finds what is wrong: what it tries depends on where its memory is, too

# What runs: the program's source, the others that it links, more arguments, and the script, if there is one, and its arguments.
POLICIES = ["pager/choose.c"] + sorted(str(path.relative_to(ROOT)) for path in (ROOT / "pager/policy").glob("*.c"))
REPLAYER = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "pager/replay").glob("*.c"))
TESTS = {
    "replay": ("hostile.c", REPLAYER + POLICIES + ["tests/host/meddling.c", "tests/host/endless.c"],
               ["-D_GNU_SOURCE", "-DPOLICIES_MORE=X(hostile) X(glutton) X(grasping) X(scribbler) X(slow) X(nosy) X(meddling) X(urging) X(refusing) X(pressing) X(wide_process) X(wide_state) X(wide_note) X(wide_each) X(wide_both) X(endless_victims) X(endless_fault) X(endless_option)", "-DPATIENCE=1", "-lm"], ["replay_test.py"], []),
    "frames fuzz": ("frames_fuzz.c", ["pager/frames.c"], ["-fsanitize=fuzzer"], ["fuzz.py"], ["1000"]),
    "image fuzz": ("image_fuzz.c", ["pager/image.c"], ["-fsanitize=fuzzer"], ["fuzz.py"], ["10000"]),
    "pools": ("pool_test.c", ["pager/frames.c", "pager/slab.c", "pager/image.c", "pager/object.c", "pager/space.c", "pager/ahead.c", "pager/region.c", "pager/tree.c",
                              "pager/life.c", "pager/arguments.c", "pager/promise.c", "pager/policies.c", "pager/hooks.c", "pager/lost.c", "pager/relief.c", "pager/advice.c", "pager/pool.c", "pager/stuck.c", "pager/absent.c", "pager/ram.c", *POLICIES],
              ["-DPOLICIES_MORE=X(fading) X(nameless)"], [], []),
    "pager fuzz": ("pager_fuzz.c", ["pager/frames.c", "pager/slab.c", "pager/image.c", "pager/object.c", "pager/space.c", "pager/ahead.c", "pager/region.c", "pager/tree.c",
                                    "pager/life.c", "pager/arguments.c", "pager/promise.c", "pager/policies.c", "pager/hooks.c", "pager/lost.c", "pager/relief.c", "pager/advice.c", "pager/pool.c", "pager/stuck.c", "pager/absent.c", "pager/ram.c", *POLICIES],
                   ["-fsanitize=fuzzer", "-DPOLICIES_MORE=X(any)"], ["fuzz.py"], ["2500"]),
    "bits": ("pte_test.c", ["kernel/vm.c"], ["-DCHECK_INVARIANTS", "-Wno-pass-failed", "-include", str(HERE / "machine.h")], [], []),
    "fdt": ("fdt_test.c", ["kernel/devicetree.c"], ["-lfdt"], ["fdt_test.py"], []),
    "fdt fuzz": ("fdt_fuzz.c", ["kernel/devicetree.c"], ["-fsanitize=fuzzer", "-lfdt"], ["fuzz.py"], ["50000"]),
    "tty fuzz": ("tty_fuzz.c", ["servers/posix/tty.c"], ["-fsanitize=fuzzer"], ["fuzz.py"], ["3000"]),
    "cpio fuzz": ("cpio_fuzz.c", ["kernel/cpio.c"], ["-fsanitize=fuzzer"], ["fuzz.py"], ["50000"]),
}

# file: [(name, old text, new text)]
MUTATIONS = {
    "pager/choose.c": [("a policy without a name is looked at", "!(*found)->name || strncmp", "strncmp")],
    "pager/policy/fifo.c": [("the newest goes first", "at = list->oldest;", "at = list->newest;")],
    "pager/policy/clock.c": [("the wrong bit is a second chance", "most, policy_accessed)", "most, policy_dirty)")],
    "pager/policy/sieve.c": [
        ("the hand begins anew each time", "uint32_t at = s->hand ? s->hand :", "uint32_t at = n ? s->hand :"),
        ("a page is proposed twice", "if (n && at - 1 == victim[0])", "if (false)"),
    ],
    "pager/policy/random_page.c": [
        ("a page is drawn twice", "uint32_t chosen = n + (uint32_t)", "uint32_t chosen = (uint32_t)"),
        ("the first goes", "(uint32_t)(policy_random(pool) % (s->pages - n))", "0 * (uint32_t)policy_random(pool)"),
    ],
    "pager/policy/s3fifo.c": [
        ("what comes back soon is new", "enter(pool, index, pool->refault && pool->refault <= pool->budget);", "enter(pool, index, false);"),
        ("the small queue is half", "10 * (uint64_t)small", "2 * (uint64_t)small"),
        ("what is used stays in the small queue", "enter(pool, at - 1, true);", "enter(pool, at - 1, from_main);"),
    ],
    "pager/policy/generations.c": [("use is not seen", "if (policy_accessed(pool, at - 1)) {", "if (policy_dirty(pool, at - 1)) {")],
    "pager/policy/aging.c": [("samples are lost", "note->age >> 1 | (policy_accessed(pool, s->hand) ? USED : 0)", "policy_accessed(pool, s->hand) ? 0 : note->age")],
    "pager/policy/clean_first.c": [("dirty pages are as clean ones", "policy_dirty(pool, index);", "false;")],
    "pager/policy/wsclock.c": [("a page that was used is idle", "  if (policy_accessed(pool, index))\n", "  if (!policy_accessed(pool, index))\n")],
    "pager/policy/readahead.c": [("no walk is followed", "if (found < WALKS)\n", "if (found > WALKS)\n")],
    "pager/policy/leap.c": [("a majority is enough of half", "return 2 * (unsigned)count > faults ? candidate : 0;", "return count ? candidate : 0;"),
                            ("backwards is forwards", "range->page = stride < 0 ? page - pages * 4096 : page;", "range->page = page;")],
    "pager/policy/ws.c": [("what is not used stays", "program->set = need->used(need) + 1;", "program->set = need->resident + 1;")],
    "pager/policy/fair.c": [("the smallest is the largest", "s->family[i].pages > largest->pages", "s->family[i].pages < largest->pages"),
                            ("programs are not counted", "  (void)process;\n  s->programs++;\n", "  (void)process, (void)s;\n")],
    "pager/policy/pff.c": [("what is not used stays", "return used + 1;", "return used + need->resident;")],
    "pager/replay/lru.c": [("a hit is no use", "  ring_remove(run->own, 0, page);\n  ring_add(run->own, 0, page);\n", "  (void)run, (void)page;\n")],
    "pager/replay/twoq.c": [("the first queue is half", "run->frames / 4", "run->frames / 2")],
    "pager/replay/arc.c": [("the target goes the wrong way", "in_b2 ? a->target - step : a->target + step", "in_b2 ? a->target + step : a->target - step")],
    "pager/replay/lirs.c": [("the stack is not pruned", "  enqueue(l, bottom);\n  prune(l);\n", "  enqueue(l, bottom);\n")],
    "pager/replay/opt.c": [("a hit is not seen", "  o->key[frame] = o->next[run->at];\n  up(o, frame);\n}\n\nstatic uint32_t", "  (void)frame;\n}\n\nstatic uint32_t"),
                           ("the heap is not one", "child += child + 1 <", "child += child + 2 <")],
    "pager/replay/run.c": [
        ("first references are not told", "+= left >= NEVER_TOUCHED", "+= left > NEVER_TOUCHED + 1"),
        ("write-backs are not counted", "run->counts.written++;", ";"),
        ("what is zeros again is read back", "run->counts.returned += run->stored[page];", "run->counts.returned += run->where[page].left != 0;"),
        ("what is written once comes back once", "run->stored[run->page[frame]] = 1;", "run->stored[run->page[frame]] ^= 1;"),
        ("what is never touched is lost when it goes", "run->counts.untouched += !touched;", ";"),
        ("what is never touched is lost at the end", "run->counts.untouched += run->page[frame]", "run->counts.untouched += false && run->page[frame]"),
        ("a refault is one too far", "when ? fault - when : 0", "when ? fault - when + 1 : 0"),
    ],
    "pager/relief.c": [
        ("a promise is broken", "!space->server && !space->strict;", "!space->server;"),
        ("anybody may be ended", "if (!space || !is_candidate(space))", "if (!space)"),
        ("nobody is squeezed", "verdict->relief == POLICY_SQUEEZE && space->pool && verdict->pages", "verdict->relief && verdict->pages"),
        ("who asks ends amid its fault", "  if (space == asks)\n    return RELIEF_SELF;\n", ""),
        ("who asks is there twice", "if (space != asks && is_candidate(space))", "if (is_candidate(space))"),
        ("the frame that is kept is lost", "  frames.tables--;\n  frame_give(kept);\n", "  frames.tables--;\n"),
    ],
    "pager/advice.c": [
        ("holes are no error", "return error ? error : hole || at < end ? ENOMEM : 0;", "return error;"),
        ("what lies behind the end goes too", "end < piece.end ? end : piece.end}", "piece.end}"),
        ("what PROT_NONE took comes again", "if (!parked) {", "if (true) {"),
        ("a file's pages are zeros", "!region->shared && !region->object->creator;", "!region->shared;"),
        ("an address of no page", "if (start % Q_PAGE_SIZE || ", "if ("),
        ("any advice", "(advice > P_ADVICE_DISCARD && advice != P_ADVICE_COLD)", "false"),
    ],
    "pager/replay/pools.c": [
        ("a page enters used", "run_entering(run, reference), POLICY_DEMAND", "run_entering(run, reference) | ACCESSED, POLICY_DEMAND"),
        ("a wrong victim is not counted", "pool->run->counts.wrong += !good;", ";"),
        ("the same is chosen again", "  do\n    pool->hand = (pool->hand + 1) % pool->about.size;\n  while", "  while"),
        ("what was chosen is not counted", "pool->run->counts.chosen++;", ";"),
        ("a wrong victim is evicted", "if (good)\n", "if (victim[i] < pool->about.size)\n"),
        ("more victims than asked for", "i < n && i < asked", "i < n"),
        ("a range beside the page", "if (before >= pages) {", "if (false) {"),
        ("a range goes past the area", "after < most_after ? after : most_after", "after"),
        ("a range takes all frames", "left = program->pool->about.budget / POLICY_BESIDE;", "left = POLICY_RANGE;"),
        ("what is in the store comes beside zeros", "run->stored[page] == stored;", "true;"),
        ("a piece of memory is asked of everywhere", "return !run->areas_n;", "return true;"),
        ("a budget of none", "budget = budget < POLICY_LEAST ? POLICY_LEAST : budget;", ";"),
        ("an accessed bit stays", "    *bits &= (uint8_t)~ACCESSED;\n", "    ;\n"),
        ("another seed is the same", "pool->random = run->seed;", "pool->random = 1;"),
        ("figures are not added up", "counts->own[at].value += value[i];", "counts->own[at].value = value[i];"),
        ("no program starts", "policy->started && i < run->trace->processes", "policy->started && i < 0"),
    ],
    "pager/replay/trace.c": [("processes are one", "(uint64_t)process << TRACE_PAGE_BITS | number", "(uint64_t)(process & 0) | number")],
    "pager/replay/read.c": [
        ("a write is read", "write ? QTRACE_WRITE : QTRACE_READ", "QTRACE_READ"),
        ("a comma at the end", "  if (comma)\n", "  if (false)\n"),
        ("an address is a page", "page = addresses ? value >> PAGE_BYTES_LOG2 : value;", "page = value;"),
        ("a record is cut off", "if ((bytes - QTRACE_HEAD) % sizeof(struct qtrace_record))", "if (false)"),
        ("bits of an address are lost", "page_kind & 0xffc ||", "page_kind & 0xff0 ||"),
        ("a field that is empty", "  if (!field.length)\n", "  if (false)\n"),
        ("a number out of range", "  if (page > TRACE_PAGE_MOST)\n", "  if (false)\n"),
        ("fields are missing", "  if (n != r->fields)\n", "  if (n > r->fields)\n"),
        ("fields are too many", "  if (n != r->fields)\n", "  if (n < r->fields)\n"),
        ("two quotation marks end a field", "&& at[1] == '\"')", "&& at[1] == '*')"),
        ("a field is in quotation marks in part", "  if (*at && *at != ',')\n", "  if (false)\n"),
    ],
    "pager/replay/expect.c": [("any number of frames is meant", "(!e->frames || e->frames == run->frames)", "true"),
                              ("an expectation of nothing", "  if (!meant)\n", "  if (false)\n"),
                              ("a file of none", "  if (!expectations)\n", "  if (false)\n")],
    "pager/replay/main.c": [("frames of all pools", "if (each && (uint64_t)", "if (false && (uint64_t)"),
                            ("a run with a pool each", "(run->pool_each || run->set.allocate.policy)", "run->pool_each"),
                            ("what --step leaves out", "(options->json || options->timed))", "options->json)"),
                            ("what --make leaves out", "(column[COLUMN_PAGE] || options->format.addresses))", "column[COLUMN_PAGE])")],
    "pager/replay/step.c": [("a miss is not marked", "counts.misses > misses ? '*' : ' '", "counts.misses < misses ? '*' : ' '")],
    "pager/frames.c": [
        ("a block past the page's end", "at < end; at += bytes", "at <= end; at += bytes"),
        ("a block of the page is left out", "for (char *at = page, *end = page + count * Q_PAGE_SIZE; at", "for (char *at = page + bytes, *end = page + count * Q_PAGE_SIZE; at"),
        ("a row is not looked for in fresh blocks", "if (first == frames.count && link_fresh())", "if (false)"),
        ("a freed frame counts as zeroed", "push(n, STATE_FREE);", "push(n, STATE_READY);"),
        ("a frame is not zeroed", "  if (pa && zero)\n", "  if (pa && !zero)\n"),
        ("a run is not zeroed", "  if (ready)\n    frames.zeroed -= n;", "  if (true)\n    frames.zeroed -= n;"),
        ("a run's last frame is not zeroed", "missed(frame_data(*pa), n);", "missed(frame_data(*pa), n - 1);"),
        ("a run goes past its end", "high : first + most;", "high : first + most + 1;"),
        ("a run takes what is not free", "return state >= least && state <= STATE_READY;", "return state >= least && state <= STATE_USED;"),
        ("a run leaves a list's frame behind", "while (low > first && link[low].next == low)", "while (low > first && link[low].next)"),
        ("a run over two blocks is counted in one", "  if (end > edge)\n", "  if (end > edge + BLOCK_FRAMES)\n"),
        ("a ready run counts as another", "    frames.zeroed -= n;\n", "    frames.unzeroed -= n;\n"),
        ("a frame stays what it held", "  frames.state[n] = STATE_USED;\n  *++stock->cold = pa;", "  *++stock->cold = pa;"),
        ("too many wait to be handed out", "if (stock->cold == &stock->cold_stack[FRAMES_HOT])", "if (stock->cold == &stock->cold_stack[FRAMES_HOT + 1])"),
        ("a list's backward link is lost", "frames.link[*head - 1].prev = (uint32_t)n + 1;", ";"),
        ("the last of a list stays on it", "list_of(frames.state[low])) = next;",
         "list_of(frames.state[low])) = next ? next : *list_of(frames.state[low]);"),
        ("a block of the kernel's own is not counted", "frames.total += BLOCK_FRAMES;", ";"),
        ("the reserve is given away first", "if (find_block(&block)) {\n    *base",
         "if (!frames.reserve && find_block(&block)) {\n    *base"),
        ("the reserve is remembered after it left", "frames.reserve = 0;", ";"),
        ("a block that came back is not available", "  frames.block_free[block] = BLOCK_FRAMES;\n", ""),
        ("a range is added to its first block only", "stop = stop < end ? stop : end;", "stop = end;"),
        ("blocks are told from stores the wrong way", "zero_blocks(page, count, frames.zero_block);", ";"),
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
    "pager/pool.c": [
        ("a pool is on no list", "    all = pool;\n", "    ;\n"),
        ("a pool that is gone is on the list", "  *at = pool->next;\n", "  ;\n"),
        ("what was used is not kept for allocation", "  page->used |= accessed;\n", "  ;\n"),
        ("what was used is not kept for replacement", "  page->accessed |= accessed;\n", "  page->accessed = accessed;\n"),
        ("another policy does not know what was used", "page_of(frame)->accessed = page.accessed;", ";"),
        ("a page that stays is no wrong proposal", "space->stats.wrong += !good;", ";"),
        ("more are asked for than there is room for", "most < POLICY_VICTIMS ? most : POLICY_VICTIMS", "most"),
        ("what comes besides hides when the page went", "pool->about.refault = distance(pool, dropped);",
         "pool->about.refault = distance(pool, absent_dropped(space, answer->page));"),
        ("a refault is told of any reason", "reason == POLICY_DEMAND ? distance(space->pool, absent->evicted) : 0", "distance(space->pool, absent->evicted)"),
        ("what has come back is not forgotten", "  absent_forget(space_of(where), address_of(where));\n", "  ;\n"),
        ("a page that was dropped went just now", "pool->about.refault = distance(pool, dropped);", "pool->about.refault = dropped ? 1 : 0;"),
        ("a page of the image went a fault later", "  if (!covered)\n    count_fault(space);", "  if (!covered)\n    dropped += dropped != 0, count_fault(space);"),
        ("a page that is needed goes", " || stuck_keeps(&pool->stuck, where)", ""),
        ("what was written is lost", "bool dirty = entry & 2 ||", "bool dirty ="),
        ("a page that comes late is in no pool", "    new->late = frames.stock_count > 1;\n", ""),
        ("what was written is forgotten when a late page is looked for", "  pool_modified(space, frame);\n  if (frame_state", "  if (frame_state"),
        ("a slot is not given back", "  slot_give(page->slot);\n  stop_ahead(", "  stop_ahead("),
    ],
    "pager/absent.c": [
        ("nothing is forgotten", "space->dropped.count < most", "space->dropped.count + 1"),
        ("the newest is forgotten", "*oldest = space->dropped.oldest;", "*oldest = space->dropped.newest;"),
        ("what is given back is remembered", "    drop_all(&space->dropped, start, end);\n", ""),
        ("a child remembers what its parent did", "    copy->keep = absent->keep;\n", "    copy->keep = absent->keep;\n    copy->evicted = 1;\n"),
    ],
    "pager/stuck.c": [
        ("one page too few stays", "i < POOL_LEAST && stuck_alone", "i < POOL_LEAST - 1 && stuck_alone"),
        ("no thread is ever stuck", "stuck->repeats >= ENOUGH", "stuck->repeats > UINT32_MAX - 1"),
        ("the oldest page is not looked for", "while (at < POOL_LEAST - 1 &&", "while (at < POOL_LEAST - 2 &&"),
    ],
    "pager/space.c": [
        ("a frame is a copy of itself", "if (frame == old || (is_common", "if ((is_common"),
        ("what was shared stays uncounted", "    space->stats.shared++;\n    if (!(answer", "    if (!(answer"),
        ("only one block is taken back", "  while (!frames.free && !frames.ready && !frames_hot() &&",
         "  if (!frames.free && !frames.ready && !frames_hot() &&"),
        ("a page that goes stays charged", "  assert(space->stats.resident);\n  space->stats.resident--;\n", ""),
        ("a frame outlives its program", "      promises_use(space, -1);\n      frame_give(frame);\n    }\n", "      promises_use(space, -1);\n    }\n"),
        ("a program's end gives no promise back", "      promises_use(space, -1);\n      frame_give(frame);\n    }\n", "      frame_give(frame);\n    }\n"),
        ("a cached page outlives all programs", "    if (is_common(frame)) {\n      frame_mapped(frame, false);\n", "    if (is_common(frame)) {\n"),
        ("a cached page that nobody has is kept", "    if (last)\n      frame_mapped(frame, false);\n", ""),
        ("a mapped cached page is dropped", "if (drop && !frames.link[frame_number(frame)].next) {", "if (drop) {"),
        ("the tail of a page that shrank is kept", "  int error = own_page(space, page, &frame);",
         "  int error = frame = 0;"),
        ("a tail is cleared that another has, too", "  *frame = answer.reason ? 0 : PAGE_OF(answer.frame_prot);",
         "  *frame = answer.reason ? 0 : old;"),
        ("shrinking leaves the last page", "if (PAGE_UP(old) == from)", "if (PAGE_UP(old) - from <= Q_PAGE_SIZE)"),
        ("a failed populate keeps its pages",
         "    give_back(space, from, page); /* a policy may have been here before */\n    return ENOMEM;",
         "    return ENOMEM;"),
        ("a failed populate keeps the break", "    space_set_break(space, old);\n", ""),
        ("a policy is told of a heap that has shrunk", "  space_set_break(space, brk);\n", "  space->brk = brk;\n"),
        ("a page that goes alone is kept", "  if (entry)\n    space_removed(space, PAGE_OF(entry), entry & 1);\n", "  (void)entry;\n"),
        ("text may be written", "if (kind == Q_FAULT_WRITE && !(segment->prot & Q_PROT_WRITE))", "if (kind > Q_FAULT_EXECUTE)"),
        ("the byte at the break belongs to the heap", "  if (va >= space->heap && va < space->brk)\n    return kind",
         "  if (va >= space->heap && va <= space->brk)\n    return kind"),
        ("what another has is written", "if (!writes_through && (!last || is_common(old))) {",
         "if (!writes_through && is_common(old)) {"),
        ("an object's page is written", "(!last || is_common(old))", "!last"),
        ("a copy is charged twice", "      space->stats.resident--; /* which", "      space->stats.resident -= 0; /* which"),
        ("a replaced page that comes back is not charged", "  } else if (old) {\n    space->stats.resident++;\n  }", "  }"),
        ("a replaced page that comes back is mapped nowhere", "      frame_mapped(old, true); /* as", "      (void)0; /* as"),
        ("a page with a failed table is lost", "  frame_give(frame);\n  return 0;\n}\n\nstatic uint64_t region_content", 
         "  return 0;\n}\n\nstatic uint64_t region_content"),
        ("an object's page comes writable", "return show(space, frame) | (region->prot & ~(unsigned)Q_PROT_WRITE);",
         "return show(space, frame) | region->prot;"),
        ("a frozen page is charged twice", "  if (good && own) {\n    space->stats.resident--;", "  if (good && own) {"),
        ("what an object leaves behind is common", "  creator->stats.shared -= mapped;\n", ""),
    ],
    "pager/policies.c": [
        ("a fork's policy is told of its parent", "  note_heap(to);\n", ""),
        ("what is lost is chosen again", "  policies_mend((struct policy_set *)(uintptr_t)set);\n", ""),
    ],
    "pager/lost.c": [
        ("who has what is lost has it yet", "    policies_mend((struct policy_set *)(uintptr_t)space->policy);\n", ""),
        ("what is lost is asked in the short way", "    space_note(space);\n  }\n  return asked_otherwise;", "  }\n  return asked_otherwise;"),
        ("pools go on with what is lost", "  pools_mend();\n", ""),
        ("a lost hook says 0", "  return asked_otherwise;", "  return 0;"),
        ("nobody sees that something is lost", "    set->lost = true;\n", "    ;\n"),
    ],
    "pager/ahead.c": [
        ("it is asked twice of a fault", "  if (!known) {\n", "  if (true) {\n"),
        ("what it said is said for ever", "  memory->open = false;\n", ""),
        ("what it said is forgotten", "  return memory->asked;\n", "  return (struct policy_range){page, 1};\n"),
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
        ("promised frames are given", "return !promised && frames_available()", "return frames_available()"),
        ("a mapping without access gets pages", "  if (region && !region->prot)\n    return;\n", ""),
        ("what was touched counts as untouched", "there.present & ~there.accessed", "there.present"),
    ],
    "pager/region.c": [
        ("no region is divided at its offset", "  rest->offset += (at - region->start) >> Q_PAGE_SHIFT;\n", ""),
        ("a divided object is held once", "    if (region->object)\n      object_hold(region->object);\n", ""),
        ("a region is not counted", "  space->region_count--;\n", ""),
        ("unmapping leaves the pages",
         "    give_back(space, region->start, region->end);\n    count",
         "    count"),
        ("a mapping goes round", "bytes <= P_BREAK_MAX - start;", "start + bytes <= P_BREAK_MAX;"),
        ("a mapping over the heap", "start >= PAGE_UP(space->brk) &&", ""),
        ("a promised page is forgotten", "  count_pages(space, region, true);\n  insert(space, rest);", "  insert(space, rest);"),
        ("writable and executable", "&& !writes_code);", ");"),
        ("a mapping that fails keeps its region", "    if (region)\n      region_free(space, region);\n", ""),
        ("a parked page is another program's, too", "  if (!last) { /* it", "  if (0) { /* it"),
        ("a parked page is lost", "  return object_put(object, (va - region->start) >> Q_PAGE_SHIFT, parked);",
         "  return parked;"),
        ("a parked page stays charged", "  space->stats.resident--;\n  if (space->pool)\n    pool_forget", "  if (space->pool)\n    pool_forget"),
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
    "pager/tree.c": [
        ("a gap of one page too few", "gap_before(r) >= bytes)", "gap_before(r) + Q_PAGE_SIZE >= bytes)"),
        ("the lowest gap that fits", "r = r->child[room_of(r->child[1]) >= bytes];", "r = r->child[room_of(r->child[0]) < bytes];"),
        ("the gap of what went is forgotten", "  next->prev = prev;\n  refresh(space->tree, next);", "  next->prev = prev;"),
        ("the gap before a new one is not cut", "    return rotate(root, side);\n  update(root);\n", "    return rotate(root, side);\n"),
        ("a turned node keeps its room", "  update(root);\n  update(up);", "  update(up);"),
        ("what begins there is passed over", "found = r->start >= at ?", "found = r->start > at ?"),
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
        ("a fork may write the heap", "PAGE_UP(parent->brk), OWN);", "PAGE_UP(parent->brk), Q_PROT_READ | Q_PROT_WRITE);"),
        ("a fork may write a mapping", "r->shared ? r->prot : OWN);", "r->prot);"),
        ("a fork forgets mappings", "for (last = r; !r->shared && last->next && !last->next->shared;)", "for (last = r; last->next;)"),
        ("a fork that fails keeps pages", "    drop_all(child, unshared);\n", ""),
        ("a fork forgets the break", "  space_set_break(child, parent->brk);\n", ""),
        ("a fork's policy is told of another heap", "  space_set_break(child, parent->brk);\n", "  child->brk = parent->brk;\n"),
        ("exec's policy is told of what was", "  space_policy_begin(space); /*", "  /*"),
        ("a fork is charged nothing", "child->stats.peak = parent->stats.resident;", "child->stats.peak = 0;"),
        ("exec keeps the break", "  space->brk = next->brk;\n", ""),
        ("exec forgets its promise", "  space->promised = next->promised;\n", ""),
        ("exec is charged nothing", "  stats.resident = next->stats.resident;\n", ""),
        ("exec keeps the memory", "  space_clear(space);\n  struct p_stats stats", "  struct p_stats stats"),
    ],
    "pager/promise.c": [
        ("a promise that goes is kept", "  promise_all(promised - space->promised);\n", ""),
        ("a promise is counted anew", "promise_all(promised + now - space->promised);", "promise_all(promised + now);"),
        ("mappings are not promised", " + space->counted;", ";"),
        ("what is had is promised still", "  used += (uint64_t)frames;", "  (void)frames;"),
        ("others take what was promised", "  return frames_available() > promises_withheld() + links_to_come();\n", "  return true;\n"),
    ],
    "pager/arguments.c": [
        ("argv does not end", "8 * (count + 3)) & ~15ul, at", "8 * (count + 1)) & ~15ul, at"),
        ("not even a name", "  if (environment >= count)\n", "  if (environment > count)\n"),
        ("the environment is not apart", "at += n == count - environment ? 8 : 0;", "at += 0;"),
    ],
    "kernel/vm.c": [
        ("a fault sets nothing", "  __atomic_fetch_or(slot, needed[kind], __ATOMIC_RELAXED);\n", ""),
        ("a store leaves the page clean", "PTE_W | PTE_A | PTE_D, PTE_X", "PTE_W | PTE_A, PTE_X"),
        ("a load makes it dirty", "{PTE_R | PTE_A, PTE_W", "{PTE_R | PTE_A | PTE_D, PTE_W"),
        ("a fetch makes it dirty", "PTE_X | PTE_A};", "PTE_X | PTE_A | PTE_D};"),
        ("what is not allowed leaves a trace", "(needed[kind] & LEAF);", "0;"),
        ("a fault makes the kernel's pages the user's", "pte_t least = PTE_V | PTE_U |", "pte_t least = PTE_V |"),
        ("the old entry stays cached", "    fence_here(task, this_hart()->others ? ~0ul : va & ~(Q_PAGE_SIZE - 1ul));\n", ""),
        ("that there was no table stays cached", "fence_here(task, this_hart()->others ? ~0ul :", "fence_here(task, false ? ~0ul :"),
        ("the pager is told that others have it", "(frame->count == 1 ? Q_FAULT_SOLE : 0) : 0;", "0 : 0;"),
        ("a device is reached by a copy", " || !frame_of(pte_pa(*slot)))\n    return NULL; /* not", ")\n    return NULL; /* not"),
        ("accessed bits are not seen", "out[0] |= old & PTE_A", "out[0] |= *slot & PTE_A"),
        ("what was cleared stays cached", "    if (old & bits)\n      fence(task, at);\n", ""),
        ("what was cleared stays cached elsewhere", "    if (old & bits)\n      fence(task, at);", "    if (old & bits)\n      fence_here(task, at);"),
        ("cleaning clears both", "(clear & Q_HARVEST_DIRTY ? PTE_D : 0)", "(clear & Q_HARVEST_DIRTY ? PTE_D | PTE_A : 0)"),
        ("a copy is as dirty", "return (value | PTE_A) & ~(pte_t)PTE_D;", "return value | PTE_A;"),
        ("a new page is not accessed", "PTE_V | PTE_U | PTE_A | dirty | device);", "PTE_V | PTE_U | dirty | device);"),
        ("a page that is written comes clean", "page_pte(frame_prot, va == m->written)", "page_pte(frame_prot, false)"),
        ("a run's page that is written comes clean", "  if (m->written - m->va < n * Q_PAGE_SIZE && prot & Q_PROT_WRITE)", "  if (false)"),
        ("a page that is read comes dirty", "pte_t dirty = written && frame_prot & Q_PROT_WRITE ?", "pte_t dirty = written ?"),
        ("a protection forgets use", "~(keeps ? (pte_t)PTE_W : (pte_t)LEAF);", "~(keeps ? (pte_t)PTE_W : (pte_t)LEAF | PTE_A);"),
        ("a removal does not tell of dirty pages", "| last | (old & PTE_D ? 2 : 0);", "| last;"),
        ("other harts keep what they have cached", "  if (running)\n    harts_fence(running, va", "  if (false)\n    harts_fence(running, va"),
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
        ("blocks of any size", "!(bytes & (bytes - 1))", "true"),
        ("the last hart's blocks are everybody's", "!m->harts || m->zero_block == block ?", "true ?"),
        ("an extension in a list is not found", "name + 1);", "name + 2);"),
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
        ("a newline of which half has room", "tty_room(tty) >= 2)", "tty_room(tty) >= 1)"),
        ("a piece does not move the cursor", "tty->column += (unsigned)n;", ""),
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


def to_object(clang, name, path, quoted, folder):
    """One source of the test, compiled."""
    compiler, *arguments = clang
    more = [word for word in TESTS[name][2] if not word.startswith("-l")]
    result = Path(folder) / f"{name} {path}.o".replace("/", "_").replace(" ", "_")
    subprocess.run([compiler, "-iquote", quoted, *arguments, "-Wno-unused", "-Wno-unused-parameter", "-fsanitize=address,undefined", *more,
                    "-c", path, "-o", result], check=True, capture_output=True, text=True)
    return result


def sources(name):
    """Of the test: where they are."""
    own, others, *_ = TESTS[name]
    return [HERE / own, *(ROOT / other for other in others)]


KEPT = {}  # (test, source): its object, as the source is


def keep(clang, pool, folder):
    """Compiles each source as it is once."""
    jobs = {(name, path): pool.submit(to_object, clang, name, path, path.parent, folder) for name in TESTS for path in sources(name)}
    KEPT.update((key, job.result()) for key, job in jobs.items())


def compiled(clang, name, source, mutated, folder):
    """The test's program, with `mutated` instead of `source`."""
    objects = [to_object(clang, name, mutated, path.parent, folder) if path == ROOT / source
               else KEPT.get((name, path)) or to_object(clang, name, path, path.parent, folder) for path in sources(name)]
    program = folder / name.replace(" ", "_")
    subprocess.run([clang[0], "-fsanitize=address,undefined", *objects, *TESTS[name][2], "-o", program], check=True, capture_output=True, text=True)
    return program


def passes(clang, name, source, mutated, folder, seed=1):
    """Whether the test passes, however it fails; one that does not compile raises."""
    program = compiled(clang, name, source, mutated, folder)
    _, _, _, script, arguments = TESTS[name]
    environment = {**os.environ, "QUIRE_FULL": "", "SEED": str(seed), "ASAN_OPTIONS": "symbolize=0"}
    command = [sys.executable, HERE / script[0], program, *arguments] if script else [program]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL,
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
        tests = [name for name in TESTS if source in TESTS[name][1]]
        tries = [(name, seed) for seed in range(1, SEEDS + 1) for name in tests if seed == 1 or TESTS[name][3] == ["fuzz.py"]]
        try:
            for name, seed in tries:
                if not passes(clang, name, source, mutated, Path(folder), seed):
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
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        keep(clang, pool, folder)
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
