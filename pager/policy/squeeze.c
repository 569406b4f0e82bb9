/* SPDX-License-Identifier: BSD-2-Clause */
/* When no frame is left, whoever has most beyond an equal share gives some of that up, and nobody ends (the memory of VMware's
 * guests is taken back so, there with shares that can be told apart: C. A. Waldspurger, Memory resource management in VMware
 * ESX server, OSDI 2002). */
#include "../policy.h"

static bool option(const char *text, void *options) {
  return policy_number(text, 1, POLICY_SQUEEZED, 16, options);
}

static void pressure(const struct policy_shortage *shortage, struct policy_verdict *verdict) {
  const struct policy_candidate *candidate = shortage->candidate, *largest = NULL;
  uint64_t pages = 0, most = *(const uint64_t *)shortage->options;
  for (uint32_t i = 0; i < shortage->count; i++) {
    pages += candidate[i].resident;
    if (candidate[i].evictable && (!largest || candidate[i].resident > largest->resident))
      largest = &candidate[i];
  }
  uint64_t share = shortage->count ? pages / shortage->count : 0, over = largest ? largest->resident - share : 0;
  if (largest && largest->resident > share)
    *verdict = (struct policy_verdict){POLICY_SQUEEZE, largest->id, (uint32_t)(over < most ? over : most)};
}

const struct policy policy_squeeze = {.name = "squeeze",
                                      .usage = "squeeze[,PAGES] (at a time, 1 to 64; else 16)",
                                      .option = option,
                                      .pressure = pressure};
