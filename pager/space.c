/* SPDX-License-Identifier: BSD-2-Clause */
/* See space.h. The kernel's page tables are the truth about what is mapped; nothing here shadows them. */
#include "space.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define PAGE_OF(va) ((va) & ~(Q_PAGE_SIZE - 1ul))
#define PAGE_UP(va) PAGE_OF((va) + Q_PAGE_SIZE - 1)
#define DATA (Q_PROT_READ | Q_PROT_WRITE)

struct space spaces[SPACES];
struct image images[IMAGES_MAX];
unsigned image_count;

/* ---- Frames, with what to do when there are none ----------------------------------------------------------------------- */
static uint64_t take_or_reclaim(void) {
  uint64_t block;
  cache_drop();
  while (!frames.free && !frames.ready && backend_reclaim(&block)) /* the first may become the reserve */
    block_return(block);
  return frame_take_slow(true);
}

static inline uint64_t take_zeroed(void) {
  uint64_t frame = frame_take_zeroed();
  return __builtin_expect(frame != 0, 1) ? frame : take_or_reclaim();
}

static inline void charge(struct space *space) {
  if (++space->stats.resident > space->stats.peak)
    space->stats.peak = space->stats.resident;
}

/* One mapping less of a frame. */
static void removed(struct space *space, uint64_t frame) {
  uint64_t n = frame_number(frame);
  if (n >= frames.count || frames.state[n] == STATE_NONE)
    return; /* a device's registers, or the boot image */
  if (frames.state[n] == STATE_CACHED) {
    assert(frames.link[n].next);
    frames.link[n].next--;
    assert(space->stats.shared);
    space->stats.shared--;
    return;
  }
  assert(space->stats.resident);
  space->stats.resident--;
  frame_give(frame);
}

