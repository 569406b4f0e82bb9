/* SPDX-License-Identifier: BSD-2-Clause */
/* See frames.h. A free frame stands on one of two lists, last in first out; one never used is on none, and is found by
 * counting upwards, so that boot need not touch every entry. */
#include "frames.h"

#include <assert.h>
#include <string.h>

#define BLOCK_FRAMES (Q_BLOCK_SIZE / Q_PAGE_SIZE)

struct frames frames;

static uint64_t link_bytes(uint64_t count) {
  return count * sizeof(struct link);
}

uint64_t frames_memory(uint64_t ram_bytes) {
  uint64_t count = ram_bytes >> Q_PAGE_SHIFT, blocks = (count + BLOCK_FRAMES - 1) / BLOCK_FRAMES;
  return link_bytes(count) + count + blocks * sizeof(uint16_t);
}

void frames_init(char *window, uint64_t ram_base, uint64_t ram_end, void *memory) {
  uint64_t count = (ram_end - ram_base) >> Q_PAGE_SHIFT;
  for (uint64_t at = 0; at < frames_memory(ram_end - ram_base); at += Q_PAGE_SIZE)
    zero_page((char *)memory + at);
  frames = (struct frames){.window = window, .base = ram_base, .count = count, .virgin = count};
  frames.link = memory;
  frames.block_free = (uint16_t *)((char *)memory + link_bytes(count));
  frames.state = (uint8_t *)(frames.block_free + (count + BLOCK_FRAMES - 1) / BLOCK_FRAMES);
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
  frames.available += bytes >> Q_PAGE_SHIFT;
}

static uint32_t *list_of(enum frame_state state) {
  return state == STATE_READY ? &frames.ready : &frames.free;
}

static void push(uint64_t n, enum frame_state state) {
  uint32_t *head = list_of(state);
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

static inline bool is_spare(uint8_t state) {
  return state >= STATE_VIRGIN && state <= STATE_READY;
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
  frames.available -= end - first;
}

unsigned frames_take_run(unsigned most, uint64_t *pa) {
  uint32_t head = frames.ready ? frames.ready : frames.free;
  if (!head && !next_virgin())
    return 0;
  uint64_t first = head ? head - 1 : frames.virgin, end = first + 1;
  uint8_t *state = frames.state;
  while (end - first < most && end < frames.count && is_spare(state[end]))
    end++;
  while (end - first < most && first && is_spare(state[first - 1]))
    first--;
  assert(end - first <= BLOCK_FRAMES);
  unlink_run(first, end);
  count_used(first, end);
  *pa = frames.base + (first << Q_PAGE_SHIFT);
  char *page = frame_data(*pa);
  for (uint64_t n = first; n < end; n++, page += Q_PAGE_SIZE) {
    if (state[n] != STATE_READY)
      zero_page(page);
    state[n] = STATE_USED;
  }
  return (unsigned)(end - first);
}

uint64_t frame_take_slow(bool zero) {
  uint64_t n;
  if (frames.free)
    unlink_frame(n = frames.free - 1);
  else if (next_virgin())
    n = frames.virgin;
  else if (frames.ready)
    unlink_frame(n = frames.ready - 1);
  else
    return 0;
  uint64_t pa = frames.base + (n << Q_PAGE_SHIFT);
  if (zero && frames.state[n] != STATE_READY)
    zero_page(frame_data(pa));
  frames.state[n] = STATE_USED;
  frames.block_free[n / BLOCK_FRAMES]--;
  frames.available--;
  return pa;
}

void frame_give(uint64_t pa) {
  uint64_t n = frame_number(pa);
  assert(n < frames.count && frames.state[n] >= STATE_USED && frames.state[n] <= STATE_OWN);
  frames.own -= frames.state[n] == STATE_OWN;
  push(n, STATE_FREE);
  frames.block_free[n / BLOCK_FRAMES]++;
  frames.available++;
  assert(frames.block_free[n / BLOCK_FRAMES] <= BLOCK_FRAMES && frames.available <= frames.total);
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
    if (frames.state[n] == STATE_FREE || frames.state[n] == STATE_READY)
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
  if (find_block(&block)) {
    *base = frames.base + block * Q_BLOCK_SIZE;
  } else if (frames.reserve) {
    *base = frames.reserve;
    frames.reserve = 0;
    block = frame_number(*base) / BLOCK_FRAMES;
  } else {
    return false;
  }
  assert(frames.available >= BLOCK_FRAMES);
  mark_block(block, STATE_DONATED);
  frames.available -= BLOCK_FRAMES;
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
    push(n, STATE_READY);
  }
  frames.block_free[block] = BLOCK_FRAMES;
  frames.available += BLOCK_FRAMES;
  frames_reserve();
}

bool frames_prepare(unsigned count) {
  for (uint32_t at = frames.ready; at && count; at = frames.link[at - 1].next)
    count--;
  for (; count; count--) {
    uint64_t pa = frames.free || next_virgin() ? frame_take_slow(true) : 0;
    if (!pa)
      return false;
    push(frame_number(pa), STATE_READY);
    frames.block_free[frame_number(pa) / BLOCK_FRAMES]++;
    frames.available++;
  }
  return true;
}
