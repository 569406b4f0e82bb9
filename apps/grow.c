/* SPDX-License-Identifier: BSD-2-Clause */
/* grow KIB [SECONDS]: grows by so much, touches each page, and stays for so long: something to watch with ps and faults. */
#include <quire/proc.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
  char *end = "";
  unsigned long kib = argc > 1 ? strtoul(argv[1], &end, 10) : 0, seconds = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
  if (argc < 2 || argc > 3 || *end || !kib || kib > INTPTR_MAX / 1024) {
    printf("usage: grow KIB [SECONDS]\n");
    return 2;
  }
  volatile char *base = sbrk((intptr_t)(kib * 1024));
  if (base == (void *)-1) {
    printf("grow: %lu KiB is more than an address space holds\n", kib);
    return 1;
  }
  for (unsigned long at = 0; at < kib * 1024; at += 4096)
    base[at] = 1;
  sleep((unsigned)seconds);
  return 0;
}
