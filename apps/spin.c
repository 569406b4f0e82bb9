/* SPDX-License-Identifier: BSD-2-Clause */
/* spin [SECONDS]: uses the hart, for ever or for so long. */
#include <quire/proc.h>

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  char *end = "";
  unsigned long seconds = argc > 1 ? strtoul(argv[1], &end, 10) : 0;
  if (argc > 2 || *end) {
    printf("usage: spin [SECONDS]\n");
    return 2;
  }
  uint64_t until = seconds ? q_time() + seconds * p_timebase() : UINT64_MAX;
  while (q_time() < until)
    ;
  return 0;
}
