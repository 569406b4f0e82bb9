/* SPDX-License-Identifier: BSD-2-Clause */
/* Which policies a program has, what they keep of it, and what becomes of those that do not answer. */
#include <stddef.h>
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

/* ---- Hooks that did not return ---------------------------------------------------------------------------------------------- */
#define LOST 64 /* if there are more, one may be asked once more */
static const struct policy *lost[LOST];
static unsigned lost_count;
uint64_t asked_hook, asked_sp, asked_otherwise, asked_pages, asked_size;
volatile bool asked_inside, asked_late;

void policies_begin(void) {
  lost_count = 0;
}

bool policy_is_lost(const struct policy *policy) {
  for (unsigned i = 0; i < LOST && i < lost_count; i++)
    if (lost[i] == policy)
      return true;
  return false;
}

static bool mend(struct policy_choice *choice, const struct policy *instead) {
  if (!choice->policy || !policy_is_lost(choice->policy))
    return false;
  *choice = (struct policy_choice){.policy = instead};
  return true;
}

void policies_mend(struct policy_set *set) {
  if (!lost_count)
    return;
  bool any = mend(&set->fetch, &policy_demand);
  any |= mend(&set->replace, &policy_null);
  any |= mend(&set->allocate, NULL);
  any |= mend(&set->admit, NULL);
  any |= mend(&set->press, NULL);
  if (any)
    set->lost = true;
}

/* The hook's name in that policy; NULL: it is none of its. */
static const char *hook_name(const struct policy *policy, uint64_t hook) {
#define HOOK(name)                                                                                                   \
  { #name, offsetof(struct policy, name) }
  static const struct {
    const char *name;
    size_t offset;
  } hooks[] = {HOOK(option),   HOOK(fault),   HOOK(made),  HOOK(advice),   HOOK(begun),     HOOK(mapped),
               HOOK(unmapped), HOOK(victims), HOOK(tick),  HOOK(cold),     HOOK(started),   HOOK(forked),
               HOOK(ended),    HOOK(budget),  HOOK(admit), HOOK(pressure), HOOK(statistics)};
#undef HOOK
  for (unsigned i = 0; i < sizeof hooks / sizeof *hooks; i++) {
    uint64_t there;
    memcpy(&there, (const char *)policy + hooks[i].offset, sizeof there);
    if (there == hook)
      return hooks[i].name;
  }
  return NULL;
}

static void lose(const struct policy *policy) {
  const char *name = hook_name(policy, asked_hook);
  if (!name || policy_is_lost(policy))
    return;
  lost[lost_count++ % LOST] = policy;
  backend_lost(policy, name);
}

/* A function that is a hook of several policies is lost for all of them. */
uint64_t ask_left(void) {
  struct space *space;
  for (unsigned i = 0; policies[i]; i++)
    lose(policies[i]);
  pools_mend();
  relief_mend();
  for (uint64_t at = 0; (space = space_from(&at));) {
    policies_mend((struct policy_set *)(uintptr_t)space->policy);
    space_note(space);
  }
  return asked_otherwise;
}

bool policy_option(const struct policy *policy, const char *text, void *options) {
  return !policy_is_lost(policy) && ASK_OR(false, policy, option, text, options);
}
