/* SPDX-License-Identifier: BSD-2-Clause */
/* Fixed allocation: a program has so many pages, whatever it does and whatever others do. */
#include "../policy.h"

static bool option(const char *text, void *options) {
  return *text && policy_number(text, POLICY_LEAST, 1u << 30, 0, options);
}

static uint32_t budget(struct policy_need *need) {
  return (uint32_t) * (const uint64_t *)need->options;
}

const struct policy policy_fixed = {
    .name = "fixed", .usage = "fixed,PAGES (4 and up)", .option = option, .budget = budget};
