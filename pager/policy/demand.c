/* SPDX-License-Identifier: BSD-2-Clause */
/* Demand paging in its plainest form: a fault brings in the page that faulted and nothing else. */
#include "../policy.h"

const struct policy policy_demand = {.name = "demand", .usage = "demand"};
