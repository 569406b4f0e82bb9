/* SPDX-License-Identifier: BSD-2-Clause */
/* What a policy brings in beside the page that faulted, or before any fault. It is never owed: where frames are short or
 * promised, only what is touched comes. A fault's answer maps one run of pages with one run of frames, so a policy's choice
 * is cut to the pages around the faulting one that are not there, and to the frames that lie in a row; in a pool (pool.c) pages come
 * one by one. */
#include <assert.h>

#include "ask.h"
#include "pool.h"
#include "space.h"

bool count_untouched;

struct area {
  struct policy_area about;
  struct extent *touched; /* NULL: what is mapped there is known to the kernel only */
  unsigned prot;
};

static void set(struct area *area, enum policy_kind kind, uint64_t start, uint64_t end, unsigned prot) {
  area->about.kind = kind;
  area->about.start = start;
  area->about.end = end;
  area->touched = NULL;
  area->prot = prot;
}

/* What follows a segment's bytes of the file, in whole pages. */
static bool area_of_segment(const struct segment *segment, uint64_t page, struct area *area) {
  uint64_t start = PAGE_UP(segment->vaddr + segment->bytes);
  if (!(segment->prot & Q_PROT_WRITE) || page < start)
    return false;
  set(area, POLICY_IMAGE, start, segment->end, segment->prot);
  return true;
}

static bool area_of_region(struct region *region, struct area *area) {
  if (region->object || !region->prot)
    return false;
  set(area, POLICY_MAPPING, region->start, region->end, region->prot);
  area->touched = &region->touched;
  return true;
}

/* The memory around the page, all of it zeros of the program's own where nothing is mapped. false: there it is not so. */
static bool find_area(struct space *space, uint64_t page, uint64_t sp, struct area *area) {
  struct region *region;
  area->about.id = space->badge;
  area->about.refault = 0;
  area->about.options = space->policy->fetch.options;
  area->about.process = space->memory ? space->memory->fetch : NULL;
  if (page < space->heap) {
    const struct segment *segment = find_segment(space, page);
    return segment && area_of_segment(segment, page, area);
  }
  if (page < space->brk) {
    set(area, POLICY_HEAP, PAGE_UP(space->heap), PAGE_UP(space->brk), Q_PROT_READ | Q_PROT_WRITE);
    area->touched = &space->heap_touched;
    return true;
  }
  if (page >= P_STACK_BASE)
    set(area, POLICY_STACK, stack_start(sp), P_STACK_TOP, Q_PROT_READ | Q_PROT_WRITE);
  else if (!(region = region_find(space, page)) || !area_of_region(region, area))
    return false;
  return true;
}

/* Half of all frames are kept for what is touched: a program that touches a page here and there must not end because the
 * pages between took all memory. */
static inline __attribute__((always_inline)) bool spare(uint64_t pages) {
  return !promised && frames_available() > frames.total / 2 + pages;
}

/* Frames in a row for so many pages of the program's own; 0: none. */
static unsigned take(struct space *space, uint64_t pages, uint64_t *frame) {
  unsigned n = frames_take_run(pages < FAULT_PAGES ? (unsigned)pages : FAULT_PAGES, frame);
  if (n)
    charge(space, n);
  return n;
}

/* ---- At a fault ---------------------------------------------------------------------------------------------------------- */
/* What the policy says, or has said of just this fault. */
static struct policy_range ask(struct space *space, const struct area *area, uint64_t page) {
  struct policy_memory *memory = space->memory;
  bool known = memory->asked_of == page && (memory->open || pool_again);
  if (!known) {
    memory->asked = (struct policy_range){page, 1};
    memory->asked_of = page;
    ASK(space->policy->fetch.policy, fault, &area->about, page, &memory->asked);
    if (!space->policy->fetch.policy->fault) /* it was lost */
      memory->asked = (struct policy_range){page, 1};
  }
  memory->open = false;
  if (area->about.kind == POLICY_HEAP)
    memory->wide = memory->asked.pages > 1;
  return memory->asked;
}

/* What the policy wants of the area, the page in it, and not too much. */
static struct extent wanted(struct space *space, const struct area *area, uint64_t page) {
  struct policy_range range = ask(space, area, page);
  uint64_t bytes = (range.pages < FAULT_PAGES ? range.pages : FAULT_PAGES) * Q_PAGE_SIZE;
  uint64_t before = page - PAGE_OF(range.page), after = bytes - before; /* this page is the first of those after */
  if (before >= bytes || !spare(bytes >> Q_PAGE_SHIFT)) {
    space->stats.wrong += before >= bytes;
    return (struct extent){page, page + Q_PAGE_SIZE};
  }
  uint64_t most_before = page - area->about.start, most_after = area->about.end - page;
  return (struct extent){page - (before < most_before ? before : most_before),
                         page + (after < most_after ? after : most_after)};
}

bool ahead_covers(struct space *space, uint64_t page, uint64_t sp) {
  struct area area;
  return find_area(space, page, sp, &area);
}

