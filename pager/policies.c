/* SPDX-License-Identifier: BSD-2-Clause */
/* Which policies a program has, and what they keep of it. */
#include <string.h>

#include "ask.h"
#include "pool.h"
#include "slab.h"
#include "space.h"

static struct slab slab = {.bytes = (sizeof(struct policy_memory) + 15) & ~15ul};

void space_policy_drop(struct space *space) {
  if (space->memory)
    slab_give(&slab, space->memory);
  space->memory = NULL;
}

static void note_heap(struct space *space) {
  struct policy_memory *memory = space->memory;
  memory->heap = (struct policy_area){.id = space->badge,
                                      .kind = POLICY_HEAP,
                                      .start = PAGE_UP(space->heap),
                                      .end = PAGE_UP(space->brk),
                                      .options = space->policy->fetch.options,
                                      .process = memory->fetch};
}

void space_policy_begin(struct space *space) {
  if (!space->memory)
    return;
  memset(space->memory, 0, sizeof *space->memory);
  note_heap(space);
}

bool space_policy(struct space *space, const struct policy_set *set) {
  policies_mend((struct policy_set *)(uintptr_t)set);
  const struct policy *fetch = set->fetch.policy;
  bool needs = fetch->process_bytes || fetch->fault || set->allocate.policy;
  if (needs && !space->memory && !(space->memory = slab_take(&slab)))
    return false;
  if (!needs)
    space_policy_drop(space);
  space->policy = set;
  space_policy_begin(space);
  space_note(space);
  return true;
}

bool space_policy_copy(const struct space *from, struct space *to) {
  if (!space_policy(to, from->policy))
    return false;
  if (!to->memory)
    return true;
  *to->memory = *from->memory;
  to->memory->asked_of = 0;
  to->memory->open = false;
  note_heap(to);
  return true;
}
