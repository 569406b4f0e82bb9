/* SPDX-License-Identifier: BSD-2-Clause */
/* See space.h. The kernel's page tables are the truth about what is mapped; nothing here shadows them. */
#include "absent.h"
#include "pool.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define DATA (Q_PROT_READ | Q_PROT_WRITE)

struct image *images;
unsigned image_count;

/* ---- Frames, with what to do when there are none ----------------------------------------------------------------------- */
static __attribute__((noinline)) uint64_t take_or_reclaim(bool zeroed) {
  uint64_t block;
  cache_drop();
  while (!frames.free && !frames.ready && !frames_hot() && !frames_cold() &&
         backend_reclaim(&block)) /* the first may become the reserve */
    block_return(block);
  return frame_take_slow(zeroed);
}

uint64_t frame_get(bool zeroed) {
  uint64_t frame = frame_take_slow(zeroed);
  return frame ? frame : take_or_reclaim(zeroed);
}

static inline uint64_t take_zeroed(void) {
  uint64_t frame = frame_take_zeroed();
  return __builtin_expect(frame != 0, 1) ? frame : take_or_reclaim(true);
}

uint64_t frame_get_own(void) {
  uint64_t frame = frame_get(true);
  if (frame) {
    frames.state[frame_number(frame)] = STATE_OWN;
    frames.own++;
  }
  return frame;
}

uint64_t frames_get_row(uint64_t count) {
  uint64_t pa = count == 1 ? frame_get(true) : frames_take_row(count);
  for (uint64_t i = 0; pa && i < count; i++)
    frames.state[frame_number(pa) + i] = STATE_OWN;
  frames.own += pa ? count : 0;
  return pa;
}

static inline void charge_one(struct space *space) {
  if (++space->stats.resident > space->stats.peak)
    space->stats.peak = space->stats.resident;
}

void charge(struct space *space, uint64_t pages) {
  space->stats.resident += pages - 1;
  charge_one(space);
}

/* Whether it is a page of many, by whoever it is mapped; what a program's own page is not. */
static inline bool is_common(uint64_t frame) {
  return frame_state(frame) == STATE_CACHED || frame_state(frame) == STATE_OBJECT;
}

void space_removed(struct space *space, uint64_t frame, bool last) {
  uint64_t n = frame_number(frame);
  enum frame_state state = n < frames.count ? frames.state[n] : STATE_NONE;
  if (state == STATE_NONE)
    return; /* a device's registers, or the boot image */
  if (state != STATE_USED) {
    assert(space->stats.shared);
    space->stats.shared--;
    if (last)
      frame_mapped(frame, false);
    return;
  }
  assert(space->stats.resident);
  space->stats.resident--;
  if (space->pool)
    pool_forget_frame(space, frame, POLICY_GIVEN);
  if (last) {
    promises_use(space, -1);
    frame_give(frame);
  }
}

/* Most are pages of the program's own that others have, too: one count for all of these. */
void space_removed_all(struct space *space, const uint64_t *entries, uint64_t count) {
  const uint64_t base = frames.base, all = frames.count;
  const uint8_t *state = frames.state;
  uint64_t own = 0;
  for (const uint64_t *e = entries, *end = entries + count; e < end; e++) {
    uint64_t n = (*e - base) >> Q_PAGE_SHIFT;
    if (!(*e & 1) && n < all && state[n] == STATE_USED && !space->pool)
      own++;
    else
      space_removed(space, PAGE_OF(*e), *e & 1);
  }
  assert(space->stats.resident >= own);
  space->stats.resident -= own;
}

void give_back(struct space *space, uint64_t start, uint64_t end) {
  untouched_note(space, start, end);
  if (space->pool)
    absent_drop_range(space, start, end);
  if (end - start != Q_PAGE_SIZE) {
    backend_unmap(space, start, (end - start) >> Q_PAGE_SHIFT, space_removed_all);
    return;
  }
  uint64_t entry = backend_unmap_page(space, start);
  if (entry)
    space_removed(space, PAGE_OF(entry), entry & 1);
}

/* The others of its pages are not told of: their counts the caller sets. */
void space_dropped(struct space *space, const uint64_t *entries, uint64_t count) {
  for (uint64_t i = 0; i < count; i++) {
    uint64_t frame = PAGE_OF(entries[i]), n = frame_number(frame);
    if (n >= frames.count || frames.state[n] == STATE_NONE)
      continue; /* the boot image */
    if (is_common(frame)) {
      frame_mapped(frame, false);
    } else {
      promises_use(space, -1);
      frame_give(frame);
    }
  }
}

