/* SPDX-License-Identifier: BSD-2-Clause */
/* Policies that do all that a policy should not, in the replayer and in a pager of the tests' own.
 *
 * hostile: of victims, or only the kind that its option names: indices that are none (1), the same page again and again (2), more than
 * were asked for (3), what is not there (4), no proposal (5), what has just come, and so what a thread needs now (6). glutton wants
 * everything at each fault, or what does not have the page; grasping every budget. scribbler writes to all memory that is its own,
 * whenever it can. slow takes its time in each hook; nosy asks for all that may be asked. wide_... declare more memory than a policy
 * may have. */
#include "policy.h"

#include <string.h>

static bool option(const char *text, void *options) {
  return policy_number(text, 1, 6, 0, options);
}

struct state {
  uint32_t newest;
};

static void mapped(struct policy_pool *pool, uint32_t index, enum policy_reason reason) {
  (void)reason;
  ((struct state *)pool->state)->newest = index;
}

static uint32_t victims(struct policy_pool *pool, uint32_t *victim, uint32_t most) {
  uint64_t kind = *(const uint64_t *)pool->options, same = policy_random(pool) % pool->size;
  kind = kind ? kind : policy_random(pool) % 7;
  same = kind == 6 ? ((const struct state *)pool->state)->newest : same;
  for (uint32_t i = 0; i < most; i++)
    victim[i] = kind == 1                ? pool->size + (uint32_t)policy_random(pool) % 1000000
                : kind == 2 || kind == 6 ? (uint32_t)same
                                         : (uint32_t)policy_random(pool) % (pool->size + 3);
  return kind == 3 ? (policy_random(pool) % 2 ? UINT32_MAX : most + 1) : kind == 5 ? 0 : most;
}

static void tick(struct policy_pool *pool) {
  uint32_t index = (uint32_t)policy_random(pool);
  (void)policy_accessed(pool, index);
  (void)policy_dirty(pool, index);
  (void)policy_page(pool, index);
}

static void fault(const struct policy_area *area, uint64_t page, struct policy_range *range) {
  static const struct policy_range wants[] = {
      {0, UINT64_MAX}, {UINT64_MAX, UINT64_MAX}, {0, 0}, {1, 1}, {UINT64_MAX - 4095, 2}, {0, 64}, {1u << 20, 63}};
  uint64_t *turn = area->process;
  uint64_t kind = ++*turn % 10;
  if (kind < 7)
    *range = wants[kind];
  else
    *range = (struct policy_range){kind == 7 ? page : page - 63 * 4096, kind == 8 ? 64 : UINT64_MAX};
}

static uint32_t budget(struct policy_need *need) {
  uint64_t *turn = need->process;
  need->used(need);
  return (uint32_t[]){0, UINT32_MAX, need->most + 1, 1}[++*turn % 4];
}

/* ---- All of its memory --------------------------------------------------------------------------------------------------- */
#define STATE 4096
#define NOTE 60
#define EACH 4

static void scribble(struct policy_pool *pool) {
  memset(pool->state, (int)policy_random(pool), STATE + EACH * (size_t)pool->size);
  memset(pool->notes, (int)policy_random(pool), NOTE * (size_t)pool->size);
}

static void scribble_at(struct policy_pool *pool, uint32_t index, enum policy_reason reason) {
  (void)index, (void)reason;
  scribble(pool);
}

static uint32_t scribbled(struct policy_pool *pool, uint32_t *victim, uint32_t most) {
  scribble(pool);
  for (uint32_t i = 0; i < most; i++)
    victim[i] = *POLICY_NOTE(pool, i % pool->size, uint32_t); /* which says nothing */
  return most;
}

static void scribble_fault(const struct policy_area *area, uint64_t page, struct policy_range *range) {
  memset(area->process, (int)(page >> 12), POLICY_PROCESS);
  memset(range, (int)(page >> 12), sizeof *range);
}

/* ---- A long time --------------------------------------------------------------------------------------------------------- */
static void wait(void) {
  for (volatile unsigned i = 0; i < 3000; i++)
    ;
}

static void slow_page(struct policy_pool *pool, uint32_t index, enum policy_reason reason) {
  (void)pool, (void)index, (void)reason;
  wait();
}

static void slow_tick(struct policy_pool *pool) {
  (void)pool;
  wait();
}

static uint32_t slow_victims(struct policy_pool *pool, uint32_t *victim, uint32_t most) {
  wait();
  for (uint32_t i = 0; i < most; i++)
    victim[i] = (uint32_t)(policy_random(pool) % pool->size);
  return most;
}

static void slow_fault(const struct policy_area *area, uint64_t page, struct policy_range *range) {
  (void)area, (void)page, (void)range;
  wait();
}

/* ---- Every question ------------------------------------------------------------------------------------------------------ */
static void ask(struct policy_pool *pool) {
  for (uint32_t i = 0; i < pool->size + 2; i++)
    if (policy_accessed(pool, i) != policy_dirty(pool, i) || policy_write(pool, i))
      (void)policy_page(pool, i);
}

static void ask_at(struct policy_pool *pool, uint32_t index, enum policy_reason reason) {
  (void)index, (void)reason;
  ask(pool);
}

static uint32_t asked(struct policy_pool *pool, uint32_t *victim, uint32_t most) {
  ask(pool);
  for (uint32_t i = 0; i < most; i++)
    victim[i] = (uint32_t)pool->now + i;
  return most;
}

/* ---- More memory than there is behind it: none of it is ever asked ------------------------------------------------------- */
#define WIDE(what, ...)                                                                                              \
  const struct policy policy_wide_##what = {                                                                         \
      .name = "wide_" #what, .usage = "wide_" #what, __VA_ARGS__, .fault = scribble_fault, .victims = scribbled};
WIDE(process, .process_bytes = POLICY_PROCESS + 1)
WIDE(state, .state_bytes = 100000)
WIDE(note, .note_bytes = SIZE_MAX)
WIDE(each, .each_bytes = POLICY_EACH + 1)
WIDE(both, .note_bytes = POLICY_EACH, .each_bytes = 1)

/* ---- All of these -------------------------------------------------------------------------------------------------------- */
const struct policy policy_hostile = {.name = "hostile",
                                      .usage = "hostile[,KIND]",
                                      .option = option,
                                      .state_bytes = sizeof(struct state),
                                      .mapped = mapped,
                                      .victims = victims,
                                      .tick = tick};
const struct policy policy_scribbler = {.name = "scribbler",
                                        .usage = "scribbler",
                                        .process_bytes = POLICY_PROCESS,
                                        .state_bytes = STATE,
                                        .note_bytes = NOTE,
                                        .each_bytes = EACH,
                                        .fault = scribble_fault,
                                        .begun = scribble,
                                        .mapped = scribble_at,
                                        .unmapped = scribble_at,
                                        .victims = scribbled,
                                        .tick = scribble};
const struct policy policy_slow = {.name = "slow",
                                   .usage = "slow",
                                   .fault = slow_fault,
                                   .mapped = slow_page,
                                   .unmapped = slow_page,
                                   .victims = slow_victims,
                                   .tick = slow_tick};
const struct policy policy_nosy = {
    .name = "nosy", .usage = "nosy", .mapped = ask_at, .unmapped = ask_at, .victims = asked, .tick = ask};
const struct policy policy_glutton = {.name = "glutton", .usage = "glutton", .process_bytes = 8, .fault = fault};
const struct policy policy_grasping = {.name = "grasping", .usage = "grasping", .process_bytes = 8, .budget = budget};
