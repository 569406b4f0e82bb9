/* SPDX-License-Identifier: BSD-2-Clause */
/* See frames.h. A free frame stands on one of two lists, last in first out; one never used is on none, and is found by
 * counting upwards, so that boot need not touch every entry. The links of a block's frames fill one page, which gets a
 * frame when the first of them is taken: what was never used costs a byte. */
#include "frames.h"

#include <assert.h>
#include <string.h>

#define BLOCK_FRAMES (Q_BLOCK_SIZE / Q_PAGE_SIZE)

struct frames frames;

/* 512 stores and a little: what it costs to zero a page. The base lies in the middle, so that offsets of 12 bits reach far. */
void zero_page(void *page) {
  zero_page_here(page);
}

uint64_t frame_take_zeroed(void) {
  uint64_t pa = frame_take_plain();
  return pa ? pa : frame_take_slow(true);
}

_Static_assert(BLOCK_FRAMES * sizeof(struct link) == Q_PAGE_SIZE, "a block's links are a page");
#define LINKS_TOGETHER 8 /* frames set aside for links: seven blocks in eight have none of these, and can be whole */
#define REACH 512 /* pages of links under one page table: the first is there from the start, and so is the table */

static uint64_t blocks_of(uint64_t count) {
  return (count + BLOCK_FRAMES - 1) / BLOCK_FRAMES;
}

static uint64_t first_links(uint64_t blocks) {
  return (blocks + REACH - 1) / REACH;
}

uint64_t frames_memory(uint64_t ram_bytes) {
  uint64_t count = ram_bytes >> Q_PAGE_SHIFT, blocks = blocks_of(count);
  return first_links(blocks) * Q_PAGE_SIZE + blocks * (sizeof *frames.block_free + sizeof *frames.linked) + count;
}

static void link_block(uint64_t block, uint64_t frame) {
  frames_back(&frames.link[block * BLOCK_FRAMES], frame);
  frames.linked[block] = true;
  frames.unlinked--;
}

void frames_init(char *window, uint64_t ram_base, uint64_t ram_end, void *memory, struct link *links) {
  uint64_t count = (ram_end - ram_base) >> Q_PAGE_SHIFT, blocks = blocks_of(count);
  char *rest = (char *)memory + first_links(blocks) * Q_PAGE_SIZE;
  for (uint64_t at = 0; at < frames_memory(ram_end - ram_base); at += Q_PAGE_SIZE)
    zero_page((char *)memory + at);
  frames = (struct frames){.window = window,
                           .base = ram_base,
                           .count = count,
                           .virgin = count,
                           .unlinked = blocks,
                           .hot = frames.hot_stack,
                           .cold = frames.cold_stack};
  frames.link = links;
  frames.block_free = (uint16_t *)rest;
  frames.linked = (bool *)(frames.block_free + blocks);
  frames.state = (uint8_t *)(frames.linked + blocks);
  for (uint64_t i = 0; i < first_links(blocks); i++)
    link_block(i * REACH, (uint64_t)((char *)memory - window) + i * Q_PAGE_SIZE);
}

void frames_add(uint64_t base, uint64_t bytes) {
  for (uint64_t n = frame_number(base), end = n + (bytes >> Q_PAGE_SHIFT); n < end;) {
    uint64_t stop = (n / BLOCK_FRAMES + 1) * BLOCK_FRAMES; /* the part that lies in one block */
    stop = stop < end ? stop : end;
    frames.block_free[n / BLOCK_FRAMES] = (uint16_t)(frames.block_free[n / BLOCK_FRAMES] + (stop - n));
    memset(frames.state + n, STATE_VIRGIN, stop - n);
    n = stop;
  }
  if (frame_number(base) < frames.virgin)
    frames.virgin = frame_number(base);
  frames.total += bytes >> Q_PAGE_SHIFT;
  frames.unzeroed += bytes >> Q_PAGE_SHIFT;
}

