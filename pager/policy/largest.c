/* SPDX-License-Identifier: BSD-2-Clause */
/* When no frame is left, the program with the most pages ends, whoever asked: what it gives back lasts longest, and it is most
 * often the one that took what is missing (Linux's choice since 2.6.36, but for its adjustments: mm/oom_kill.c, oom_badness()). */
#include "../policy.h"

static void pressure(const struct policy_shortage *shortage, struct policy_verdict *verdict) {
  const struct policy_candidate *candidate = shortage->candidate, *largest = candidate;
  for (uint32_t i = 1; i < shortage->count; i++)
    largest = candidate[i].resident > largest->resident ? &candidate[i] : largest;
  if (shortage->count)
    *verdict = (struct policy_verdict){.relief = POLICY_END, .id = largest->id};
}

const struct policy policy_largest = {.name = "largest", .usage = "largest", .pressure = pressure};
