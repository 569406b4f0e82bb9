/* SPDX-License-Identifier: BSD-2-Clause */
/* sleep SECONDS */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
  char *end;
  double seconds = argc == 2 ? strtod(argv[1], &end) : -1;
  if (!(seconds >= 0 && seconds < 1e9) || *end) {
    printf("usage: sleep SECONDS\n");
    return 2;
  }
  usleep((useconds_t)(seconds * 1e6));
  return 0;
}