#define FIRST 0x800ul /* beside a frame and its protection: it is mapped nowhere so far */

/* A mapping more of a frame that is common. */
static uint64_t show(struct space *space, uint64_t frame) {
  bool before = frames.link[frame_number(frame)].next;
  frame_mapped(frame, true);
  space->stats.shared++;
  return frame | (before ? 0 : FIRST);
}

/* ---- The cache of read-only pages ---------------------------------------------------------------------------------------- */
static uint64_t cached_page(const struct space *space, const struct segment *segment, uint64_t page) {
  uint32_t *slot = &segment->cache[(page - segment->start) >> Q_PAGE_SHIFT];
  if (*slot)
    return (uint64_t)*slot << Q_PAGE_SHIFT;
  uint64_t frame = promise_allows(space) ? take_zeroed() : 0;
  if (!frame)
    return 0;
  image_fill(space->image, segment, page, frame_data(frame));
  frames.state[frame_number(frame)] = STATE_CACHED;
  frames.link[frame_number(frame)] = (struct link){0, 0};
  *slot = (uint32_t)(frame >> Q_PAGE_SHIFT);
  return frame;
}

static uint64_t cache_walk(struct segment *segment, bool drop) {
  uint64_t pages = 0;
  for (uint64_t i = 0; segment->cache && i < (segment->end - segment->start) >> Q_PAGE_SHIFT; i++) {
    uint64_t frame = (uint64_t)segment->cache[i] << Q_PAGE_SHIFT;
    if (!frame)
      continue;
    if (drop && !frames.link[frame_number(frame)].next) {
      frame_give(frame);
      segment->cache[i] = 0;
    } else {
      pages++;
    }
  }
  return pages;
}

static uint64_t cache_all(bool drop) {
  uint64_t pages = 0;
  for (unsigned i = 0; i < image_count; i++)
    for (unsigned s = 0; s < images[i].segments; s++)
      pages += cache_walk(&images[i].segment[s], drop);
  return pages;
}

void cache_drop(void) {
  cache_all(true);
}

uint64_t cache_pages(void) {
  return cache_all(false);
}

/* ---- What an address is ---------------------------------------------------------------------------------------------------- */
const struct segment *find_segment(const struct space *space, uint64_t va) {
  for (unsigned i = 0; i < space->image->segments; i++)
    if (va >= space->image->segment[i].start && va < space->image->segment[i].end)
      return &space->image->segment[i];
  return NULL;
}

static unsigned refuse_segment(const struct segment *segment, unsigned kind) {
  if (kind == Q_FAULT_WRITE && !(segment->prot & Q_PROT_WRITE))
    return P_REASON_TEXT;
  return kind == Q_FAULT_EXECUTE && !(segment->prot & Q_PROT_EXECUTE) ? P_REASON_NOEXEC : 0;
}

static unsigned refuse_stack(uint64_t va, unsigned kind, uint64_t sp) {
  if (va < stack_start(sp))
    return P_REASON_BELOW_SP;
  return kind == Q_FAULT_EXECUTE ? P_REASON_NOEXEC : 0;
}

/* What nobody may touch, and lies so near to where its stack pointer is, was put there to guard a thread's stack. */
#define NEAR 0x10000
static unsigned refuse_region(const struct region *region, uint64_t va, unsigned kind, uint64_t sp) {
  static const uint8_t needed[] = {Q_PROT_READ, Q_PROT_WRITE, Q_PROT_EXECUTE};
  if (!region->prot && sp + NEAR - va < 2 * NEAR)
    return P_REASON_GUARD;
  return region->prot & needed[kind] ? 0 : kind == Q_FAULT_EXECUTE ? P_REASON_NOEXEC : P_REASON_ACCESS;
}

unsigned space_refusal(const struct space *space, uint64_t va, unsigned kind, uint64_t sp) {
  const struct segment *segment;
  const struct region *region;
  if (va >= space->heap && va < space->brk)
    return kind == Q_FAULT_EXECUTE ? P_REASON_NOEXEC : 0;
  if (va >= P_STACK_BASE && va < P_STACK_TOP)
    return refuse_stack(va, kind, sp);
  if ((segment = find_segment(space, va)))
    return refuse_segment(segment, kind);
  if ((region = region_find(space, va)))
    return refuse_region(region, va, kind, sp);
  if (va < Q_PAGE_SIZE)
    return P_REASON_NULL;
  if (va >= Q_USER_TOP)
    return P_REASON_KERNEL;
  if (va >= space->heap && va < P_BREAK_MAX)
    return P_REASON_BREAK;
  return va >= P_BREAK_MAX && va < P_STACK_BASE ? P_REASON_GUARD : P_REASON_HOLE;
}

