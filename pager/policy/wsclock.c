/* SPDX-License-Identifier: BSD-2-Clause */
/* WSClock: the hand's next page goes if it is clean and was not used for some time, its program's working set then being
 * without it (R. W. Carr and J. L. Hennessy, WSCLOCK - a simple and effective algorithm for virtual memory management, SOSP
 * 1981). Time is faults. Dirty pages that could go are written meanwhile, a few at a time, and passed over while there are
 * others. The hand looks at so many pages at most, then the one that was used longest ago goes. */
#include "list.h"

#define LOOK 64
#define WRITES 4

struct note {
  struct link link;
  uint32_t used; /* the fault at which the hand, or the page's coming, saw that it was */
};

static bool option(const char *text, void *options) {
  return policy_number(text, 1, 1u << 30, 0, options);
}

static void mapped(struct policy_pool *pool, uint32_t index, enum policy_reason reason) {
  POLICY_NOTE(pool, index, struct note)->used = (uint32_t)pool->now;
  list_mapped(pool, index, reason);
}

/* For how many faults it has not been used. */
static uint32_t idle(struct policy_pool *pool, uint32_t index) {
  struct note *note = POLICY_NOTE(pool, index, struct note);
  if (policy_accessed(pool, index))
    note->used = (uint32_t)pool->now;
  return (uint32_t)pool->now - note->used;
}

static uint32_t victims(struct policy_pool *pool, uint32_t *victim, uint32_t most) {
  struct list *circle = pool->state;
  uint64_t window = *(const uint64_t *)pool->options ? *(const uint64_t *)pool->options : pool->budget / 2;
  uint32_t n = 0, writes = 0, longest = 0, otherwise = circle->oldest;
  for (uint32_t left = circle->pages < LOOK ? circle->pages : LOOK; left && n < most; left--) {
    uint32_t at = circle->oldest, faults = idle(pool, at - 1);
    list_renew(pool, circle, at - 1); /* the hand goes on */
    bool is_old = faults > window, dirty = is_old && policy_dirty(pool, at - 1);
    if (is_old && !dirty)
      victim[n++] = at - 1;
    else if (dirty && writes < WRITES)
      writes += policy_write(pool, at - 1);
    if (faults > longest) {
      longest = faults;
      otherwise = at;
    }
  }
  if (!n && most && otherwise)
    victim[n++] = otherwise - 1;
  return n;
}

const struct policy policy_wsclock = {.name = "wsclock",
                                      .usage = "wsclock[,FAULTS] (not used for so many; else half the budget's)",
                                      .option = option,
                                      .state_bytes = sizeof(struct list),
                                      .note_bytes = sizeof(struct note),
                                      .mapped = mapped,
                                      .unmapped = list_unmapped,
                                      .victims = victims};
