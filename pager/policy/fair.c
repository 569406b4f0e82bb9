/* SPDX-License-Identifier: BSD-2-Clause */
/* Fair shares of frames that all programs compete for (budget=PAGES,all): a page goes of the family that has the most, by second
 * chance. A family is a program and what was forked from it, so that nobody gets more by forking; a child that becomes another
 * program begins its own. (Shares for whoever stands behind the processes: J. Kay and P. Lauder, A fair share scheduler, CACM
 * 31(1), 1988.) */
#include "list.h"

#define FAMILIES 128 /* lists: families with ids so far apart have one together */
#define CHILDREN 128 /* forked; any more are families of their own */

struct note {
  struct link link;
  uint32_t family;
};

struct state {
  struct list family[FAMILIES];
  struct {
    uint64_t id, family; /* 0: none; that of the first of them */
  } child[CHILDREN + 1]; /* the last is never looked at */
  uint64_t programs;
};

static uint32_t find(const struct state *s, uint64_t id) {
  uint32_t at = 0;
  while (at < CHILDREN && s->child[at].id != id)
    at++;
  return at;
}

static uint64_t family_of(const struct state *s, uint64_t id) {
  uint32_t at = find(s, id);
  return at < CHILDREN ? s->child[at].family : id;
}

static void started(struct policy_pool *pool, uint64_t process) {
  struct state *s = pool->state;
  (void)process;
  s->programs++;
}

static void forked(struct policy_pool *pool, uint64_t parent, uint64_t process) {
  struct state *s = pool->state;
  uint32_t at = find(s, 0);
  s->programs++;
  s->child[at].id = process;
  s->child[at].family = family_of(s, parent);
}

static void ended(struct policy_pool *pool, uint64_t process) {
  struct state *s = pool->state;
  s->programs--;
  s->child[find(s, process)].id = 0;
}

static void mapped(struct policy_pool *pool, uint32_t index, enum policy_reason reason) {
  struct state *s = pool->state;
  uint32_t family = (uint32_t)(family_of(s, policy_page(pool, index).process) % FAMILIES);
  (void)reason;
  POLICY_NOTE(pool, index, struct note)->family = family;
  list_add(pool, &s->family[family], index);
}

static void unmapped(struct policy_pool *pool, uint32_t index, enum policy_reason reason) {
  struct state *s = pool->state;
  (void)reason;
  list_remove(pool, &s->family[POLICY_NOTE(pool, index, struct note)->family], index);
}

static struct list *largest(struct state *s) {
  struct list *largest = s->family;
  for (uint32_t i = 1; i < FAMILIES; i++)
    largest = s->family[i].pages > largest->pages ? &s->family[i] : largest;
  return largest;
}

static uint32_t victims(struct policy_pool *pool, uint32_t *victim, uint32_t most) {
  return list_chances_of(pool, largest(pool->state), victim, most, policy_accessed);
}

static void statistics(const struct policy_asked *asked, uint64_t *figure) {
  struct state *s = asked->pool->state;
  figure[0] = s->programs;
  figure[1] = largest(s)->pages;
}

const struct policy policy_fair = {.name = "fair",
                                   .usage = "fair",
                                   .state_bytes = sizeof(struct state),
                                   .note_bytes = sizeof(struct note),
                                   .mapped = mapped,
                                   .unmapped = unmapped,
                                   .victims = victims,
                                   .started = started,
                                   .forked = forked,
                                   .ended = ended,
                                   .statistics = statistics,
                                   .figures = {"programs", "largest"}};
