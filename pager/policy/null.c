/* SPDX-License-Identifier: BSD-2-Clause */
/* Chooses nothing, so that the pool chooses: what the interface itself costs, and the row that any policy has to beat. */
#include "../policy.h"

static uint32_t victims(struct policy_pool *pool, uint32_t *victim, uint32_t most) {
  (void)pool, (void)victim, (void)most;
  return 0;
}

const struct policy policy_null = {.name = "null", .usage = "null", .victims = victims};
