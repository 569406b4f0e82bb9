/* SPDX-License-Identifier: BSD-2-Clause */
/* Clock that prefers what need not be written: a page that was written gets one round more than a clean one. (An Nth-chance
 * clock with N 1 for clean pages and 2 for dirty ones; the order of its classes, not used before used and of those clean before
 * dirty, is that of the Macintosh's memory manager: R. P. Draves, Page replacement and reference bit emulation in Mach, USENIX
 * Mach Symposium 1991; Silberschatz, Galvin and Gagne, Operating System Concepts, "Enhanced second-chance algorithm".) */
#include "list.h"

struct note {
  struct link link;
  uint32_t spared; /* it is dirty, and the hand has passed it since it was used */
};

static bool chance(struct policy_pool *pool, uint32_t index) {
  struct note *note = POLICY_NOTE(pool, index, struct note);
  bool used = policy_accessed(pool, index), spare = !used && !note->spared && policy_dirty(pool, index);
  note->spared = spare || (!used && note->spared);
  return used || spare;
}

static uint32_t victims(struct policy_pool *pool, uint32_t *victim, uint32_t most) {
  return list_chances(pool, victim, most, chance);
}

static void cold(struct policy_pool *pool, uint32_t index) {
  list_cold(pool, index);
  POLICY_NOTE(pool, index, struct note)->spared = 1; /* dirty or not */
}

const struct policy policy_clean_first = {.name = "dirty",
                                          .usage = "dirty",
                                          .state_bytes = sizeof(struct list),
                                          .note_bytes = sizeof(struct note),
                                          .mapped = list_mapped,
                                          .unmapped = list_unmapped,
                                          .victims = victims,
                                          .cold = cold};
