/* SPDX-License-Identifier: BSD-2-Clause */
/* touch FILE...: makes those that are not there, empty. Files have no times. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
  int status = argc < 2;
  if (argc < 2)
    fprintf(stderr, "usage: touch FILE...\n");
  for (int i = 1; i < argc; i++) {
    int fd = open(argv[i], O_WRONLY | O_CREAT, 0666);
    if (fd < 0) {
      fprintf(stderr, "touch: %s: %s\n", argv[i], strerror(errno));
      status = 1;
    }
    close(fd);
  }
  return status;
}
