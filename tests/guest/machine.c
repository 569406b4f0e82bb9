/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel says of the machine, to programs under the pager. */
#include "tap.h"

struct q_info kernel_info(void) {
  static struct q_info info __attribute__((aligned(512)));
  info.ram_frames = 0;
  CHECK_EQ(q_machine_info(P_HANDLE_MACHINE, &info), 0);
  return info;
}

unsigned harts(void) {
  static unsigned count;
  if (!count)
    q_sleep_until(q_time() + 1000000); /* 0.1 s: all that start have started */
  if (!count)
    count = (unsigned)kernel_info().harts;
  return count;
}
