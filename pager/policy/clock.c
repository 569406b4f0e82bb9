/* SPDX-License-Identifier: BSD-2-Clause */
/* Clock, or second chance: the oldest goes unless it was used since the hand was there last; then it gets another round
 * (F. J. Corbató, A paging experiment with the Multics system, MIT Project MAC, 1968). The circle is a list here, and the
 * hand its oldest end. */
#include "list.h"

static uint32_t victims(struct policy_pool *pool, uint32_t *victim, uint32_t most) {
  return list_chances(pool, victim, most, policy_accessed);
}

const struct policy policy_clock = {.name = "clock",
                                    .usage = "clock",
                                    .state_bytes = sizeof(struct list),
                                    .note_bytes = sizeof(struct link),
                                    .mapped = list_mapped,
                                    .unmapped = list_unmapped,
                                    .victims = victims,
                                    .cold = list_cold};