struct extent ahead_wanted(struct space *space, uint64_t page, uint64_t sp, uint64_t refault) {
  struct area area;
  if (!space->policy->fetch.policy->fault || !find_area(space, page, sp, &area))
    return (struct extent){page, page + Q_PAGE_SIZE};
  area.about.refault = refault;
  return wanted(space, &area, page);
}

bool ahead_cut(const struct space *space, uint64_t page, struct extent *run) {
  uint64_t from = run->start, pages = (run->end - from) >> Q_PAGE_SHIFT, at = (page - from) >> Q_PAGE_SHIFT;
  uint64_t present = backend_look(space, from, (unsigned)pages, false).present;
  uint64_t above = present >> at, below = at ? present << (64 - at) : 0;
  if (above & 1)
    return false;
  if (above)
    run->end = page + (uint64_t)__builtin_ctzl(above) * Q_PAGE_SIZE;
  if (below)
    run->start = page - (uint64_t)__builtin_clzl(below) * Q_PAGE_SIZE;
  return true;
}

static bool is_untouched(const struct area *area, const struct extent *run) {
  const struct extent *touched = area->touched;
  return touched && (run->start >= touched->end || run->end <= touched->start);
}

/* Fewer frames lie in a row than there are pages: from the run's start if that reaches this page, else from this one on. */
static uint64_t first_of(const struct extent *run, uint64_t page, uint64_t frames_there) {
  uint64_t bytes = frames_there * Q_PAGE_SIZE, last = run->end - bytes;
  if (page - run->start < bytes)
    return run->start;
  return page < last ? page : last;
}

/* Mapped now, and made to look untouched. */
static void map_apart(struct space *space, uint64_t page, uint64_t frame_prot, uint64_t pages) {
  struct answer run = {.page = page, .frame_prot = frame_prot, .first = true, .pages = (uint8_t)pages};
  if (!pages)
    return;
  if (!backend_map_run(space, page, frame_prot, (unsigned)pages)) {
    backend_look(space, page, (unsigned)pages, true);
    return;
  }
  space_undo(space, &run);
  space->stats.ahead--;
}

/* To count what is never touched, only the page that is touched now is left to the answer. */
static void map_others(struct space *space, uint64_t page, struct answer *answer) {
  uint64_t first = answer->page, prot = answer->frame_prot, before = (page - first) >> Q_PAGE_SHIFT;
  map_apart(space, first, prot, before);
  map_apart(space, page + Q_PAGE_SIZE, prot + (before + 1) * Q_PAGE_SIZE, answer->pages - before - 1);
  answer->page = page;
  answer->frame_prot = prot + before * Q_PAGE_SIZE;
  answer->pages = 1;
}

bool ahead_of_fault(struct space *space, uint64_t sp, struct answer *answer) {
  struct area area;
  uint64_t page = answer->page, frame;
  if (!find_area(space, page, sp, &area))
    return false;
  struct extent run = wanted(space, &area, page);
  if (run.end - run.start > Q_PAGE_SIZE && !is_untouched(&area, &run) && !ahead_cut(space, page, &run))
    return true; /* another thread's fault brought it in: try again */
  if (area.touched)
    extent_add(area.touched, run.start, run.end);
  if (run.end - run.start == Q_PAGE_SIZE)
    return false;
  uint64_t n = take(space, (run.end - run.start) >> Q_PAGE_SHIFT, &frame);
  if (!n)
    return false;
  answer->page = first_of(&run, page, n);
  stack_note(space, answer->page);
  answer->frame_prot = frame | area.prot;
  answer->first = true;
  answer->pages = (uint8_t)n;
  space->stats.ahead += n - 1;
  if (__builtin_expect(count_untouched && n > 1, 0))
    map_others(space, page, answer);
  return true;
}

/* ---- Before any fault ---------------------------------------------------------------------------------------------------- */
static void came_ahead(struct space *space, uint64_t page, uint64_t pages) {
  space->stats.ahead += pages;
  if (count_untouched)
    backend_look(space, page, (unsigned)pages, true);
}

/* A page that is there already is none of ours. */
static bool map_page(struct space *space, uint64_t page) {
  struct answer one = {.page = page};
  if (!bring_in(space, Q_FAULT_READ, &one))
    return false;
  if (backend_map(space, page, one.frame_prot))
    space_undo(space, &one);
  else
    came_ahead(space, page, 1);
  return true;
}

/* From this page on; how many, 0: no more. */
static uint64_t map_some(struct space *space, struct area *area, uint64_t page, uint64_t pages) {
  uint64_t frame, n = take(space, pages, &frame);
  struct answer run = {.page = page, .frame_prot = frame | area->prot, .first = true, .pages = (uint8_t)n};
  if (!n)
    return 0;
  if (area->touched)
    extent_add(area->touched, page, page + n * Q_PAGE_SIZE);
  stack_note(space, page);
  if (!backend_map_run(space, page, run.frame_prot, (unsigned)n)) {
    came_ahead(space, page, n);
    return n;
  }
  space->stats.ahead += n - 1; /* which this takes back */
  space_undo(space, &run);
  return 0;
}

