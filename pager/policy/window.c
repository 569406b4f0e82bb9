/* SPDX-License-Identifier: BSD-2-Clause */
/* Fault-around: a fault brings in the aligned window of pages that holds the one that faulted. Aligned, so that a program
 * that walks its memory in either direction faults once a window. The stack comes on demand: it grows downwards, and what
 * lies below the page that is touched is nobody's. */
#include "../policy.h"

/* 1, 2, 4, 8, ... 64. With 1 it is as demand, but for what asking costs. */
static bool option(const char *text, void *options) {
  uint64_t *pages = options;
  return policy_number(text, 1, 64, 16, pages) && !(*pages & (*pages - 1));
}

static void fault(const struct policy_area *area, uint64_t page, struct policy_range *range) {
  if (area->kind != POLICY_STACK)
    *range = policy_window_of(page, *(const uint64_t *)area->options);
}

const struct policy policy_window = {.name = "window",
                                     .usage = "window[,PAGES] (1, 2, 4, 8, 16, 32 or 64; else 16)",
                                     .option = option,
                                     .fault = fault};
