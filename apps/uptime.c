/* SPDX-License-Identifier: BSD-2-Clause */
/* How long the machine has run, and what it has counted since. */
#include <quire/proc.h>

#include <stdio.h>

int main(void) {
  static struct q_info info __attribute__((aligned(512)));
  uint64_t now = q_time(), rate = p_timebase();
  if (!rate || q_machine_info(P_HANDLE_MACHINE, &info))
    return 1;
  printf("up %lu.%02lu s; %lu instructions since the kernel began, %lu switches\n", (unsigned long)(now / rate),
         (unsigned long)(now % rate * 100 / rate), (unsigned long)(q_instret() - info.entry_instret),
         (unsigned long)info.switches);
  return 0;
}
