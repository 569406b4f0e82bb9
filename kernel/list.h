/* SPDX-License-Identifier: BSD-2-Clause */
/* Doubly linked lists through a link in each member, which is on at most one by that link. All zero is empty, or on none.
 * Knows nothing of the members: list_first() names their type. */
#ifndef LIST_H
#define LIST_H

struct link {
  struct link *next, *prev;
  struct list *list; /* NULL: it is on none */
};
struct list {
  struct link *head, *tail;
};

#define list_first(list, type, member) ((list)->head ? container_of((list)->head, type, member) : NULL)

static inline void list_add(struct list *list, struct link *link, bool front) {
  *link = (struct link){front ? list->head : NULL, front ? NULL : list->tail, list};
  *(link->next ? &link->next->prev : &list->tail) = link;
  *(link->prev ? &link->prev->next : &list->head) = link;
}

static inline void list_remove(struct link *link) {
  *(link->next ? &link->next->prev : &link->list->tail) = link->prev;
  *(link->prev ? &link->prev->next : &link->list->head) = link->next;
  link->list = NULL;
}
#endif
