/* SPDX-License-Identifier: BSD-2-Clause */
/* Fault-around: a fault brings in the aligned window of pages that holds the one that faulted. Aligned, so that a program
 * that walks its memory in either direction faults once a window. The stack comes on demand: it grows downwards, and what
 * lies below the page that is touched is nobody's. */
#include "../policy.h"

static uint64_t pages = 16;

/* 2, 4, 8, ... 64 */
static bool option(const char *text) {
  uint64_t wanted = 0;
  for (; *text >= '0' && *text <= '9' && wanted <= 64; text++)
    wanted = 10 * wanted + (uint64_t)(*text - '0');
  if (*text || wanted < 2 || wanted > 64 || wanted & (wanted - 1))
    return false;
  pages = wanted;
  return true;
}

static void fault(const struct policy_area *area, uint64_t page, struct policy_range *range) {
  if (area->kind != POLICY_STACK)
    *range = policy_window_of(page, pages);
}

const struct policy policy_window = {
    .name = "window", .usage = "window[,PAGES] (2, 4, 8, 16, 32 or 64; else 16)", .option = option, .fault = fault};
