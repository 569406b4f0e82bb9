/* SPDX-License-Identifier: BSD-2-Clause */
/* Random system calls with a first program's whole authority; used by t_kernel. */
#ifndef AUTHORITY_H
#define AUTHORITY_H

#include "tap.h"

#define AUTHORITY_BLOCKS 10
#define AUTHORITY_ENTRIES 4
/* What a sequence works with: blocks of free frames that are the first pager's, and the code that its tasks run. */
struct authority {
  const struct q_boot *boot;
  uint64_t blocks; /* AUTHORITY_BLOCKS of them */
  const void *code;
  uint64_t code_bytes, entry[AUTHORITY_ENTRIES]; /* where threads may begin */
};

/* Makes `steps` calls, then ends and gives back everything that they made. */
void authority_fuzz(const struct authority *with, uint64_t seed, unsigned steps);
void authority_report(void); /* how often each call was made, and how often it was carried out */
#endif