/* ---- The cache of read-only pages ---------------------------------------------------------------------------------------- */
static uint64_t cached_page(const struct segment *segment, uint64_t page) {
  uint32_t *slot = &segment->cache[(page - segment->start) >> Q_PAGE_SHIFT];
  if (*slot)
    return (uint64_t)*slot << Q_PAGE_SHIFT;
  uint64_t frame = take_zeroed();
  if (!frame)
    return 0;
  image_fill(segment, page, frame_data(frame));
  frames.state[frame_number(frame)] = STATE_CACHED;
  frames.link[frame_number(frame)].next = 0;
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
static const struct segment *find_segment(const struct space *space, uint64_t va) {
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

/* RISC-V has no red zone: below the page of sp nothing is anybody's, unless the thread's stack is elsewhere. */
static uint64_t stack_start(uint64_t sp) {
  return sp >= P_STACK_BASE && sp <= P_STACK_TOP ? PAGE_OF(sp) : P_STACK_BASE;
}

static unsigned refuse_stack(uint64_t va, unsigned kind, uint64_t sp) {
  if (va < stack_start(sp))
    return P_REASON_BELOW_SP;
  return kind == Q_FAULT_EXECUTE ? P_REASON_NOEXEC : 0;
}

unsigned space_refusal(const struct space *space, uint64_t va, unsigned kind, uint64_t sp) {
  const struct segment *segment;
  if (va >= space->heap && va < space->brk)
    return kind == Q_FAULT_EXECUTE ? P_REASON_NOEXEC : 0;
  if (va >= P_STACK_BASE && va < P_STACK_TOP)
    return refuse_stack(va, kind, sp);
  if ((segment = find_segment(space, va)))
    return refuse_segment(segment, kind);
  if (va < Q_PAGE_SIZE)
    return P_REASON_NULL;
  if (va >= Q_USER_TOP)
    return P_REASON_KERNEL;
  if (va >= space->heap && va < P_BREAK_MAX)
    return P_REASON_BREAK;
  return va >= P_BREAK_MAX && va < P_STACK_BASE ? P_REASON_GUARD : P_REASON_HOLE;
}

/* ---- Faults ------------------------------------------------------------------------------------------------------------- */
/* The frame and protection of a page that may be had; 0: no frame. */
static uint64_t page_content(struct space *space, uint64_t page) {
  const struct segment *segment = page < space->heap ? find_segment(space, page) : NULL;
  if (segment && segment->cache) {
    uint64_t frame = cached_page(segment, page);
    if (!frame)
      return 0;
    assert(frames.state[frame_number(frame)] == STATE_CACHED);
    frames.link[frame_number(frame)].next++;
    space->stats.shared++;
    return frame | segment->prot;
  }
  uint64_t frame = take_zeroed();
  if (!frame)
    return 0;
  if (segment)
    image_fill(segment, page, frame_data(frame));
  charge(space);
  return frame | (segment ? segment->prot : DATA);
}

void space_undo(struct space *space, const struct answer *answer) {
  removed(space, PAGE_OF(answer->frame_prot));
}

static void region_bounds(const struct space *space, uint64_t page, uint64_t sp, uint64_t *start, uint64_t *end) {
  const struct segment *segment = find_segment(space, page);
  bool stack = page >= P_STACK_BASE;
  *start = segment ? segment->start : stack ? stack_start(sp) : space->heap;
  *end = segment ? segment->end : stack ? P_STACK_TOP : PAGE_UP(space->brk);
}

/* The pages that the policy wants beside the faulting one. What is there already, or cannot be had, is left out. */
static void bring_in_others(struct space *space, uint64_t page, unsigned kind, uint64_t sp) {
  struct policy_fault fault = {space->badge, page, kind, 0, 0};
  struct policy_range range = {page, 1};
  assert(page % Q_PAGE_SIZE == 0);
  region_bounds(space, page, sp, &fault.start, &fault.end);
  space->policy->fault(&fault, &range);
  for (unsigned i = 0; i < range.pages && i < FAULT_PAGES; i++) {
    uint64_t at = PAGE_OF(range.page) + i * Q_PAGE_SIZE;
    if (at == page || at < fault.start || at >= fault.end)
      continue;
    struct answer one = {at, page_content(space, at), 0};
    if (one.frame_prot && backend_map(space, at, one.frame_prot))
      space_undo(space, &one);
  }
}

static __attribute__((noinline)) void fault_slow(struct space *space, uint64_t va, unsigned kind, uint64_t sp,
                                                 struct answer *answer) {
  *answer = (struct answer){PAGE_OF(va), 0, (uint8_t)space_refusal(space, va, kind, sp)};
  if (!answer->reason) {
    answer->frame_prot = page_content(space, answer->page);
    answer->reason = answer->frame_prot ? 0 : P_REASON_NOFRAME;
  }
  if (answer->reason) {
    space->stats.refused++;
    return;
  }
  space->stats.faults[kind]++;
  if (space->policy->fault)
    bring_in_others(space, answer->page, kind, sp);
}

/* The heap under a policy without a hook, with a zeroed frame at hand, is decided here. */
void space_fault(struct space *space, uint64_t va, unsigned kind, uint64_t sp, struct answer *answer) {
  bool heap = va - space->heap < space->brk - space->heap;
  if (__builtin_expect(!heap || kind == Q_FAULT_EXECUTE || space->policy->fault, 0))
    return fault_slow(space, va, kind, sp, answer);
  uint64_t frame = take_zeroed();
  *answer = (struct answer){PAGE_OF(va), frame | DATA, 0};
  if (__builtin_expect(!frame, 0)) {
    *answer = (struct answer){PAGE_OF(va), 0, P_REASON_NOFRAME};
    space->stats.refused++;
    return;
  }
  space->stats.faults[kind]++;
  charge(space);
}

/* ---- The break ------------------------------------------------------------------------------------------------------------ */
static int populate(struct space *space, uint64_t from, uint64_t to) {
  for (uint64_t page = from; page < to; page += Q_PAGE_SIZE) {
    struct answer one = {page, page_content(space, page), 0};
    int error = one.frame_prot ? backend_map(space, page, one.frame_prot) : Q_E_NOFRAME;
    if (!error)
      continue;
    if (one.frame_prot)
      space_undo(space, &one);
    if (error == Q_E_EXISTS)
      continue;
    backend_unmap(space, from, (page - from) >> Q_PAGE_SHIFT, removed);
    return -ENOMEM;
  }
  return 0;
}

/* A page whose tail was given back must read zero there when the break grows again. */
static uint64_t kept_frame;
static void keep(struct space *space, uint64_t frame) {
  (void)space;
  kept_frame = frame;
}

static void clear_tail(struct space *space, uint64_t brk) {
  uint64_t page = PAGE_OF(brk);
  if (page == brk)
    return;
  kept_frame = 0;
  backend_unmap(space, page, 1, keep);
  if (!kept_frame)
    return; /* not there: it will be all zero */
  memset((char *)frame_data(kept_frame) + (brk - page), 0, Q_PAGE_SIZE - (brk - page));
  int error = backend_map(space, page, kept_frame | DATA);
  assert(!error); /* its page tables were there a moment ago, and the kernel has kept or freed them for us */
  (void)error;
}

static int64_t grow(struct space *space, uint64_t bytes, unsigned flags) {
  uint64_t old = space->brk;
  assert(old >= space->heap && old <= P_BREAK_MAX);
  if (bytes > P_BREAK_MAX - old)
    return -ENOMEM;
  space->brk = old + bytes;
  if (flags & P_SBRK_POPULATE && populate(space, PAGE_UP(old), PAGE_UP(space->brk))) {
    space->brk = old;
    return -ENOMEM;
  }
  return (int64_t)old;
}

static int64_t shrink(struct space *space, uint64_t bytes) {
  uint64_t old = space->brk;
  if (bytes > old - space->heap)
    return -EINVAL;
  space->brk = old - bytes;
  uint64_t from = PAGE_UP(space->brk);
  if (PAGE_UP(old) > from)
    backend_unmap(space, from, (PAGE_UP(old) - from) >> Q_PAGE_SHIFT, removed);
  clear_tail(space, space->brk);
  return (int64_t)old;
}

int64_t space_sbrk(struct space *space, int64_t bytes, unsigned flags) {
  if (flags & ~(unsigned)P_SBRK_POPULATE)
    return -EINVAL;
  return bytes < 0 ? shrink(space, -(uint64_t)bytes) : grow(space, (uint64_t)bytes, flags);
}

/* ---- Beginning and end ------------------------------------------------------------------------------------------------------ */
struct space *space_new(const struct image *image, const struct policy *policy) {
  static unsigned next = 1; /* round and round, so that an id is not used again soon */
  for (unsigned tried = 1; tried < SPACES; tried++) {
    unsigned index = next;
    next = next + 1 < SPACES ? next + 1 : 1;
    struct space *space = &spaces[index];
    if (space->state != SPACE_FREE)
      continue;
    uint64_t badge = space->badge ? space->badge + SPACES : index;
    *space = (struct space){.badge = badge,
                            .heap = image->heap,
                            .brk = image->heap,
                            .image = image,
                            .policy = policy,
                            .state = SPACE_ALIVE};
    return space;
  }
  return NULL;
}

void space_end(struct space *space) {
  assert(space->state == SPACE_ALIVE);
  backend_unmap(space, 0, Q_USER_TOP >> Q_PAGE_SHIFT, removed);
  assert(space->stats.resident == 0 && space->stats.shared == 0);
  space->state = SPACE_ENDED;
}

void space_free(struct space *space) {
  assert(space->state == SPACE_ENDED);
  space->state = SPACE_FREE;
}

/* ---- Arguments ---------------------------------------------------------------------------------------------------------------- */
#define ARGUMENTS_MAX 128

/* Where each argument begins in the text; how many, or 0 if the text is no list of strings. */
static unsigned split(const char *text, uint64_t bytes, uint16_t *at) {
  unsigned count = 0;
  if (!bytes || text[bytes - 1])
    return 0;
  for (uint64_t i = 0; i < bytes; i += strlen(text + i) + 1) {
    if (count == ARGUMENTS_MAX)
      return 0;
    at[count++] = (uint16_t)i;
  }
  return count;
}

bool space_populate(struct space *space, uint64_t stack_bytes) {
  for (unsigned i = 0; i < space->image->segments; i++)
    if (populate(space, space->image->segment[i].start, space->image->segment[i].end))
      return false;
  return !populate(space, P_STACK_TOP - stack_bytes, P_STACK_TOP);
}

int64_t space_arguments(struct space *space, const char *text, uint64_t bytes, uint64_t environment) {
  uint16_t at[ARGUMENTS_MAX];
  unsigned count = split(text, bytes, at);
  uint64_t page = P_STACK_TOP - Q_PAGE_SIZE;
  if (!count || bytes > P_SPAWN_MAX)
    return bytes ? -E2BIG : -EINVAL;
  if (environment >= count)
    return -EINVAL; /* not even a name */
  struct answer top = {page, page_content(space, page), 0};
  if (!top.frame_prot)
    return -ENOMEM;
  if (backend_map(space, page, top.frame_prot)) {
    space_undo(space, &top);
    return -ENOMEM;
  }
  char *data = frame_data(PAGE_OF(top.frame_prot));
  assert(count <= ARGUMENTS_MAX);
  uint64_t strings = (Q_PAGE_SIZE - bytes) & ~15ul, block = (strings - 8 * (count + 3)) & ~15ul;
  memcpy(data + strings, text, bytes);
  uint64_t *words = (uint64_t *)(data + block);
  *words++ = count - environment;
  for (unsigned i = 0; i < count; i++) {
    words += i == count - environment; /* the 0 that ends argv */
    *words++ = page + strings + at[i];
  }
  return (int64_t)(page + block);
}
