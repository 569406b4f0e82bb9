/* SPDX-License-Identifier: BSD-2-Clause */
/* Any page goes, each as likely as another (RAND in Belady 1966): no pattern of references can be its worst case. */
#include "../policy.h"

struct state {
  uint32_t pages;
  uint32_t index[]; /* of those that are there, in no order */
};

static void mapped(struct policy_pool *pool, uint32_t index, enum policy_reason reason) {
  struct state *s = pool->state;
  (void)reason;
  *POLICY_NOTE(pool, index, uint32_t) = s->pages;
  s->index[s->pages++] = index;
}

static void move(struct policy_pool *pool, uint32_t index, uint32_t to) {
  struct state *s = pool->state;
  s->index[to] = index;
  *POLICY_NOTE(pool, index, uint32_t) = to;
}

static void unmapped(struct policy_pool *pool, uint32_t index, enum policy_reason reason) {
  struct state *s = pool->state;
  (void)reason;
  move(pool, s->index[--s->pages], *POLICY_NOTE(pool, index, uint32_t));
}

/* The first of a shuffle. */
static uint32_t victims(struct policy_pool *pool, uint32_t *victim, uint32_t most) {
  struct state *s = pool->state;
  uint32_t n = 0;
  for (; n < most && n < s->pages; n++) {
    uint32_t chosen = n + (uint32_t)(policy_random(pool) % (s->pages - n));
    victim[n] = s->index[chosen];
    move(pool, s->index[n], chosen);
    move(pool, victim[n], n);
  }
  return n;
}

const struct policy policy_random_page = {.name = "random",
                                          .usage = "random",
                                          .state_bytes = sizeof(struct state),
                                          .note_bytes = sizeof(uint32_t),
                                          .each_bytes = sizeof(uint32_t),
                                          .mapped = mapped,
                                          .unmapped = unmapped,
                                          .victims = victims};
