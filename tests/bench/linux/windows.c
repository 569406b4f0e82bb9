/* SPDX-License-Identifier: BSD-2-Clause */
/* Private memory at an address that no other window ever has, so that QEMU's log of traps says how many faults were in it. */
#include "measure.h"

#define DISTANCE (1ul << 32)
#define MOST 8 /* a room's: with all rooms' they end below the stack, which is at the top of 2^38 bytes */

static char *base;
static unsigned long size;

void windows_of(unsigned room) {
  base = (char *)(DISTANCE * (1 + MOST * room));
}

char *window_open(unsigned long bytes, int protection) {
  size = bytes;
  CHECK(mmap(base, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == base);
  return base;
}

/* Says how many faults there should have been. */
void window_close(const char *name, unsigned long faults) {
  CHECK(!munmap(base, size));
  printf("# faults {\"name\": \"%s\", \"base\": %lu, \"bytes\": %lu, \"faults\": %lu}\n", name, (unsigned long)base,
         size, faults);
  base += DISTANCE;
}
