/* SPDX-License-Identifier: BSD-2-Clause */
/* Which pages a fault brings in. A policy is one file in policy/; it sees addresses and never frames or messages. */
#ifndef POLICY_H
#define POLICY_H

#include <stdint.h>

struct policy_fault {
  uint64_t id;         /* of the program */
  uint64_t page;       /* page address that faulted */
  unsigned kind;       /* Q_FAULT_* */
  uint64_t start, end; /* the region that holds it, in page addresses; of the stack, what may be touched */
};

struct policy_range {
  uint64_t page;  /* first page to bring in */
  unsigned pages; /* 1 and up, the faulting one among them, all inside the region */
};

struct policy {
  const char *name;
  /* NULL: the faulting page alone, which then costs no call. On entry *range is that page. */
  void (*fault)(const struct policy_fault *fault, struct policy_range *range);
};

extern const struct policy policy_demand;
#endif
