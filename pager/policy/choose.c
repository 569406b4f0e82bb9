/* SPDX-License-Identifier: BSD-2-Clause */
/* The policies that there are. */
#include "../policy.h"

#include <string.h>

const struct policy *const policies[] = {&policy_demand, &policy_window, &policy_eager, NULL};

const struct policy *policy_choose(const char *words) {
  size_t length = strcspn(words, ",");
  const struct policy *const *found = policies;
  while (*found && (strncmp((*found)->name, words, length) || (*found)->name[length]))
    found++;
  if (!*found || !words[length])
    return *found;
  return (*found)->option && (*found)->option(words + length + 1) ? *found : NULL;
}
