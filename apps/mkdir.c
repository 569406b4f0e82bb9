/* SPDX-License-Identifier: BSD-2-Clause */
/* mkdir PATH... */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int main(int argc, char **argv) {
  int status = argc < 2;
  if (argc < 2)
    fprintf(stderr, "usage: mkdir PATH...\n");
  for (int i = 1; i < argc; i++)
    if (mkdir(argv[i], 0755)) {
      fprintf(stderr, "mkdir: %s: %s\n", argv[i], strerror(errno));
      status = 1;
    }
  return status;
}