/* ---- Faults ------------------------------------------------------------------------------------------------------------- */
static uint64_t charged(struct space *space, uint64_t frame) {
  if (frame) {
    charge_one(space);
    promises_use(space, 1);
  }
  return frame;
}

static uint64_t new_page(struct space *space) {
  return charged(space, promise_allows(space) ? take_zeroed() : 0);
}

static uint64_t new_copy(struct space *space, uint64_t original) {
  uint64_t frame = promise_allows(space) ? frame_get(false) : 0;
  if (frame)
    copy_page(frame_data(frame), frame_data(original));
  return charged(space, frame);
}

static uint64_t segment_content(struct space *space, const struct segment *segment, uint64_t page) {
  const struct image *image = space->image;
  uint64_t index, frame;
  if (segment->cache) {
    frame = cached_page(space, segment, page);
    return frame ? show(space, frame) | segment->prot : 0;
  }
  if (image_page(image, segment, page, &index) && (frame = object_frame(image->object, index)))
    return show(space, frame) | segment->prot;
  if (!(frame = new_page(space)))
    return 0;
  image_fill(image, segment, page, frame_data(frame));
  return frame | segment->prot;
}

/* A page of memory that programs share, made when the first of them touches it. */
static uint64_t shared_page(const struct space *space, struct object *object, uint64_t index) {
  uint64_t frame = object_frame(object, index);
  if (frame || !promise_allows(space) || !(frame = take_zeroed()))
    return frame;
  if (object_put(object, index, frame))
    return frame;
  frame_give(frame);
  return 0;
}

static uint64_t region_content(struct space *space, const struct region *region, uint64_t page, unsigned kind) {
  uint64_t index = region->offset + ((page - region->start) >> Q_PAGE_SHIFT);
  uint64_t frame = region->shared   ? shared_page(space, region->object, index)
                   : region->object ? object_frame(region->object, index)
                                    : 0;
  if (region->shared)
    return frame ? show(space, frame) | region->prot : 0;
  if (frame && kind != Q_FAULT_WRITE)
    return show(space, frame) | (region->prot & ~(unsigned)Q_PROT_WRITE);
  frame = frame ? new_copy(space, frame) : new_page(space);
  return frame ? frame | region->prot : 0;
}

/* The frame, its protection and FIRST, of a page that may be touched so; 0: no frame. */
static uint64_t page_content(struct space *space, uint64_t page, unsigned kind) {
  const struct segment *segment = page < space->heap ? find_segment(space, page) : NULL;
  const struct region *region = page >= space->brk ? region_find(space, page) : NULL;
  if (segment)
    return segment_content(space, segment, page);
  if (region)
    return region_content(space, region, page, kind);
  uint64_t frame = new_page(space);
  return frame ? frame | DATA : 0;
}

bool bring_in(struct space *space, unsigned kind, struct answer *answer) {
  uint64_t content = page_content(space, answer->page, kind);
  answer->frame_prot = content & ~FIRST;
  answer->pages = 1;
  answer->first = content && (content & FIRST || !is_common(PAGE_OF(content)));
  stack_note(space, answer->page);
  return content;
}

unsigned page_prot(const struct space *space, uint64_t page) {
  const struct segment *segment = page < space->heap ? find_segment(space, page) : NULL;
  const struct region *region = page >= space->brk ? region_find(space, page) : NULL;
  return segment ? segment->prot : region ? region->prot : DATA;
}

static bool may_be_there(const struct space *space, uint64_t common) {
  return space->stats.shared && frames.link[frame_number(common)].next;
}

/* A page is there that does not allow what the program may do: since a fork, or because it shows an object's. Whoever is the
 * last to have it need not copy. By now another thread may have had it replaced, and the frame that was there be free, or
 * another's: then what is counted here must be as it was after space_undo(), or the answer is to try again. */
