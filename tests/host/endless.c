/* SPDX-License-Identifier: BSD-2-Clause */
/* Policies one of whose hooks does not return, most the second time that it is asked; and two that ask the pager on and on in it. */
#include "policy.h"

static bool second(volatile unsigned *turns) {
  *turns += *turns < 2;
  return *turns == 2;
}
#define FOR_EVER(condition)                                                                                          \
  do {                                                                                                               \
    static volatile unsigned turns;                                                                                  \
    while (second(&turns))                                                                                           \
      (void)(condition);                                                                                             \
  } while (0)

static uint32_t first(struct policy_pool *pool, uint32_t *victim, uint32_t most) {
  for (uint32_t i = 0; i < most; i++)
    victim[i] = (uint32_t)pool->now % pool->size;
  return most;
}

static bool option(const char *text, void *options) {
  (void)text, (void)options;
  FOR_EVER(true);
  return true;
}

static void fault(const struct policy_area *area, uint64_t page, struct policy_range *range) {
  range->page = (uint64_t)area; /* rubbish, half written */
  FOR_EVER(page);
  range->page = page;
}

static void made(const struct policy_area *area, struct policy_range *range) {
  range->page = (uint64_t)area;
  FOR_EVER(true);
}

static void advice(const struct policy_area *area, enum policy_advice said, struct policy_range *range) {
  range->page = (uint64_t)area;
  FOR_EVER(said);
}

static void begun(struct policy_pool *pool) {
  FOR_EVER(pool);
}

static void mapped(struct policy_pool *pool, uint32_t index, enum policy_reason reason) {
  FOR_EVER(pool->size + index + reason);
}

static void unmapped(struct policy_pool *pool, uint32_t index, enum policy_reason reason) {
  FOR_EVER(pool->size + index + reason + 1);
}

static uint32_t victims(struct policy_pool *pool, uint32_t *victim, uint32_t most) {
  victim[0] = pool->size + most;
  FOR_EVER(true);
  return UINT32_MAX;
}

/* As the clock of somebody who forgot that all pages may be in use. */
static uint32_t asking(struct policy_pool *pool, uint32_t *victim, uint32_t most) {
  FOR_EVER(policy_accessed(pool, 0));
  victim[0] = 0;
  return most > 0;
}

/* As one of very many pages, once: it takes more than the time, but not for ever. */
static uint32_t thorough(struct policy_pool *pool, uint32_t *victim, uint32_t most) {
  static bool was;
  *victim = pool->size - most;
  for (uint32_t i = 0; i < pool->size && !was; i++)
    if (policy_accessed(pool, i) || !i)
      for (volatile unsigned n = 0; n < 20000000; n++)
        ;
  was = true;
  return 1;
}

static void writing(struct policy_pool *pool) {
  static uint32_t index;
  FOR_EVER(policy_write(pool, ++index % pool->size));
}

static void tick(struct policy_pool *pool) {
  FOR_EVER(pool->now);
}

static void cold(struct policy_pool *pool, uint32_t index) {
  FOR_EVER(pool->now + index);
}

static void started(struct policy_pool *pool, uint64_t process) {
  FOR_EVER(pool->now + process);
}

static void forked(struct policy_pool *pool, uint64_t parent, uint64_t process) {
  FOR_EVER(pool->now + parent + process);
}

static void ended(struct policy_pool *pool, uint64_t process) {
  FOR_EVER(pool->now + process + 1);
}

static uint32_t budget(struct policy_need *need) {
  FOR_EVER(need->used(need));
  return need->budget;
}

static bool admit(const struct policy_admission *admission) {
  FOR_EVER(admission->programs);
  return true;
}

/* The first time, with a word about another program. */
static void pressure(const struct policy_shortage *shortage, struct policy_verdict *verdict) {
  for (uint32_t i = 0; i < shortage->count; i++)
    if (shortage->candidate[i].id != shortage->asks && shortage->candidate[i].resident > 1000)
      *verdict = (struct policy_verdict){POLICY_END, shortage->candidate[i].id, 0};
  for (;;)
    ;
}

static void statistics(const struct policy_asked *asked, uint64_t *figure) {
  figure[0] = asked->pool != NULL;
  FOR_EVER(true);
}

#define FETCHING(hook)                                                                                               \
  const struct policy policy_endless_##hook = {.name = "endless_" #hook, .usage = "", .hook = hook};
#define REPLACING(hook)                                                                                              \
  const struct policy policy_endless_##hook = {                                                                      \
      .name = "endless_" #hook, .usage = "", .note_bytes = 4, .victims = first, .hook = hook};
FETCHING(fault)
FETCHING(made)
FETCHING(advice)
FETCHING(budget)
FETCHING(admit)
FETCHING(pressure)
REPLACING(option)
REPLACING(begun)
REPLACING(mapped)
REPLACING(unmapped)
REPLACING(tick)
REPLACING(cold)
REPLACING(started)
REPLACING(forked)
REPLACING(ended)
REPLACING(statistics)
const struct policy policy_endless_victims = {.name = "endless_victims", .usage = "", .victims = victims};
const struct policy policy_asking = {.name = "asking", .usage = "", .victims = asking};
const struct policy policy_thorough = {.name = "thorough", .usage = "", .victims = thorough};
const struct policy policy_writing = {.name = "writing", .usage = "", .victims = first, .tick = writing};
/* Of threads, whose faults are asked about in another way than those of programs of one. */
static void fault_again(const struct policy_area *area, uint64_t page, struct policy_range *range) {
  (void)area;
  FOR_EVER(page);
  range->pages = 1;
}
const struct policy policy_again = {.name = "again", .usage = "", .fault = fault_again};