static uint32_t *list_of(enum frame_state state) {
  return state == STATE_READY ? &frames.ready : &frames.free;
}

static void push(uint64_t n, enum frame_state state) {
  uint32_t *head = list_of(state);
  bool ready = state == STATE_READY;
  *(ready ? &frames.zeroed : &frames.unzeroed) += 1;
  frames.made_ready += ready;
  frames.state[n] = (uint8_t)state;
  frames.link[n] = (struct link){*head, 0};
  if (*head)
    frames.link[*head - 1].prev = (uint32_t)n + 1;
  *head = (uint32_t)n + 1;
}

/* Frames that stand one after another on a list, from `high` down to `low`. */
static inline void cut(uint64_t low, uint64_t high) {
  assert(frames.state[low] == STATE_FREE || frames.state[low] == STATE_READY);
  uint32_t next = frames.link[low].next, prev = frames.link[high].prev;
  if (next)
    frames.link[next - 1].prev = prev;
  *(prev ? &frames.link[prev - 1].next : list_of(frames.state[low])) = next;
}

static void unlink_frame(uint64_t n) {
  cut(n, n);
}

static bool next_virgin(void) {
  while (frames.virgin < frames.count && frames.state[frames.virgin] != STATE_VIRGIN)
    frames.virgin++;
  return frames.virgin < frames.count;
}

/* There is a virgin frame at frames.virgin. */
static void set_aside(void) {
  frames.aside = frames.base + (frames.virgin << Q_PAGE_SHIFT);
  for (uint64_t n = frames.virgin; n < frames.count && frames.state[n] == STATE_VIRGIN; n++) {
    if (frames.asides == LINKS_TOGETHER)
      break;
    frames.state[n] = STATE_OWN;
    frames.block_free[n / BLOCK_FRAMES]--;
    frames.unzeroed--;
    frames.own++;
    frames.tables++;
    frames.asides++;
  }
}

/* One that can be put on a list once it is given back. */
static bool linked_virgin(void) {
  while (next_virgin() && !frames.linked[frames.virgin / BLOCK_FRAMES]) {
    if (!frames.asides)
      set_aside();
    zero_page(frame_data(frames.aside));
    link_block(frames.virgin / BLOCK_FRAMES, frames.aside);
    frames.aside += Q_PAGE_SIZE;
    frames.asides--;
  }
  return frames.virgin < frames.count;
}

/* READY, or with a lower least what is free otherwise, too. */
static inline bool is_spare(uint8_t state, enum frame_state least) {
  return state >= least && state <= STATE_READY;
}

/* Off their list, if they are on one. Neighbours that were given back together stand on it one after another, the later
 * first, and are cut out as one piece. */
static void unlink_run(uint64_t first, uint64_t end) {
  const struct link *link = frames.link;
  for (uint64_t n = end, low; n > first; n = low) {
    low = n - 1;
    while (low > first && link[low].next == low) /* the number of the one below, + 1 */
      low--;
    if (frames.state[low] != STATE_VIRGIN)
      cut(low, n - 1);
  }
}

static void count_used(uint64_t first, uint64_t end) {
  uint64_t edge = (first / BLOCK_FRAMES + 1) * BLOCK_FRAMES, here = (end < edge ? end : edge) - first;
  frames.block_free[first / BLOCK_FRAMES] = (uint16_t)(frames.block_free[first / BLOCK_FRAMES] - here);
  if (end > edge)
    frames.block_free[edge / BLOCK_FRAMES] = (uint16_t)(frames.block_free[edge / BLOCK_FRAMES] - (end - edge));
}

/* Frames of that block, and of its neighbours if they have links. */
static void linked_around(uint64_t block, uint64_t *low, uint64_t *high) {
  bool above = (block + 1) * BLOCK_FRAMES < frames.count && frames.linked[block + 1];
  *low = (block - (block && frames.linked[block - 1])) * BLOCK_FRAMES;
  *high = (block + 1 + above) * BLOCK_FRAMES;
  *high = *high < frames.count ? *high : frames.count;
}

