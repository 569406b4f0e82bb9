/* SPDX-License-Identifier: BSD-2-Clause */
/* The frame table: who owns each 4 KiB of RAM, and pages for the kernel's own objects out of what pagers donated. Knows
 * nothing of what the pages hold. */
#include "kernel.h"
#include "vm.h"

#define BLOCK_FRAMES (Q_BLOCK_SIZE / Q_PAGE_SIZE)

pa_t frame_pa(const struct frame *frame) {
  return kernel.ram_base + ((uint64_t)(frame - kernel.frames) << Q_PAGE_SHIFT);
}

static struct block *block_of(const struct frame *frame) {
  return &kernel.blocks[(uint64_t)(frame - kernel.frames) / BLOCK_FRAMES];
}

static struct frame *block_frames(const struct block *block) {
  return &kernel.frames[(uint64_t)(block - kernel.blocks) * BLOCK_FRAMES];
}

/* Puts the block on its pager's list: first if it is in use, so that the others get a chance to become empty. */
void block_list(struct pager *pager, struct block *block) {
  ASSERT(block->free && block->owner == pager->number);
  list_add(&pager->blocks, &block->link, block->used);
}

/* What is promised to tasks is there for their objects: tables and new tasks have to leave it. */
void *page_alloc(struct pager *pager, enum frame_kind kind) {
  bool promised = kind >= FRAME_THREADS && kind <= FRAME_INDEX;
  ASSERT_DEBUG(!promised || pager->donated_free);
  if (!promised && pager->donated_free <= pager->promised)
    return NULL;
  pager->promised -= promised;
  struct block *block = list_first(&pager->blocks, struct block, link);
  struct frame *frame = &kernel.frames[block->free - 1];
  ASSERT(frame->kind == FRAME_FREE && frame->owner == pager->number);
  bool moves = !block->used; /* from the end of the list to its front */
  if (moves || !frame->count)
    list_remove(&block->link);
  block->used++;
  block->free = frame->count;
  if (moves && block->free)
    block_list(pager, block);
  pager->donated_free--;
  void *page = pa_to_va(frame_pa(frame));
  if (frame->flags & FRAME_RAW)
    memset(page, 0, Q_PAGE_SIZE);
  *frame = (struct frame){.owner = pager->number, .kind = kind};
  return page;
}

/* Slots of threads are zero while they hold none, so only the first slot of their pages can be anything else. */
static uint64_t used_bytes(enum frame_kind kind) {
  return kind == FRAME_TASK || kind == FRAME_THREADS ? sizeof(struct task) : Q_PAGE_SIZE;
}

void page_free(void *page) {
  struct frame *frame = frame_of(va_to_pa(page));
  struct block *block = block_of(frame);
  struct pager *pager = pagers[frame->owner];
  ASSERT(frame->kind >= FRAME_TABLE && block->used && pager);
  if (frame->kind == FRAME_TABLE)
    ASSERT(frame->count == 0); /* no entry is valid, so it is zero already */
  else
    memset(page, 0, used_bytes(frame->kind));
  bool moves = !block->free || block->used == 1; /* onto the list, or to its end */
  if (block->link.list && moves)
    list_remove(&block->link);
  *frame = (struct frame){.count = block->free, .owner = pager->number, .kind = FRAME_FREE};
  block->free = (uint32_t)(frame - kernel.frames) + 1;
  pager->donated_free++;
  block->used--;
  if (moves)
    block_list(pager, block);
}

bool block_owned(const struct pager *pager, pa_t base) {
  const struct frame *frame = frame_of(base);
  if ((base - kernel.ram_base) % Q_BLOCK_SIZE || !frame || block_of(frame)->owner)
    return false;
  uint64_t whose = ((struct frame){.owner = UINT16_MAX, .kind = UINT8_MAX}).word, other = 0;
#pragma GCC unroll 8
  for (unsigned i = 0; i < BLOCK_FRAMES; i++) /* boot asks of all there are */
    other |= frame[i].word ^ frame_fresh(pager->number);
  return !(other & whose);
}

