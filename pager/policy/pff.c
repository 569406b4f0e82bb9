/* SPDX-License-Identifier: BSD-2-Clause */
/* Page-fault frequency: faults that follow each other in less than so much time are too many, and the program gets a page more;
 * otherwise it keeps what it used since its last fault (W. W. Chu and H. Opderbeck, Program behavior and the page-fault-frequency
 * replacement algorithm, IEEE Computer 9(11), 1976). Which pages go is the replacement's choice. */
#include "../policy.h"

static bool option(const char *text, void *options) {
  return policy_number(text, 1, 1u << 30, 10000, options);
}

static uint32_t budget(struct policy_need *need) {
  uint32_t used = need->used(need); /* asked at each fault: it is about the time since the last */
  if (need->ticks < *(const uint64_t *)need->options)
    return need->resident < need->budget ? need->budget : need->budget + 1;
  return used + 1;
}

const struct policy policy_pff = {.name = "pff",
                                  .usage = "pff[,TICKS] (of the time counter, between two faults; else 10000)",
                                  .option = option,
                                  .budget = budget};
