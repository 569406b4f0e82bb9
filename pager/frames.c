/* SPDX-License-Identifier: BSD-2-Clause */
/* See frames.h. A free frame stands on one of two lists, last in first out; one never used is on none, and is found by
 * counting upwards, so that boot need not touch every entry. The links of a block's frames fill one page, which gets a
 * frame when the first of them is taken: what was never used costs a byte. */
#include "frames.h"

#include <assert.h>
#include <string.h>

#define BLOCK_FRAMES (Q_BLOCK_SIZE / Q_PAGE_SIZE)

struct frames frames;

_Static_assert(BLOCK_FRAMES * sizeof(struct link) == Q_PAGE_SIZE, "a block's links are a page");
#define LINKS_TOGETHER 8 /* frames set aside for links: seven blocks in eight have none of these, and can be whole */
#define REACH 512        /* pages of links under one page table: the first is there from the start, and so is the table */

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
  frames = (struct frames){.window = window, .base = ram_base, .count = count, .virgin = count, .unlinked = blocks};
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

static void unlink_frame(uint64_t n) {
  assert(frames.state[n] == STATE_FREE || frames.state[n] == STATE_READY);
  struct link *link = &frames.link[n];
  if (link->next)
    frames.link[link->next - 1].prev = link->prev;
  *(link->prev ? &frames.link[link->prev - 1].next : list_of(frames.state[n])) = link->next;
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
    frames.available--;
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
    link_block(frames.virgin / BLOCK_FRAMES, frames.aside);
    frames.aside += Q_PAGE_SIZE;
    frames.asides--;
  }
  return frames.virgin < frames.count;
}

uint64_t frame_take_slow(bool zero) {
  uint64_t n;
  if (frames.free)
    unlink_frame(n = frames.free - 1);
  else if (linked_virgin())
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
    if (frames.linked[block])
      push(n, STATE_READY);
    else
      frames.state[n] = STATE_VIRGIN;
  }
  if (!frames.linked[block] && frames.virgin > block * BLOCK_FRAMES)
    frames.virgin = block * BLOCK_FRAMES;
  frames.block_free[block] = BLOCK_FRAMES;
  frames.available += BLOCK_FRAMES;
  frames_reserve();
}

bool frames_prepare(unsigned count) {
  for (uint32_t at = frames.ready; at && count; at = frames.link[at - 1].next)
    count--;
  for (; count; count--) {
    uint64_t pa = frames.free || linked_virgin() ? frame_take_slow(true) : 0;
    if (!pa)
      return false;
    push(frame_number(pa), STATE_READY);
    frames.block_free[frame_number(pa) / BLOCK_FRAMES]++;
    frames.available++;
  }
  return true;
}