static void break_copy_on_write(struct space *space, unsigned kind, uint64_t there, struct answer *answer) {
  uint64_t old = PAGE_OF(there), frame = old;
  const struct region *region = region_find(space, answer->page);
  bool last = there & Q_FAULT_SOLE, writes_through = region && region->shared;
  if (kind != Q_FAULT_WRITE)
    return; /* it came a moment ago: try again */
  if (!writes_through && (!last || is_common(old))) {
    if (!(frame = new_copy(space, old)) && space->pool && pool_give_way(space, answer->page, answer))
      frame = new_copy(space, old);
    if (!frame) {
      answer->reason = answer->reason ? answer->reason : P_REASON_NOFRAME;
      return;
    }
    if (frame == old || (is_common(old) && !may_be_there(space, old))) {
      space_removed(space, frame, true); /* the copy */
      return;
    }
    if (is_common(old))
      space_removed(space, old, last);
    else
      space->stats.resident--; /* which the copy was counted as */
  }
  if (space->pool)
    pool_replace(space, answer->page, old, frame);
  answer->frame_prot = frame | page_prot(space, answer->page);
  answer->expected = old | Q_EXPECT | (last ? 0 : Q_EXPECT_SHARED);
  answer->first = true;
}

/* Nothing was mapped: what the answer had taken goes back. */
void space_undo(struct space *space, const struct answer *answer) {
  uint64_t frame = PAGE_OF(answer->frame_prot), old = PAGE_OF(answer->expected);
  if (frame == old)
    return;
  if (old && is_common(old)) {
    space->stats.shared++;
    if (!(answer->expected & Q_EXPECT_SHARED))
      frame_mapped(old, true); /* as space_removed() was told */
  } else if (old) {
    space->stats.resident++;
  }
  for (unsigned i = 0; i < answer->pages; i++)
    space_removed(space, frame + i * Q_PAGE_SIZE, answer->first);
  space->stats.ahead -= answer->pages - 1u;
}

void space_fault(struct space *space, uint64_t va, unsigned kind, uint64_t sp, uint64_t there,
                 struct answer *answer) {
  *answer = (struct answer){.page = PAGE_OF(va), .reason = (uint8_t)space_refusal(space, va, kind, sp), .pages = 1};
  if (!answer->reason && there)
    break_copy_on_write(space, kind, there, answer);
  else if (!answer->reason && space->pool)
    pool_fault(space, kind, sp, answer);
  else if (!answer->reason && !(space->policy->fetch.policy->fault && ahead_of_fault(space, sp, answer)) &&
           !bring_in(space, kind, answer))
    answer->reason = P_REASON_NOFRAME;
  if (answer->reason) {
    space->stats.refused++;
    return;
  }
  space->stats.faults[kind] += !answer->later;
}

/* ---- The break ------------------------------------------------------------------------------------------------------------ */
static int populate(struct space *space, uint64_t from, uint64_t to) {
  if ((to - from) >> Q_PAGE_SHIFT > frames.total)
    return ENOMEM;
  if (from >= space->heap && from < P_BREAK_MAX)
    extent_add(&space->heap_touched, from, to);
  for (uint64_t page = from; page < to; page += Q_PAGE_SIZE) {
    struct answer one = {.page = page};
    int error = bring_in(space, Q_FAULT_READ, &one) ? backend_map(space, page, one.frame_prot) : Q_E_NOFRAME;
    if (!error)
      continue;
    if (one.frame_prot)
      space_undo(space, &one);
    if (error == Q_E_EXISTS)
      continue;
    give_back(space, from, page); /* a policy may have been here before */
    return ENOMEM;
  }
  return 0;
}

char *space_page(struct space *space, uint64_t page) {
  struct answer one = {.page = page};
  if (!bring_in(space, Q_FAULT_WRITE, &one))
    return NULL;
  if (!backend_map(space, page, one.frame_prot))
    return frame_data(PAGE_OF(one.frame_prot));
  space_undo(space, &one);
  return NULL;
}

/* The one page there becomes a page of the program's own that it may write: a copy, unless it is just its own already. */
static int own_page(struct space *space, uint64_t page, uint64_t *frame) {
  uint64_t entry = backend_take(space, &page, page + Q_PAGE_SIZE), old = PAGE_OF(entry);
  struct answer answer = {.page = page};
  *frame = 0;
  if (!entry)
    return 0;
  break_copy_on_write(space, Q_FAULT_WRITE, entry, &answer);
  *frame = answer.reason ? 0 : PAGE_OF(answer.frame_prot);
  /* its page tables were there a moment ago, and the kernel has kept or freed them for us */
  int error = backend_map(space, page, *frame ? *frame | DATA : old | Q_PROT_READ);
  assert(!error);
  (void)error;
  if (space->pool)
    pool_modified(space, *frame ? *frame : old);
  return *frame ? 0 : ENOMEM;
}

