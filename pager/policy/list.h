/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of the pages of a pool in the order in which they came, for policies of replacement. The links lie in the notes: a
 * note's first member is a struct link, or all of it is one. A place is an index and 1, so that zeros are no page. */
#ifndef POLICY_LIST_H
#define POLICY_LIST_H

#include "../policy.h"

struct link {
  uint32_t older, newer; /* places */
};

struct list {
  uint32_t oldest, newest; /* places */
  uint32_t pages;
};

static inline struct link *list_link(const struct policy_pool *pool, uint32_t place) {
  return (struct link *)(void *)(pool->notes + (size_t)(place - 1) * pool->note_bytes);
}

/* The page becomes the newest. It is on no list of the same links. */
static inline void list_add(struct policy_pool *pool, struct list *list, uint32_t index) {
  struct link *link = list_link(pool, index + 1);
  *link = (struct link){list->newest, 0};
  *(list->newest ? &list_link(pool, list->newest)->newer : &list->oldest) = index + 1;
  list->newest = index + 1;
  list->pages++;
}

static inline void list_remove(struct policy_pool *pool, struct list *list, uint32_t index) {
  struct link *link = list_link(pool, index + 1);
  *(link->older ? &list_link(pool, link->older)->newer : &list->oldest) = link->newer;
  *(link->newer ? &list_link(pool, link->newer)->older : &list->newest) = link->older;
  list->pages--;
}

/* The page becomes the oldest, and unused: the program says that it will not use it soon. */
static inline void list_age(struct policy_pool *pool, struct list *list, uint32_t index) {
  struct link *link = list_link(pool, index + 1);
  list_remove(pool, list, index);
  *link = (struct link){0, list->oldest};
  *(list->oldest ? &list_link(pool, list->oldest)->older : &list->newest) = index + 1;
  list->oldest = index + 1;
  list->pages++;
  (void)policy_accessed(pool, index);
}

static inline void list_renew(struct policy_pool *pool, struct list *list, uint32_t index) {
  list_remove(pool, list, index);
  list_add(pool, list, index);
}

/* Hooks of a policy whose state begins with the list of all pages. */
static inline void list_mapped(struct policy_pool *pool, uint32_t index, enum policy_reason reason) {
  (void)reason;
  list_add(pool, pool->state, index);
}

static inline void list_unmapped(struct policy_pool *pool, uint32_t index, enum policy_reason reason) {
  (void)reason;
  list_remove(pool, pool->state, index);
}

static inline void list_cold(struct policy_pool *pool, uint32_t index) {
  list_age(pool, pool->state, index);
}

/* The oldest that do not get another chance; those that do become the newest. What is proposed keeps its place: whether it goes
 * is the pool's decision. Ends even if every page gets a chance whenever it is looked at. */
static inline uint32_t list_chances_of(struct policy_pool *pool, struct list *list, uint32_t *victim, uint32_t most,
                                       bool (*chance)(struct policy_pool *pool, uint32_t index)) {
  uint32_t n = 0, at = list->oldest, next;
  for (uint64_t left = 3 * (uint64_t)list->pages; at && n < most && left; left--, at = next) {
    next = list_link(pool, at)->newer;
    if (!chance(pool, at - 1)) {
      victim[n++] = at - 1;
      continue;
    }
    list_renew(pool, list, at - 1);
    next = next ? next : at;
  }
  return n;
}

static inline uint32_t list_chances(struct policy_pool *pool, uint32_t *victim, uint32_t most,
                                    bool (*chance)(struct policy_pool *pool, uint32_t index)) {
  return list_chances_of(pool, pool->state, victim, most, chance);
}
#endif
