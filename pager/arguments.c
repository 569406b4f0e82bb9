/* SPDX-License-Identifier: BSD-2-Clause */
/* What a program finds at the top of its stack: argc, argv, the environment and the strings (pager.h). */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "space.h"

/* The pages that it takes, and where each lies in the window. */
#define PAGES_MAX ((P_SPAWN_MAX + 8 * (P_SPAWN_STRINGS + 3) + 2 * 16) / Q_PAGE_SIZE + 2)
struct top {
  char *data[PAGES_MAX]; /* from the stack's top downwards */
};

/* How many strings the text is; 0 if it is no list of strings, or of too many. */
static unsigned count_strings(const char *text, uint64_t bytes) {
  unsigned count = 0;
  if (!bytes || text[bytes - 1])
    return 0;
  for (uint64_t i = 0; i < bytes; i += strlen(text + i) + 1)
    if (count++ == P_SPAWN_STRINGS)
      return 0;
  return count;
}

static bool make_pages(struct space *space, struct top *top, uint64_t bytes) {
  unsigned pages = (unsigned)((bytes + Q_PAGE_SIZE - 1) / Q_PAGE_SIZE);
  assert(pages <= PAGES_MAX);
  for (unsigned i = 0; i < pages; i++)
    if (!(top->data[i] = space_page(space, P_STACK_TOP - (i + 1) * Q_PAGE_SIZE)))
      return false;
  return true;
}

static void put(const struct top *top, uint64_t va, const void *from, uint64_t bytes) {
  for (const char *at = from; bytes;) {
    uint64_t n = Q_PAGE_SIZE - va % Q_PAGE_SIZE;
    n = n < bytes ? n : bytes;
    memcpy(top->data[(P_STACK_TOP - 1 - va) / Q_PAGE_SIZE] + va % Q_PAGE_SIZE, at, n);
    va += n, at += n, bytes -= n;
  }
}

static void put_word(const struct top *top, uint64_t *va, uint64_t word) {
  put(top, *va, &word, sizeof word);
  *va += sizeof word;
}

int64_t space_arguments(struct space *space, const char *text, uint64_t bytes, uint64_t environment) {
  struct top top;
  unsigned count = bytes <= P_SPAWN_MAX ? count_strings(text, bytes) : 0;
  if (!count)
    return bytes ? -E2BIG : -EINVAL;
  if (environment >= count)
    return -EINVAL; /* not even a name */
  uint64_t strings = (P_STACK_TOP - bytes) & ~15ul, sp = (strings - 8 * (count + 3)) & ~15ul, at = sp;
  if (!make_pages(space, &top, P_STACK_TOP - sp))
    return -ENOMEM;
  put(&top, strings, text, bytes);
  put_word(&top, &at, count - environment);
  for (uint64_t i = 0, n = 0; i < bytes; i += strlen(text + i) + 1, n++) {
    at += n == count - environment ? 8 : 0; /* the 0 that ends argv */
    put_word(&top, &at, strings + i);
  }
  return (int64_t)sp;
}
