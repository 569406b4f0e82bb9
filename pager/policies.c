/* SPDX-License-Identifier: BSD-2-Clause */
/* Which policies a program has, and what they keep of it. */
#include <string.h>

#include "pool.h"
#include "slab.h"
#include "space.h"

static struct slab slab = {.bytes = (sizeof(struct policy_memory) + 15) & ~15ul};

bool space_policy(struct space *space, const struct policy_set *set) {
  bool needs = set->fetch.policy->process_bytes || set->allocate.policy;
  if (needs && !space->memory && !(space->memory = slab_take(&slab)))
    return false;
  if (space->memory)
    memset(space->memory, 0, sizeof *space->memory);
  space->policy = set;
  space_note(space);
  return true;
}

bool space_policy_copy(const struct space *from, struct space *to) {
  if (!space_policy(to, from->policy))
    return false;
  if (to->memory)
    *to->memory = *from->memory;
  return true;
}

void space_policy_drop(struct space *space) {
  if (space->memory)
    slab_give(&slab, space->memory);
  space->memory = NULL;
}