static void bring_in_all(struct space *space, uint64_t page, uint64_t end) {
  struct area area;
  uint64_t n = 1;
  for (; page < end && n; page += n * Q_PAGE_SIZE) {
    uint64_t left = (end - page) >> Q_PAGE_SHIFT, pages = left < FAULT_PAGES ? left : FAULT_PAGES;
    if (!spare(pages))
      return;
    n = find_area(space, page, 0, &area) ? map_some(space, &area, page, pages) : map_page(space, page);
  }
}

void ahead_of_first_touch(struct space *space, uint64_t start, uint64_t end) {
  struct policy_range range = {start, (end - start) >> Q_PAGE_SHIFT};
  struct policy_area area = {space->badge, POLICY_HEAP, start, end, .options = space->policy->fetch.options};
  area.process = space->memory ? space->memory->fetch : NULL;
  const struct region *region = start >= space->brk ? region_find(space, start) : NULL;
  if (region && !region->prot)
    return;
  area.kind = region ? POLICY_MAPPING : start < space->heap ? POLICY_IMAGE : POLICY_HEAP;
  ASK(space->policy->fetch.policy, made, &area, &range);
  uint64_t from = PAGE_OF(range.page), pages = range.pages;
  if (from < start || from >= end || pages > frames_available() / 2 || !space->policy->fetch.policy->made)
    return;
  pages = pages < (end - from) >> Q_PAGE_SHIFT ? pages : (end - from) >> Q_PAGE_SHIFT;
  bring_in_all(space, from, from + pages * Q_PAGE_SIZE);
}

/* ---- As the program advises ---------------------------------------------------------------------------------------------- */
/* Of a segment what lies behind its file's bytes is such memory. */
bool ahead_advised(struct space *space, unsigned advice, struct extent *run) {
  struct area area;
  if (!space->policy->fetch.policy->advice || !find_area(space, run->end - Q_PAGE_SIZE, 0, &area))
    return false;
  uint64_t start = run->start > area.about.start ? run->start : area.about.start;
  struct policy_range range = {start, (run->end - start) >> Q_PAGE_SHIFT};
  ASK(space->policy->fetch.policy, advice, &area.about, (enum policy_advice)advice, &range);
  if (!space->policy->fetch.policy->advice)
    return false;
  uint64_t from = PAGE_OF(range.page), most = (area.about.end - from) >> Q_PAGE_SHIFT;
  bool good = from >= area.about.start && from < area.about.end && area.about.kind != POLICY_STACK;
  uint64_t pages = !good ? 0 : range.pages < most ? range.pages : most;
  *run = (struct extent){from, from + pages * Q_PAGE_SIZE};
  return true;
}

/* From this page on, so many are there, or are not: how many of up to 64. */
static uint64_t alike(const struct space *space, uint64_t page, uint64_t pages, bool *there) {
  uint64_t present = backend_look(space, page, (unsigned)pages, false).present, other;
  *there = present & 1;
  other = *there ? ~present : present;
  uint64_t n = other ? (uint64_t)__builtin_ctzl(other) : 64;
  return n < pages ? n : pages;
}

void ahead_bring(struct space *space, struct extent run) {
  struct area area;
  uint64_t n = 1;
  bool there;
  for (uint64_t page = run.start; page < run.end && n; page += n * Q_PAGE_SIZE) {
    uint64_t left = (run.end - page) >> Q_PAGE_SHIFT, pages = left < FAULT_PAGES ? left : FAULT_PAGES;
    if (!spare(pages) || !find_area(space, page, 0, &area))
      return;
    n = alike(space, page, pages, &there);
    if (!there)
      n = map_some(space, &area, page, n);
  }
}

/* ---- What was brought in for nothing -------------------------------------------------------------------------------------- */
uint64_t untouched_pages(const struct space *space, uint64_t start, uint64_t end) {
  uint64_t count = 0;
  for (uint64_t page = start; space->stats.ahead && page < end; page += 64 * Q_PAGE_SIZE) {
    uint64_t pages = (end - page) >> Q_PAGE_SHIFT;
    struct backend_pages there = backend_look(space, page, pages < 64 ? (unsigned)pages : 64, false);
    count += (uint64_t)__builtin_popcountl(there.present & ~there.accessed);
  }
  return count;
}

/* Of the stack what a policy may have brought in, which is near its top. */
uint64_t untouched_in_all(const struct space *space) {
  uint64_t count = untouched_pages(space, space->heap, PAGE_UP(space->brk));
  for (unsigned i = 0; i < space->image->segments; i++)
    count += untouched_pages(space, space->image->segment[i].start, space->image->segment[i].end);
  for (const struct region *r = space->regions; r; r = r->next)
    count += untouched_pages(space, r->start, r->end);
  return count + untouched_pages(space, P_STACK_BASE, P_STACK_TOP);
}