int block_donate(struct pager *pager, pa_t base) {
  if (!block_owned(pager, base))
    return Q_E_OWNER;
  struct frame *frame = frame_of(base);
  struct block *block = block_of(frame);
  for (unsigned i = 0; i < BLOCK_FRAMES; i++)
    if (frame[i].count || frame[i].flags & FRAME_BUSY)
      return Q_E_BUSY;
  /* Decoded: nothing fails from here. Pages are zeroed when they are first used, so that this stays short. */
  vm_window_block(pager, base, false);
  uint32_t first = (uint32_t)(frame - kernel.frames) + 1;
  for (unsigned i = 0; i < BLOCK_FRAMES; i++)
    frame[i] = (struct frame){.count = i + 1 < BLOCK_FRAMES ? first + i + 1 : 0,
                              .owner = pager->number,
                              .kind = FRAME_FREE,
                              .flags = FRAME_RAW};
  *block = (struct block){.free = first, .owner = pager->number};
  block_list(pager, block);
  pager->owned -= BLOCK_FRAMES;
  pager->donated += BLOCK_FRAMES;
  pager->donated_free += BLOCK_FRAMES;
  return 0;
}

/* Zeroes some pages that were donated and never used. False: there is more to do. */
static bool block_scrub(struct frame *frame) {
  unsigned budget = 2;
  for (unsigned i = 0; i < BLOCK_FRAMES; i++) {
    if (!(frame[i].flags & FRAME_RAW))
      continue;
    if (!budget--)
      return false;
    memset(pa_to_va(frame_pa(&frame[i])), 0, Q_PAGE_SIZE);
    frame[i].flags = 0;
  }
  return true;
}

int block_reclaim(struct pager *pager, pa_t *base) {
  struct block *block = container_of(pager->blocks.tail, struct block, link);
  if (!pager->blocks.tail || block->used || pager->donated_free < pager->promised + BLOCK_FRAMES)
    return Q_E_BUSY;
  struct frame *frame = block_frames(block);
  if (!block_scrub(frame))
    restart(); /* the block stays donated until it is clean */
  list_remove(&block->link);
  *block = (struct block){0};
  for (unsigned i = 0; i < BLOCK_FRAMES; i++)
    frame[i] = (struct frame){.owner = pager->number, .kind = FRAME_USER};
  pager->owned += BLOCK_FRAMES;
  pager->donated -= BLOCK_FRAMES;
  pager->donated_free -= BLOCK_FRAMES;
  *base = frame_pa(frame);
  vm_window_block(pager, *base, true);
  return 0;
}

/* From the first round on nothing of the block can be mapped; what is mapped goes step by step. */
bool block_revoke(struct pager *pager, pa_t base) {
  struct frame *frame = frame_of(base);
  uint64_t mapped = 0;
  for (unsigned i = 0; i < BLOCK_FRAMES; i++) {
    mapped += frame[i].count;
    frame[i].flags |= FRAME_BUSY; /* until block_settle() */
  }
  if (mapped)
    vm_revoke(pager, base);
  return !mapped;
}

/* The end of it: the block can be mapped again. */
static void block_settle(struct pager *pager, pa_t base) {
  struct frame *frame = frame_of(base);
  pager->revoke_block = ~0ul;
  for (unsigned i = 0; i < BLOCK_FRAMES; i++)
    frame[i].flags &= (uint8_t)~FRAME_BUSY;
}

void block_keep(struct pager *pager, pa_t base) {
  if (pager->revoke_block == base)
    block_settle(pager, base);
}

int block_move(struct pager *from, struct pager *to, pa_t base) {
  struct frame *frame = frame_of(base);
  int error = vm_window_block(to, base, true);
  block_settle(from, base);
  if (error || to == from)
    return error;
  vm_window_block(from, base, false);
  for (unsigned i = 0; i < BLOCK_FRAMES; i++) {
    ASSERT(!frame[i].count);
    frame[i].owner = to->number;
  }
  from->owned -= BLOCK_FRAMES;
  to->owned += BLOCK_FRAMES;
  return 0;
}
