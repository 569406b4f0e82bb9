/* SPDX-License-Identifier: BSD-2-Clause */
/* See slab.h. A page with room stands on its slab's list. */
#include "slab.h"

#include <assert.h>
#include <stdint.h>

#include "space.h"

struct slab_page {
  struct slab_page *next, *prev;
  void **free;          /* items given back, each naming the next */
  uint32_t used, fresh; /* items out; bytes from the page's start that were ever in use */
};

static struct slab_page *page_of(const void *item) {
  return (struct slab_page *)((uintptr_t)item & ~(Q_PAGE_SIZE - 1ul));
}

static bool full(const struct slab *slab, const struct slab_page *page) {
  return !page->free && page->fresh + slab->bytes > Q_PAGE_SIZE;
}

static void enlist(struct slab *slab, struct slab_page *page) {
  page->next = slab->room;
  page->prev = NULL;
  if (page->next)
    page->next->prev = page;
  slab->room = page;
}

static void delist(struct slab *slab, struct slab_page *page) {
  *(page->prev ? &page->prev->next : &slab->room) = page->next;
  if (page->next)
    page->next->prev = page->prev;
}

static struct slab_page *page_new(struct slab *slab) {
  uint64_t frame = frame_get_own();
  if (!frame)
    return NULL;
  struct slab_page *page = frame_data(frame);
  page->fresh = (sizeof *page + 15) & ~15u;
  enlist(slab, page);
  frames.tables += slab->tables;
  return page;
}

void *slab_take(struct slab *slab) {
  struct slab_page *page = slab->room ? slab->room : page_new(slab);
  if (!page)
    return NULL;
  void *item = page->free;
  if (item) {
    page->free = *page->free;
  } else {
    item = (char *)page + page->fresh;
    page->fresh += (uint32_t)slab->bytes;
  }
  page->used++;
  if (full(slab, page))
    delist(slab, page);
  return item;
}

void slab_give(struct slab *slab, void *item) {
  struct slab_page *page = page_of(item);
  assert(page->used);
  if (full(slab, page))
    enlist(slab, page);
  *(void **)item = page->free;
  page->free = item;
  if (--page->used)
    return;
  delist(slab, page);
  frames.tables -= slab->tables;
  frame_give((uint64_t)((char *)page - frames.window));
}
