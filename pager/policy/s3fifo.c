/* SPDX-License-Identifier: BSD-2-Clause */
/* S3-FIFO: a small queue for what is new, a tenth of all, and a main one. Who is used in the small one moves to the main one,
 * where who is used gets another round; who is not goes (J. Yang et al., FIFO queues are all you need for cache eviction, SOSP
 * 2023). One bit of use, where the paper has two. Its ghost queue is the refault distance: a page that comes back before as
 * many faults as there are pages goes to the main queue at once. */
#include "list.h"

struct note {
  struct link link;
  uint32_t in_main;
};

struct state {
  struct list queue[2]; /* small, main */
};

static void enter(struct policy_pool *pool, uint32_t index, bool in_main) {
  struct state *s = pool->state;
  POLICY_NOTE(pool, index, struct note)->in_main = in_main;
  list_add(pool, &s->queue[in_main], index);
}

static void leave(struct policy_pool *pool, uint32_t index) {
  struct state *s = pool->state;
  list_remove(pool, &s->queue[POLICY_NOTE(pool, index, struct note)->in_main], index);
}

static void mapped(struct policy_pool *pool, uint32_t index, enum policy_reason reason) {
  (void)reason;
  enter(pool, index, pool->refault && pool->refault <= pool->budget);
}

static void unmapped(struct policy_pool *pool, uint32_t index, enum policy_reason reason) {
  (void)reason;
  leave(pool, index);
}

static uint32_t victims(struct policy_pool *pool, uint32_t *victim, uint32_t most) {
  struct state *s = pool->state;
  uint32_t n = 0, next[2] = {s->queue[0].oldest, s->queue[1].oldest}, small = s->queue[0].pages;
  for (uint64_t left = 3 * (uint64_t)pool->resident; left && n < most && (next[0] || next[1]); left--) {
    bool from_main = !next[0] || (next[1] && 10 * (uint64_t)small < pool->budget);
    uint32_t at = next[from_main];
    next[from_main] = list_link(pool, at)->newer;
    small -= !from_main;
    if (!policy_accessed(pool, at - 1)) {
      victim[n++] = at - 1;
      continue;
    }
    leave(pool, at - 1);
    enter(pool, at - 1, true);
    next[1] = next[1] ? next[1] : at;
  }
  return n;
}

const struct policy policy_s3fifo = {.name = "s3-fifo",
                                     .usage = "s3-fifo",
                                     .state_bytes = sizeof(struct state),
                                     .note_bytes = sizeof(struct note),
                                     .mapped = mapped,
                                     .unmapped = unmapped,
                                     .victims = victims};
