/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of policies one of whose hooks did not return (ask.h). */
#include <stddef.h>
#include <string.h>

#include "ask.h"
#include "space.h"

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

/* One that is lost is not refused for its words: who chooses it is told (policies_mend()). */
bool policy_option(const struct policy *policy, const char *text, void *options) {
  return policy_is_lost(policy) || ASK_OR(false, policy, option, text, options);
}
