/* SPDX-License-Identifier: BSD-2-Clause */
/* What policies are told and asked of programs as a whole: that they begin and end, whether one may begin, and figures for people. */
#include <string.h>

#include "ask.h"
#include "pool.h"
#include "space.h"

void pool_begins(struct pool *pool, const struct space *space, const struct space *original) {
  const struct policy *policy = pool->policy;
  if (original && policy->forked)
    ASK(policy, forked, &pool->about, original->badge, space->badge);
  else if (policy->started)
    ASK(policy, started, &pool->about, space->badge);
}

void pool_ends(struct pool *pool, const struct space *space) {
  if (pool->policy->ended)
    ASK(pool->policy, ended, &pool->about, space->badge);
}

/* ---- Admission ------------------------------------------------------------------------------------------------------------ */
static uint64_t own_budget(const struct space *space) {
  return space->pool && !pool_of_all ? space->pool->about.budget : 0;
}

bool policy_admits(const struct policy_set *set, enum policy_start how, const struct space *asks) {
  bool begins_anew = how == POLICY_SPAWN;
  struct policy_admission about = {.options = set->admit.options,
                                   .how = how,
                                   .asks = asks ? asks->badge : 0,
                                   .budget = !begins_anew                          ? own_budget(asks)
                                             : set->replace.policy && !pool_of_all ? pool_pages
                                                                                   : 0,
                                   .frames = frames.total - frames.own - frames.donated};
  const struct space *space;
  for (uint64_t at = 0; (space = space_from(&at));) {
    if (space->server || space->state != SPACE_ALIVE || (how == POLICY_EXEC && space == asks))
      continue;
    uint64_t budget = own_budget(space);
    about.programs++;
    about.wanted += budget ? budget : space->stats.resident;
  }
  return ASK_OR(true, set->admit.policy, admit, &about);
}

/* ---- Figures --------------------------------------------------------------------------------------------------------------- */
static void ask(const struct policy *policy, const struct policy_asked *asked, struct p_figures *figures) {
  uint64_t value[POLICY_FIGURES] = {0};
  if (!policy || !policy->statistics)
    return;
  ASK(policy, statistics, asked, value);
  for (unsigned i = 0; i < POLICY_FIGURES && policy->figures[i]; i++, figures->count++) {
    figures->figure[figures->count].value = value[i];
    strncpy(figures->figure[figures->count].name, policy->figures[i], sizeof figures->figure->name - 1);
  }
}
_Static_assert(P_FIGURES == 3 * POLICY_FIGURES, "fetching, replacement, allocation");

void space_figures(const struct space *space, struct p_figures *figures) {
  const struct policy_set *set = space->policy;
  const struct policy_memory *memory = space->memory;
  const struct pool *pool = space->pool;
  *figures = (struct p_figures){0};
  strncpy(figures->words, set->words, sizeof figures->words - 1);
  ask(set->fetch.policy, &(struct policy_asked){set->fetch.options, NULL, memory ? memory->fetch : NULL}, figures);
  if (pool)
    ask(pool->policy, &(struct policy_asked){pool->options.options, &pool->about, NULL}, figures);
  ask(set->allocate.policy, &(struct policy_asked){set->allocate.options, NULL, memory ? memory->allocate : NULL},
      figures);
  figures->lost = set->lost;
}
