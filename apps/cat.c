/* SPDX-License-Identifier: BSD-2-Clause */
/* cat [FILE...]: what is in the files, or what it reads, until the end. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int copy(int fd, const char *name) {
  static char text[16384];
  ssize_t got;
  while ((got = read(fd, text, sizeof text)) > 0)
    if (write(1, text, (size_t)got) != got) {
      fprintf(stderr, "cat: cannot write: %s\n", strerror(errno));
      return 1;
    }
  if (got < 0)
    fprintf(stderr, "cat: cannot read %s: %s\n", name, strerror(errno));
  return got < 0;
}

int main(int argc, char **argv) {
  int status = argc > 1 ? 0 : copy(0, "its input");
  for (int i = 1; i < argc; i++) {
    int fd = open(argv[i], O_RDONLY);
    if (fd < 0)
      fprintf(stderr, "cat: %s: %s\n", argv[i], strerror(errno));
    status |= fd < 0 || copy(fd, argv[i]);
    close(fd);
  }
  return status;
}
