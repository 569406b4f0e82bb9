/* SPDX-License-Identifier: BSD-2-Clause */
/* First in, first out: the page that came first goes, used or not (L. A. Belady, A study of replacement algorithms for a
 * virtual-storage computer, IBM Systems Journal 5(2), 1966). */
#include "list.h"

static uint32_t victims(struct policy_pool *pool, uint32_t *victim, uint32_t most) {
  const struct list *list = pool->state;
  uint32_t n = 0;
  for (uint32_t at = list->oldest; at && n < most; at = list_link(pool, at)->newer)
    victim[n++] = at - 1;
  return n;
}

const struct policy policy_fifo = {.name = "fifo",
                                   .usage = "fifo",
                                   .state_bytes = sizeof(struct list),
                                   .note_bytes = sizeof(struct link),
                                   .mapped = list_mapped,
                                   .unmapped = list_unmapped,
                                   .victims = victims,
                                   .cold = list_cold};
