/* SPDX-License-Identifier: BSD-2-Clause */
/* head [-n LINES | -LINES] [FILE...]: the first lines, 10 if it is not said how many. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int head(int fd, const char *name, long lines) {
  static char text[16384];
  ssize_t got = 0;
  while (lines > 0 && (got = read(fd, text, sizeof text)) > 0) {
    ssize_t n = 0;
    while (n < got && lines > 0)
      lines -= text[n++] == '\n';
    if (write(1, text, (size_t)n) != n) {
      fprintf(stderr, "head: cannot write: %s\n", strerror(errno));
      return 1;
    }
  }
  if (got < 0)
    fprintf(stderr, "head: cannot read %s: %s\n", name, strerror(errno));
  return got < 0;
}

/* Where the files begin among the arguments; 0: that is no number of lines. */
static int count(int argc, char **argv, long *lines) {
  bool apart = argc > 1 && !strcmp(argv[1], "-n");
  const char *number = apart ? (argc > 2 ? argv[2] : "") : argc > 1 && argv[1][0] == '-' ? argv[1] + 1 : NULL;
  char *end = NULL;
  if (!number)
    return 1;
  *lines = strtol(number, &end, 10);
  return *lines < 0 || end == number || *end ? 0 : apart ? 3 : 2;
}

int main(int argc, char **argv) {
  int status = 0;
  long lines = 10;
  int first = count(argc, argv, &lines);
  if (!first) {
    fprintf(stderr, "usage: head [-n LINES | -LINES] [FILE...]\n");
    return 2;
  }
  if (first >= argc)
    return head(0, "its input", lines);
  for (int i = first; i < argc; i++) {
    int fd = open(argv[i], O_RDONLY);
    if (fd < 0)
      fprintf(stderr, "head: %s: %s\n", argv[i], strerror(errno));
    status |= fd < 0 || head(fd, argv[i], lines);
    close(fd);
  }
  return status;
}