/* A page whose tail was given back must read zero there when the break grows again. */
static __attribute__((noinline)) int clear_tail(struct space *space, uint64_t brk) {
  uint64_t page = PAGE_OF(brk), frame;
  int error = own_page(space, page, &frame);
  if (space->pool)
    absent_cut(space, brk);
  if (!error && frame) /* else not there: it will be all zero */
    memset((char *)frame_data(frame) + (brk - page), 0, Q_PAGE_SIZE - (brk - page));
  return error;
}

/* With more to it than the size. There is room. */
static __attribute__((noinline)) int64_t grow_by(struct space *space, uint64_t bytes, unsigned flags) {
  uint64_t old = space->brk;
  if (!promise_fits(space, (PAGE_UP(old + bytes) - PAGE_UP(old)) >> Q_PAGE_SHIFT))
    return -ENOMEM;
  space_set_break(space, old + bytes);
  promise_note(space);
  if (!(flags & P_SBRK_POPULATE)) {
    ahead_of_touch(space, PAGE_UP(old), PAGE_UP(space->brk));
  } else if (populate(space, PAGE_UP(old), PAGE_UP(space->brk))) {
    space_set_break(space, old);
    promise_note(space);
    return -ENOMEM;
  }
  return (int64_t)old;
}

static int64_t grow(struct space *space, uint64_t bytes, unsigned flags) {
  uint64_t old = space->brk;
  assert(old >= space->heap && old <= P_BREAK_MAX);
  if (bytes > regions_start(space) - old)
    return -ENOMEM;
  if (flags || space->strict || space->policy->fetch.policy->made)
    return grow_by(space, bytes, flags);
  space_set_break(space, old + bytes);
  return (int64_t)old;
}

static __attribute__((noinline)) int64_t shrink(struct space *space, uint64_t bytes) {
  uint64_t old = space->brk, brk = old - bytes, from = PAGE_UP(brk);
  if (bytes > old - space->heap)
    return -EINVAL;
  if (brk % Q_PAGE_SIZE && clear_tail(space, brk))
    return -ENOMEM; /* it would have to be copied first */
  space_set_break(space, brk);
  if (PAGE_UP(old) == from)
    return (int64_t)old;
  give_back(space, from, PAGE_UP(old));
  promise_note(space);
  if (space->heap_touched.end > from)
    space->heap_touched.end = from > space->heap_touched.start ? from : space->heap_touched.start;
  return (int64_t)old;
}

int64_t space_sbrk(struct space *space, int64_t bytes, unsigned flags) {
  if (flags & ~(unsigned)P_SBRK_POPULATE)
    return -EINVAL;
  return bytes < 0 ? shrink(space, -(uint64_t)bytes) : grow(space, (uint64_t)bytes, flags);
}

void space_begun(struct space *space) {
  for (unsigned i = 0; i < space->image->segments; i++)
    ahead_of_touch(space, space->image->segment[i].start, space->image->segment[i].end);
}

bool space_populate(struct space *space, uint64_t stack_bytes) {
  for (unsigned i = 0; i < space->image->segments; i++)
    if (populate(space, space->image->segment[i].start, space->image->segment[i].end))
      return false;
  return !populate(space, P_STACK_TOP - stack_bytes, P_STACK_TOP);
}

/* ---- A server's pages as an object's ------------------------------------------------------------------------------------ */
int space_freeze(struct space *space, uint64_t va, struct object *object, uint64_t index) {
  bool heap = va >= space->heap && va < space->brk; /* what else is there could not be put back as it was */
  uint64_t entry = heap ? backend_take(space, &va, va + Q_PAGE_SIZE) : 0, frame = PAGE_OF(entry);
  if (!entry)
    return EFAULT;
  bool own = !is_common(frame), good = object_put(object, index, frame);
  if (good && own) {
    space->stats.resident--;
    show(space, frame);
  }
  int error = backend_map(space, va, frame | Q_PROT_READ);
  assert(!error); /* as above */
  return good && !error ? 0 : EFAULT;
}

int space_thaw(struct space *space, uint64_t va) {
  uint64_t frame;
  return own_page(space, va, &frame);
}

void space_drop_object(struct object *object) {
  struct space *creator = space_find(object->creator);
  uint64_t mapped = object_drop(object);
  if (!mapped)
    return;
  assert(creator && creator->stats.shared >= mapped);
  creator->stats.shared -= mapped;
  creator->stats.resident += mapped;
  if (creator->stats.resident > creator->stats.peak)
    creator->stats.peak = creator->stats.resident;
}
