/* SPDX-License-Identifier: BSD-2-Clause */
/* seq [FIRST [STEP]] LAST: whole numbers, one a line. */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  long value[3];
  for (int i = 1; i < argc && i < 4; i++) {
    char *end;
    value[i - 1] = strtol(argv[i], &end, 10);
    if (end == argv[i] || *end)
      argc = 0;
  }
  if (argc < 2 || argc > 4) {
    fprintf(stderr, "usage: seq [FIRST [STEP]] LAST, of whole numbers\n");
    return 2;
  }
  long at = argc > 2 ? value[0] : 1, step = argc > 3 ? value[1] : 1, last = value[argc - 2];
  for (; step && (step > 0 ? at <= last : at >= last); at += step)
    printf("%ld\n", at);
  return !step;
}