unsigned frames_take_run(unsigned most, uint64_t *pa) {
  frames_cool(); /* what is missing here and there would cut the run short */
  uint32_t head = frames.ready ? frames.ready : frames.free;
  if (!head && !linked_virgin())
    return 0;
  uint64_t first = head ? head - 1 : frames.virgin, end = first + 1, low, high;
  linked_around(first / BLOCK_FRAMES, &low, &high);
  uint8_t *state = frames.state;
  enum frame_state least = frames.ready ? STATE_READY : STATE_VIRGIN; /* nothing is zeroed while something is */
  while (end - first < most && end < high && is_spare(state[end], least))
    end++;
  while (end - first < most && first > low && is_spare(state[first - 1], least))
    first--;
  assert(end - first <= BLOCK_FRAMES);
  unlink_run(first, end);
  count_used(first, end);
  *pa = frames.base + (first << Q_PAGE_SHIFT);
  char *page = frame_data(*pa);
  uint64_t ready = 0;
  for (uint64_t n = first; n < end; n++, page += Q_PAGE_SIZE) {
    if (state[n] == STATE_READY)
      ready++;
    else
      zero_page(page);
    state[n] = STATE_USED;
  }
  frames.zeroed -= ready;
  frames.unzeroed -= end - first - ready;
  frames.misses += end - first - ready;
  if (!ready && frames.wanted)
    frames.wanted();
  return (unsigned)(end - first);
}

static void missed(void *page) {
  zero_page(page);
  frames.misses++;
  if (frames.wanted)
    frames.wanted();
}

/* A frame that has just left its list. */
static uint64_t used(uint64_t n) {
  frames.state[n] = STATE_USED;
  frames.block_free[n / BLOCK_FRAMES]--;
  return frames.base + (n << Q_PAGE_SHIFT);
}

static uint64_t take_ready(void) {
  uint64_t n = frames.ready - 1;
  if (!frames.ready)
    return 0;
  unlink_frame(n);
  frames.zeroed--;
  return used(n);
}

static uint64_t take_unzeroed(void) {
  uint64_t n = frames.free ? frames.free - 1 : frames.virgin;
  if (frames.free)
    unlink_frame(n);
  else if (!linked_virgin())
    return 0;
  else
    n = frames.virgin++;
  frames.unzeroed--;
  return used(n);
}

/* One for now, and some for then, of which the one given back last comes first. 0: there is none. */
static uint64_t take_some(uint64_t **last, uint64_t (*take)(void)) {
  uint64_t some[FRAMES_HOT], now = take(), pa;
  unsigned count = 0;
  assert(!**last);
  while (now && count < FRAMES_HOT && (pa = take()))
    some[count++] = pa;
  while (count)
    *++*last = some[--count];
  return now;
}

/* In the order in which they were taken, so that neighbours stand as they did. */
static void put_back(uint64_t *stack, uint64_t **last, enum frame_state state) {
  for (const uint64_t *pa = stack + 1; pa <= *last; pa++) {
    push(frame_number(*pa), state);
    frames.block_free[frame_number(*pa) / BLOCK_FRAMES]++;
  }
  *last = stack;
}

void frames_cool(void) {
  frames.made_ready -= frames_hot(); /* they were that before */
  put_back(frames.hot_stack, &frames.hot, STATE_READY);
  put_back(frames.cold_stack, &frames.cold, STATE_FREE);
}

uint64_t frame_take_slow(bool zero) {
  uint64_t pa = zero ? frame_pop(&frames.hot) : 0;
  if (!pa && zero)
    pa = take_some(&frames.hot, take_ready);
  if (pa)
    return pa;
  if (!(pa = frame_pop(&frames.cold)))
    pa = take_some(&frames.cold, take_unzeroed);
  if (pa && zero)
    missed(frame_data(pa));
  if (pa)
    return pa;
  if ((pa = frame_pop(&frames.hot)) || (pa = take_ready()))
    frames.idly++;
  return pa;
}

