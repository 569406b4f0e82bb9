/* SPDX-License-Identifier: BSD-2-Clause */
/* More policies that do all that a policy should not (hostile.c), in the hooks that have to do with whole programs. meddling asks of
 * pages that are none when programs come and go; urging wants all memory when any of it is spoken of; refusing admits every other
 * program; pressing names whoever comes to mind when no frame is left, and with its option the largest ends now and then. */
#include "policy.h"

static void ask(struct policy_pool *pool) {
  uint32_t index = (uint32_t)policy_random(pool);
  (void)policy_accessed(pool, index);
  (void)policy_dirty(pool, index % (pool->size + 2));
  (void)policy_page(pool, index);
}

static uint32_t victims(struct policy_pool *pool, uint32_t *victim, uint32_t most) {
  for (uint32_t i = 0; i < most; i++)
    victim[i] = (uint32_t)policy_random(pool) % (pool->size + 3);
  return most;
}

static void cold(struct policy_pool *pool, uint32_t index) {
  (void)index;
  ask(pool);
}

static void came_or_went(struct policy_pool *pool, uint64_t process) {
  (void)process;
  ask(pool);
}

static void forked(struct policy_pool *pool, uint64_t parent, uint64_t process) {
  (void)parent, (void)process;
  ask(pool);
}

static void statistics(const struct policy_asked *asked, uint64_t *figure) {
  for (uint32_t i = 0; i < POLICY_FIGURES; i++)
    figure[i] = asked->pool ? asked->pool->now : UINT64_MAX;
}

static void fault(const struct policy_area *area, uint64_t page, struct policy_range *range) {
  static const struct policy_range wants[] = {{0, UINT64_MAX}, {UINT64_MAX, UINT64_MAX}, {0, 0},
                                              {1, 1},          {UINT64_MAX - 4095, 2},   {1u << 20, 63}};
  uint64_t kind = ++*(uint64_t *)area->process % 8;
  *range = kind < 6 ? wants[kind] : (struct policy_range){kind == 6 ? area->start : page - 4096, UINT64_MAX};
}

static void advice(const struct policy_area *area, enum policy_advice said, struct policy_range *range) {
  (void)said;
  fault(area, range->page, range);
}

static bool admit(const struct policy_admission *admission) {
  return !admission->programs || (admission->asks + admission->programs) % 2;
}

static bool ends(const char *text, void *options) {
  return policy_number(text, 0, 1, 0, options);
}

static uint32_t largest(const struct policy_shortage *shortage) {
  uint32_t at = 0;
  for (uint32_t i = 1; i < shortage->count; i++)
    at = shortage->candidate[i].resident > shortage->candidate[at].resident ? i : at;
  return at;
}

/* Who asks, the others, servers, nobody; some pages, none, all; and what is nothing to be done. A program that is small, as that
 * which tells of the test is, does not end. */
static void pressure(const struct policy_shortage *shortage, struct policy_verdict *verdict) {
  static uint64_t turn;
  uint64_t of = ++turn / 4 % (shortage->count + 2), relief = turn % 5;
  bool end = *(const uint64_t *)shortage->options && turn % 64 == 63;
  relief = end ? POLICY_END : relief == POLICY_END ? POLICY_SQUEEZE : relief;
  of = end ? largest(shortage) : of;
  *verdict = (struct policy_verdict){(enum policy_relief)relief,
                                     of < shortage->count    ? shortage->candidate[of].id
                                     : of == shortage->count ? turn % 4
                                                             : UINT64_MAX - turn,
                                     (uint32_t[]){1, 0, UINT32_MAX, 64}[turn % 4]};
}

const struct policy policy_meddling = {.name = "meddling",
                                       .usage = "meddling",
                                       .victims = victims,
                                       .cold = cold,
                                       .started = came_or_went,
                                       .forked = forked,
                                       .ended = came_or_went,
                                       .statistics = statistics,
                                       .figures = {"a", "b", "c", "d"}};
const struct policy policy_urging = {.name = "urging",
                                     .usage = "urging",
                                     .process_bytes = 8,
                                     .fault = fault,
                                     .advice = advice,
                                     .statistics = statistics,
                                     .figures = {"a"}};
const struct policy policy_refusing = {.name = "refusing", .usage = "refusing", .admit = admit};
const struct policy policy_pressing = {
    .name = "pressing", .usage = "pressing[,1]", .option = ends, .pressure = pressure};
