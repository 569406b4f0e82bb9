/* SPDX-License-Identifier: BSD-2-Clause */
/* See frames.h. A free frame stands on one of two lists, last in first out; one never used is on none, and is found by
 * counting upwards, so that boot need not touch every entry. The links of a block's frames fill one page, which gets a
 * frame when the first of them is taken: what was never used costs a byte. */
#include "frames.h"

#include <assert.h>
#include <string.h>

#define BLOCK_FRAMES (Q_BLOCK_SIZE / Q_PAGE_SIZE)

struct frames frames;
struct stock stocks[STOCKS];

static void zero_block(char *at, uint64_t bytes) {
#ifdef __riscv
  (void)bytes; /* the machine knows them, the assembler need not know Zicboz: cbo.zero (%0) */
  __asm__ volatile(".insn i 0x0f, 2, x0, %0, 4" ::"r"(at) : "memory");
#else
  __builtin_memset(at, 0, bytes);
#endif
}

__attribute__((noinline)) void zero_blocks(char *page, uint64_t count, uint64_t bytes) {
  for (char *at = page, *end = page + count * Q_PAGE_SIZE; at < end; at += bytes)
    zero_block(at, bytes);
}

/* 512 stores and a little: what it costs to zero a page. The base lies in the middle, so that offsets of 12 bits reach far. */
void zero_pages(void *page, uint64_t count) {
  if (__builtin_expect(frames.zero_block, 0))
    zero_blocks(page, count, frames.zero_block);
  else
    zero_pages_here(page, count);
}

void zero_page(void *page) {
  zero_pages(page, 1);
}

void copy_page(void *to, const void *from) {
  copy_page_here(to, from);
}

uint64_t frame_take_zeroed(void) {
  uint64_t pa = frame_take_plain(frames.stock);
  return pa ? pa : frame_take_slow(true);
}

_Static_assert(BLOCK_FRAMES * sizeof(struct link) == Q_PAGE_SIZE, "a block's links are a page");
/* Frames set aside for links: seven blocks in eight have none of these, and can be whole. The first few are less, as low
 * blocks never are. */
#define LINKS_TOGETHER 8
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
                           .together = 1,
                           .stock = stocks};
  memset(stocks, 0, sizeof stocks);
  frames_share(1);
  frames.link = links;
  frames.block_free = (uint16_t *)rest;
  frames.linked = (bool *)(frames.block_free + blocks);
  frames.state = (uint8_t *)(frames.linked + blocks);
  for (uint64_t i = 0; i < first_links(blocks); i++)
    link_block(i * REACH, (uint64_t)((char *)memory - window) + i * Q_PAGE_SIZE);
}

void frames_share(unsigned threads) {
  for (struct stock *stock = stocks + frames.stock_count; stock < stocks + threads; stock++)
    stock->hot = stock->hot_stack, stock->cold = stock->cold_stack;
  frames.stock_count = threads;
}

void frames_zero_by(uint64_t block) {
  frames.zero_block = (uint32_t)block;
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
    if (frames.asides == frames.together)
      break;
    frames.state[n] = STATE_OWN;
    frames.block_free[n / BLOCK_FRAMES]--;
    frames.unzeroed--;
    frames.own++;
    frames.tables++;
    frames.asides++;
  }
  frames.together = frames.together < LINKS_TOGETHER ? 2 * frames.together : LINKS_TOGETHER;
}

static void link_by_aside(uint64_t block) {
  zero_page(frame_data(frames.aside));
  link_block(block, frames.aside);
  frames.aside += Q_PAGE_SIZE;
  frames.asides--;
}

/* One that can be put on a list once it is given back. */
static bool linked_virgin(void) {
  while (next_virgin() && !frames.linked[frames.virgin / BLOCK_FRAMES]) {
    if (!frames.asides)
      set_aside();
    link_by_aside(frames.virgin / BLOCK_FRAMES);
  }
  return frames.virgin < frames.count;
}

