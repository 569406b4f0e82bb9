/* SPDX-License-Identifier: BSD-2-Clause */
/* rm PATH...: removes files, and directories that are empty. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv) {
  int status = argc < 2;
  struct stat s;
  if (argc < 2)
    fprintf(stderr, "usage: rm PATH...\n");
  for (int i = 1; i < argc; i++)
    if (stat(argv[i], &s) || (S_ISDIR(s.st_mode) ? rmdir(argv[i]) : unlink(argv[i]))) {
      fprintf(stderr, "rm: %s: %s\n", argv[i], strerror(errno));
      status = 1;
    }
  return status;
}
