/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists that go round: a head, and links inside what is listed. A link that is in no list points at itself, so it can always
 * be taken out. */
#ifndef LIST_H
#define LIST_H

#include <stdbool.h>
#include <stddef.h>

struct link {
  struct link *next, *previous;
};

#define LIST_HEAD(name)                                                                                              \
  { &name, &name }
#define LIST_ITEM(link, type, member) ((type *)((char *)(link)-offsetof(type, member)))

static inline void list_init(struct link *link) {
  link->next = link->previous = link;
}

static inline bool list_empty(const struct link *head) {
  return head->next == head;
}

static inline void list_remove(struct link *link) {
  link->next->previous = link->previous;
  link->previous->next = link->next;
  list_init(link);
}

/* At the end, one that was in no list and need not point at itself. */
static inline void list_append(struct link *head, struct link *link) {
  *link = (struct link){head, head->previous};
  head->previous->next = link;
  head->previous = link;
}

/* At the end; wherever it was before. */
static inline void list_add(struct link *head, struct link *link) {
  list_remove(link);
  list_append(head, link);
}

static inline struct link *list_first(const struct link *head) {
  return list_empty(head) ? NULL : head->next;
}
#endif
