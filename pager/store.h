/* SPDX-License-Identifier: BSD-2-Clause */
/* Where evicted pages go. */
#ifndef STORE_H
#define STORE_H

#include <stdint.h>

#define STORE_LATER (-1) /* neither done nor failed so far */

struct store {
  const char *name;
  uint32_t slots; /* pages that it holds */
  /* Begin to write the frame's page to a slot, or to read the slot's page into the frame (physical address). 0: done. STORE_LATER:
   * store_done() follows with this cookie, and neither slot nor frame may be touched before that. Else an errno value: it failed, and
   * nothing was begun; EAGAIN: too much is under way, and there is room after the next store_done(). What is under way at the same
   * time has no order. */
  int (*write)(uint32_t slot, uint64_t frame, void *cookie);
  int (*read)(uint32_t slot, uint64_t frame, void *cookie);
};

void store_done(void *cookie, int error); /* 0 or an errno value */
#endif
