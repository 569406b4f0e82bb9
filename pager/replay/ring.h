/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of pages, each a ring through a head of its own, for algorithms that move a page at each reference. */
#ifndef RING_H
#define RING_H

#include <stdlib.h>

#include "run.h"

struct rings {
  uint32_t *older, *newer; /* of a page, and of the heads behind all pages */
  uint32_t pages;
  uint32_t length[5]; /* of each ring */
};

static inline uint32_t ring_head(const struct rings *rings, unsigned ring) {
  return rings->pages + ring;
}

static inline void rings_begin(struct rings *rings, uint32_t pages, unsigned count) {
  rings->pages = pages;
  rings->older = zeros(pages + count, sizeof *rings->older);
  rings->newer = zeros(pages + count, sizeof *rings->newer);
  for (unsigned ring = 0; ring < count; ring++)
    rings->older[pages + ring] = rings->newer[pages + ring] = pages + ring;
}

static inline void rings_end(struct rings *rings) {
  free(rings->older);
  free(rings->newer);
}

/* As the newest. */
static inline void ring_add(struct rings *rings, unsigned ring, uint32_t page) {
  uint32_t head = ring_head(rings, ring), newest = rings->older[head];
  rings->older[page] = newest;
  rings->newer[page] = head;
  rings->newer[newest] = rings->older[head] = page;
  rings->length[ring]++;
}

static inline void ring_remove(struct rings *rings, unsigned ring, uint32_t page) {
  rings->newer[rings->older[page]] = rings->newer[page];
  rings->older[rings->newer[page]] = rings->older[page];
  rings->length[ring]--;
}

static inline uint32_t ring_oldest(const struct rings *rings, unsigned ring) {
  return rings->newer[ring_head(rings, ring)];
}

static inline uint32_t ring_take_oldest(struct rings *rings, unsigned ring) {
  uint32_t page = ring_oldest(rings, ring);
  ring_remove(rings, ring, page);
  return page;
}
#endif
