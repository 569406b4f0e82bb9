/* SPDX-License-Identifier: BSD-2-Clause */
/* mv FROM TO: gives a file or directory another name. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: mv FROM TO\n");
    return 2;
  }
  if (!rename(argv[1], argv[2]))
    return 0;
  fprintf(stderr, "mv: %s: %s\n", argv[1], strerror(errno));
  return 1;
}
