/* SPDX-License-Identifier: BSD-2-Clause */
/* As little lazy as can be: memory comes when it is made, and a fault finds only what was left: memory that there were no
 * frames to spare for, or that a mapping's protection kept away. The stack comes on demand. */
#include "../policy.h"

#define LEFT 64

static void fault(const struct policy_area *area, uint64_t page, struct policy_range *range) {
  if (area->kind != POLICY_STACK)
    *range = policy_window_of(page, LEFT);
}

static void made(const struct policy_area *area, struct policy_range *range) {
  (void)area, (void)range; /* all of it */
}

const struct policy policy_eager = {.name = "eager", .usage = "eager", .fault = fault, .made = made};
