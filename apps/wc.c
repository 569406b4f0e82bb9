/* SPDX-License-Identifier: BSD-2-Clause */
/* wc [FILE...]: lines, words and bytes. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int count(int fd, const char *name) {
  static char text[16384];
  unsigned long lines = 0, words = 0, bytes = 0;
  bool inside = false;
  ssize_t got;
  while ((got = read(fd, text, sizeof text)) > 0) {
    for (ssize_t i = 0; i < got; i++) {
      bool space = isspace((unsigned char)text[i]);
      lines += text[i] == '\n';
      words += !space && !inside;
      inside = !space;
    }
    bytes += (unsigned long)got;
  }
  printf("%7lu %7lu %7lu %s\n", lines, words, bytes, name);
  return got < 0;
}

int main(int argc, char **argv) {
  int status = argc > 1 ? 0 : count(0, "");
  for (int i = 1; i < argc; i++) {
    int fd = open(argv[i], O_RDONLY);
    if (fd < 0)
      fprintf(stderr, "wc: %s: %s\n", argv[i], strerror(errno));
    status |= fd < 0 || count(fd, argv[i]);
    close(fd);
  }
  return status;
}
