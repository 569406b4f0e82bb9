/* SPDX-License-Identifier: BSD-2-Clause */
/* ln FROM TO: gives a file a further name. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: ln FROM TO\n");
    return 2;
  }
  if (!link(argv[1], argv[2]))
    return 0;
  fprintf(stderr, "ln: %s: %s\n", argv[1], strerror(errno));
  return 1;
}
