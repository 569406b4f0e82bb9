/* SPDX-License-Identifier: BSD-2-Clause */
/* Generations, after Linux's multi-generational LRU (Documentation/mm/multigen_lru.rst; Yu Zhao, since Linux 6.1): pages go from
 * the oldest of four generations. When it is empty a new one begins, and all pages that were used since the last began are in
 * it. A page that comes back soon, by its refault distance, is of the youngest; another has yet to be used. Linux weighs refaults
 * by tiers and finds used pages by a Bloom filter over page tables; here all accessed bits are asked for. */
#include "list.h"

#define GENERATIONS 4

struct note {
  struct link link;
  uint32_t generation;
};

struct state {
  uint32_t youngest;
  struct list generation[GENERATIONS];
};

static void enter(struct policy_pool *pool, uint32_t index, uint32_t generation) {
  struct state *s = pool->state;
  POLICY_NOTE(pool, index, struct note)->generation = generation % GENERATIONS;
  list_add(pool, &s->generation[generation % GENERATIONS], index);
}

static void unmapped(struct policy_pool *pool, uint32_t index, enum policy_reason reason) {
  struct state *s = pool->state;
  (void)reason;
  list_remove(pool, &s->generation[POLICY_NOTE(pool, index, struct note)->generation], index);
}

static void mapped(struct policy_pool *pool, uint32_t index, enum policy_reason reason) {
  const struct state *s = pool->state;
  bool back = pool->refault && pool->refault <= pool->budget;
  uint32_t behind = back ? 0 : reason == POLICY_AROUND ? GENERATIONS - 2 : 1;
  enter(pool, index, s->youngest + GENERATIONS - behind);
}

/* Those of a generation that were used become the youngest; up to `most` of the others are proposed. */
static uint32_t sort(struct policy_pool *pool, uint32_t generation, uint32_t *victim, uint32_t most) {
  struct state *s = pool->state;
  uint32_t n = 0, next, left = s->generation[generation].pages;
  for (uint32_t at = s->generation[generation].oldest; at && left && (n < most || !most); at = next, left--) {
    next = list_link(pool, at)->newer;
    if (policy_accessed(pool, at - 1)) {
      unmapped(pool, at - 1, POLICY_CARRIED);
      enter(pool, at - 1, s->youngest);
    } else if (most)
      victim[n++] = at - 1;
  }
  return n;
}

/* The oldest is empty: it is the youngest from now on. */
static void begin_generation(struct policy_pool *pool) {
  struct state *s = pool->state;
  s->youngest = (s->youngest + 1) % GENERATIONS;
  for (uint32_t i = 1; i < GENERATIONS; i++)
    sort(pool, (s->youngest + i) % GENERATIONS, NULL, 0);
}

static uint32_t victims(struct policy_pool *pool, uint32_t *victim, uint32_t most) {
  struct state *s = pool->state;
  uint32_t n = 0;
  for (uint32_t tries = 0; !n && tries < 2 * GENERATIONS; tries++) {
    uint32_t oldest = (s->youngest + 1) % GENERATIONS;
    if (s->generation[oldest].pages)
      n = sort(pool, oldest, victim, most);
    else
      begin_generation(pool);
  }
  return n;
}

static void statistics(const struct policy_asked *asked, uint64_t *figure) {
  const struct state *s = asked->pool->state;
  for (uint32_t i = 0; i < GENERATIONS; i++)
    figure[i] = s->generation[(s->youngest + GENERATIONS - i) % GENERATIONS].pages;
}

const struct policy policy_generations = {.name = "generations",
                                          .usage = "generations",
                                          .state_bytes = sizeof(struct state),
                                          .note_bytes = sizeof(struct note),
                                          .mapped = mapped,
                                          .unmapped = unmapped,
                                          .victims = victims,
                                          .statistics = statistics,
                                          .figures = {"youngest", "younger", "older", "oldest"}};
