/* SPDX-License-Identifier: BSD-2-Clause */
/* Aging, LRU by samples: a page's age is eight bits, one a sample, the latest on the left; the least goes (A. S. Tanenbaum,
 * Modern Operating Systems, "Simulating LRU in software"). The next 64 pages are sampled at every so many faults, so that a
 * fault's cost does not grow with the memory. Pages of one age are a list, the oldest first. */
#include "list.h"

#define BATCH 64 /* pages, each of which is asked for by a system call: what a fault has time for */
#define USED 128

struct note {
  struct link link;
  uint32_t here, age;
};

struct state {
  uint32_t hand;
  struct list by_age[256];
};

static bool option(const char *text, void *options) {
  return policy_number(text, 1, 4096, 8, options);
}

static void begin(struct policy_pool *pool, uint32_t index, uint32_t age) {
  struct note *note = POLICY_NOTE(pool, index, struct note);
  note->here = true;
  note->age = age;
  list_add(pool, &((struct state *)pool->state)->by_age[age], index);
}

/* What was brought in besides has to be touched first. */
static void mapped(struct policy_pool *pool, uint32_t index, enum policy_reason reason) {
  begin(pool, index, reason == POLICY_AROUND ? USED / 2 : USED);
}

static void unmapped(struct policy_pool *pool, uint32_t index, enum policy_reason reason) {
  struct note *note = POLICY_NOTE(pool, index, struct note);
  (void)reason;
  list_remove(pool, &((struct state *)pool->state)->by_age[note->age], index);
  note->here = false;
}

static void becomes(struct policy_pool *pool, uint32_t index, uint32_t age) {
  unmapped(pool, index, POLICY_CARRIED);
  begin(pool, index, age);
}

static void tick(struct policy_pool *pool) {
  struct state *s = pool->state;
  if (pool->now % *(const uint64_t *)pool->options)
    return;
  for (uint32_t n = 0; n < BATCH && n < pool->size; n++, s->hand = (s->hand + 1) % pool->size) {
    const struct note *note = POLICY_NOTE(pool, s->hand, struct note);
    if (note->here)
      becomes(pool, s->hand, note->age >> 1 | (policy_accessed(pool, s->hand) ? USED : 0));
  }
}

/* One that was used since its sample is as young as those whose sample said so. */
static uint32_t victims(struct policy_pool *pool, uint32_t *victim, uint32_t most) {
  struct state *s = pool->state;
  uint32_t n = 0, next;
  for (uint32_t age = 0; age < 256; age++)
    for (uint32_t at = s->by_age[age].oldest; at && n < most; at = next) {
      next = list_link(pool, at)->newer;
      if (age < USED && policy_accessed(pool, at - 1))
        becomes(pool, at - 1, age | USED);
      else
        victim[n++] = at - 1;
    }
  return n;
}

const struct policy policy_aging = {.name = "aging",
                                    .usage =
                                        "aging[,FAULTS] (64 pages are sampled at every so many, 1 to 4096; else 8)",
                                    .option = option,
                                    .state_bytes = sizeof(struct state),
                                    .note_bytes = sizeof(struct note),
                                    .mapped = mapped,
                                    .unmapped = unmapped,
                                    .victims = victims,
                                    .tick = tick};
