/* SPDX-License-Identifier: BSD-2-Clause */
/* Sieve: as clock, but a page that was used stays where it is and the hand goes on, towards the newer ones; so new pages that
 * are not used again go soon, and old ones that are used stay (Y. Zhang et al., SIEVE is simpler than LRU, NSDI 2024). */
#include "list.h"

struct state {
  struct list pages;
  uint32_t hand; /* a place; 0: the oldest */
};

static void unmapped(struct policy_pool *pool, uint32_t index, enum policy_reason reason) {
  struct state *s = pool->state;
  if (s->hand == index + 1)
    s->hand = list_link(pool, s->hand)->newer;
  list_unmapped(pool, index, reason);
}

static uint32_t victims(struct policy_pool *pool, uint32_t *victim, uint32_t most) {
  struct state *s = pool->state;
  uint32_t n = 0;
  for (uint64_t left = 2 * (uint64_t)s->pages.pages; left && n < most; left--) {
    uint32_t at = s->hand ? s->hand : s->pages.oldest;
    if (n && at - 1 == victim[0])
      break; /* once round */
    s->hand = list_link(pool, at)->newer;
    if (!policy_accessed(pool, at - 1))
      victim[n++] = at - 1;
  }
  return n;
}

const struct policy policy_sieve = {.name = "sieve",
                                    .usage = "sieve",
                                    .state_bytes = sizeof(struct state),
                                    .note_bytes = sizeof(struct link),
                                    .mapped = list_mapped,
                                    .unmapped = unmapped,
                                    .victims = victims};
