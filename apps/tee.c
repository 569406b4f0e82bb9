/* SPDX-License-Identifier: BSD-2-Clause */
/* tee [-a] [FILE...]: what it reads goes to its output and into each file. With -a behind what the file holds. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FILES 16

static int put(int fd, const char *text, ssize_t bytes) {
  ssize_t done = 0, n = 0;
  while (done < bytes && (n = write(fd, text + done, (size_t)(bytes - done))) > 0)
    done += n;
  if (n >= 0)
    return 0;
  fprintf(stderr, "tee: cannot write: %s\n", strerror(errno));
  return 1;
}

int main(int argc, char **argv) {
  static char text[16384];
  int fds[FILES] = {1}, count = 1, status = 0;
  bool append = argc > 1 && !strcmp(argv[1], "-a");
  for (int i = append ? 2 : 1; i < argc && count < FILES; i++) {
    int fd = open(argv[i], O_WRONLY | O_CREAT | (append ? O_APPEND : O_TRUNC), 0666);
    if (fd >= 0) {
      fds[count++] = fd;
      continue;
    }
    fprintf(stderr, "tee: %s: %s\n", argv[i], strerror(errno));
    status = 1;
  }
  for (ssize_t got; (got = read(0, text, sizeof text)) > 0;)
    for (int i = 0; i < count; i++)
      status |= put(fds[i], text, got);
  return status;
}