/* A block that was never used gets links, since those that have some are too full for a row. false: there is none. */
static bool link_fresh(void) {
  if (!frames.asides && next_virgin())
    set_aside();
  for (uint64_t block = 0; frames.asides && (block + 1) * BLOCK_FRAMES <= frames.count; block++)
    if (!frames.linked[block] && frames.block_free[block] == BLOCK_FRAMES) {
      link_by_aside(block);
      return true;
    }
  return false;
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

/* Frames that are needed now, and are not zeroed. */
static void missed(void *page, uint64_t count) {
  zero_pages(page, count);
  frames.stock->misses += count;
  if (frames.wanted)
    frames.wanted();
}

unsigned frames_take_run(unsigned most, uint64_t *pa) {
  frames_cool(); /* what is missing here and there would cut the run short */
  uint32_t head = frames.ready ? frames.ready : frames.free;
  if (!head && !linked_virgin())
    return 0;
  uint64_t first = head ? head - 1 : frames.virgin, end = first + 1, low, high;
  linked_around(first / BLOCK_FRAMES, &low, &high);
  uint8_t *state = frames.state;
  bool ready = frames.ready; /* nothing is zeroed while something is: the run is zeroed as a whole, or not at all */
  enum frame_state least = ready ? STATE_READY : STATE_VIRGIN;
  high = high - first < most ? high : first + most;
  while (end < high && is_spare(state[end], least))
    end++;
  low = end - low < most ? low : end - most;
  while (first > low && is_spare(state[first - 1], least))
    first--;
  assert(end - first <= BLOCK_FRAMES);
  unlink_run(first, end);
  count_used(first, end);
  *pa = frames.base + (first << Q_PAGE_SHIFT);
  uint64_t n = end - first;
  memset(state + first, STATE_USED, n);
  if (ready)
    frames.zeroed -= n;
  else
    frames.unzeroed -= n, missed(frame_data(*pa), n);
  return (unsigned)n;
}

/* A frame that can be taken out of the middle: of a virgin one the links must be there. */
static bool is_loose(uint64_t n) {
  return is_spare(frames.state[n], STATE_VIRGIN) &&
         (frames.state[n] != STATE_VIRGIN || frames.linked[n / BLOCK_FRAMES]);
}

/* The first of so many in a row; frames.count: there are none. */
static uint64_t find_row(uint64_t count) {
  uint64_t run = 0;
  for (uint64_t n = 0; n < frames.count; n++) {
    run = is_loose(n) ? run + 1 : 0;
    if (run == count)
      return n + 1 - count;
  }
  return frames.count;
}

uint64_t frames_take_row(uint64_t count) {
  assert(count && count <= BLOCK_FRAMES);
  frames_cool();
  linked_virgin(); /* if need be, there is a block more that has links */
  uint64_t first = find_row(count), ready = 0;
  if (first == frames.count && link_fresh())
    first = find_row(count);
  if (first == frames.count)
    return 0;
  for (uint64_t n = first; n < first + count; n++)
    ready += frames.state[n] == STATE_READY;
  unlink_run(first, first + count);
  count_used(first, first + count);
  memset(frames.state + first, STATE_USED, count);
  frames.zeroed -= ready;
  frames.unzeroed -= count - ready;
  zero_pages(frame_data(frames.base + (first << Q_PAGE_SHIFT)), count);
  return frames.base + (first << Q_PAGE_SHIFT);
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

/* Where no frame is free that was ever used: up to so many of one block that never were. */
static unsigned take_virgins(uint64_t *some, unsigned most) {
  if (frames.free || !linked_virgin())
    return 0;
  uint64_t first = frames.virgin, end = (first / BLOCK_FRAMES + 1) * BLOCK_FRAMES, n = first;
  end = end < frames.count ? end : frames.count;
  for (; n < end && n < first + most && frames.state[n] == STATE_VIRGIN; n++) {
    frames.state[n] = STATE_USED;
    some[n - first] = frames.base + (n << Q_PAGE_SHIFT);
  }
  frames.block_free[first / BLOCK_FRAMES] = (uint16_t)(frames.block_free[first / BLOCK_FRAMES] - (n - first));
  frames.unzeroed -= n - first;
  frames.virgin = n;
  return (unsigned)(n - first);
}

/* One for now, and some for then, of which the one given back last comes first. 0: there is none. */
static uint64_t take_some(uint64_t **last, uint64_t (*take)(void)) {
  uint64_t some[FRAMES_HOT], now = take();
  unsigned count = 0;
  assert(!**last);
  while (now && count < FRAMES_HOT) {
    unsigned more = take == take_unzeroed ? take_virgins(some + count, FRAMES_HOT - count) : 0;
    if (!more && !(some[count] = take()))
      break;
    count += more ? more : 1;
  }
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
  for (struct stock *stock = stocks; stock < stocks + frames.stock_count; stock++) {
    frames.made_ready -= (uint64_t)(stock->hot - stock->hot_stack); /* they were that before */
    if (*stock->hot)
      put_back(stock->hot_stack, &stock->hot, STATE_READY);
    if (*stock->cold)
      put_back(stock->cold_stack, &stock->cold, STATE_FREE);
  }
}

static uint64_t take_slow(struct stock *stock, bool zero) {
  uint64_t pa = zero ? frame_pop(&stock->hot) : 0;
  if (!pa && zero)
    pa = take_some(&stock->hot, take_ready);
  if (pa)
    return pa;
  if (!(pa = frame_pop(&stock->cold)))
    pa = take_some(&stock->cold, take_unzeroed);
  if (pa && zero)
    missed(frame_data(pa), 1);
  if (pa)
    return pa;
  if ((pa = frame_pop(&stock->hot)) || (pa = take_ready()))
    frames.idly++;
  return pa;
}

uint64_t frame_take_slow(bool zero) {
  uint64_t pa = take_slow(frames.stock, zero);
  if (pa || frames.stock_count == 1)
    return pa;
  frames_cool(); /* another may have some left */
  return take_slow(frames.stock, zero);
}

static __attribute__((noinline)) void give_to_list(uint64_t n) {
  push(n, STATE_FREE);
  frames.block_free[n / BLOCK_FRAMES]++;
  assert(frames.block_free[n / BLOCK_FRAMES] <= BLOCK_FRAMES && frames_available() <= frames.total);
}

/* The last few wait where the next ones are taken from: they are in the caches yet. */
void frame_give(uint64_t pa) {
  uint64_t n = frame_number(pa);
  assert(n < frames.count && frames.state[n] >= STATE_USED && frames.state[n] <= STATE_OWN);
  if (frames.state[n] == STATE_OWN)
    frames.own--;
  struct stock *stock = frames.stock;
  if (stock->cold == &stock->cold_stack[FRAMES_HOT])
    return give_to_list(n);
  frames.state[n] = STATE_USED;
  *++stock->cold = pa;
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