void frame_give(uint64_t pa) {
  uint64_t n = frame_number(pa);
  assert(n < frames.count && frames.state[n] >= STATE_USED && frames.state[n] <= STATE_OWN);
  frames.own -= frames.state[n] == STATE_OWN;
  push(n, STATE_FREE);
  frames.block_free[n / BLOCK_FRAMES]++;
  assert(frames.block_free[n / BLOCK_FRAMES] <= BLOCK_FRAMES && frames_available() <= frames.total);
}

/* From the top: what was never used lies there, and programs take from the bottom. */
static bool find_block(uint64_t *block) {
  for (uint64_t b = frames.count / BLOCK_FRAMES; b--;)
    if (frames.block_free[b] == BLOCK_FRAMES) {
      *block = b;
      return true;
    }
  return false;
}

static void mark_block(uint64_t block, enum frame_state state) {
  for (uint64_t n = block * BLOCK_FRAMES; n < (block + 1) * BLOCK_FRAMES; n++) {
    bool ready = frames.state[n] == STATE_READY;
    frames.zeroed -= ready;
    frames.unzeroed += ready;
    frames.idly += ready;
    if (ready || frames.state[n] == STATE_FREE)
      unlink_frame(n);
    frames.state[n] = (uint8_t)state;
  }
  frames.block_free[block] = 0;
}

void frames_reserve(void) {
  uint64_t block;
  if (frames.reserve || !find_block(&block))
    return;
  mark_block(block, STATE_RESERVE);
  frames.reserve = frames.base + block * Q_BLOCK_SIZE;
}

bool block_take(uint64_t *base) {
  uint64_t block;
  frames_cool();
  if (find_block(&block)) {
    *base = frames.base + block * Q_BLOCK_SIZE;
  } else if (frames.reserve) {
    *base = frames.reserve;
    frames.reserve = 0;
    block = frame_number(*base) / BLOCK_FRAMES;
  } else {
    return false;
  }
  assert(frames_available() >= BLOCK_FRAMES);
  mark_block(block, STATE_DONATED);
  frames.unzeroed -= BLOCK_FRAMES;
  frames.donated += BLOCK_FRAMES;
  return true;
}

void block_return(uint64_t base) {
  uint64_t block = frame_number(base) / BLOCK_FRAMES;
  uint8_t state = frames.state[block * BLOCK_FRAMES];
  assert(state == STATE_DONATED || state == STATE_NONE);
  if (state == STATE_NONE)
    frames.total += BLOCK_FRAMES; /* out of what the kernel kept for itself at boot */
  else
    frames.donated -= BLOCK_FRAMES;
  for (uint64_t n = block * BLOCK_FRAMES; n < (block + 1) * BLOCK_FRAMES; n++) {
    assert(frames.state[n] == state);
    if (frames.linked[block])
      push(n, STATE_READY);
    else
      frames.state[n] = STATE_VIRGIN;
  }
  if (!frames.linked[block]) {
    frames.unzeroed += BLOCK_FRAMES;
    frames.virgin = frames.virgin < block * BLOCK_FRAMES ? frames.virgin : block * BLOCK_FRAMES;
  }
  frames.block_free[block] = BLOCK_FRAMES;
  frames_reserve();
}

bool frame_prepare(void) {
  frames_cool();
  if (!frames.free && !linked_virgin())
    return false;
  uint64_t n = frames.free ? frames.free - 1 : frames.virgin;
  if (frames.free)
    unlink_frame(n);
  frames.unzeroed--;
  zero_page(frame_data(frames.base + (n << Q_PAGE_SHIFT)));
  push(n, STATE_READY);
  return true;
}

bool frames_prepare(uint64_t count) {
  frames_cool();
  while (frames.zeroed < count)
    if (!frame_prepare())
      return false;
  return true;
}
