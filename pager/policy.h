/* SPDX-License-Identifier: BSD-2-Clause */
/* Which pages come beside the one that faulted, and which come before any fault. A policy is one file in policy/; it sees
 * addresses and never frames or messages. docs/policies.md says how to write one. */
#ifndef POLICY_H
#define POLICY_H

#include <stdbool.h>
#include <stdint.h>

enum policy_kind { POLICY_IMAGE, POLICY_HEAP, POLICY_STACK, POLICY_MAPPING };

struct policy_area {
  uint64_t id; /* of the program */
  enum policy_kind kind;
  uint64_t start, end; /* page addresses; of the stack, what may be touched */
};

struct policy_range {
  uint64_t page;  /* first page to bring in */
  uint64_t pages; /* 1 and up */
};

struct policy {
  const char *name, *usage; /* usage: the boot option with all it may say */
  /* Takes what stands after the name and a comma. false: it is not understood. NULL: nothing may stand there. */
  bool (*option)(const char *text);
  /* A page of zeros is touched. On entry *range is that page, which comes whatever the policy says. NULL: it alone, which
   * then costs no call. */
  void (*fault)(const struct policy_area *area, uint64_t page, struct policy_range *range);
  /* Memory begins to be: an image at exec and spawn, what sbrk and mmap add. On entry *range is all of it. NULL: nothing
   * comes before it is touched. */
  void (*made)(const struct policy_area *area, struct policy_range *range);
};

extern const struct policy policy_demand, policy_window, policy_eager;
/* The policy that words like "window,8" name, which has taken its option; NULL: there is none, or it does not understand. */
const struct policy *policy_choose(const char *words);
extern const struct policy *const policies[]; /* all, then NULL */

/* The window of so many pages, a power of two, that holds the page. */
static inline struct policy_range policy_window_of(uint64_t page, uint64_t pages) {
  return (struct policy_range){page & ~(pages * 4096 - 1), pages};
}
#endif
