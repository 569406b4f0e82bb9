/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines, words and bytes. */
#include "kernel/types.h"
#include "kernel/stat.h"
#include "user/user.h"

char buf[512];

void wc(int fd, char *name) {
  int n, lines = 0, words = 0, bytes = 0, inside = 0;
  while ((n = read(fd, buf, sizeof(buf))) > 0)
    for (int i = 0; i < n; i++) {
      bytes++;
      lines += buf[i] == '\n';
      if (strchr(" \r\t\n\v", buf[i]))
        inside = 0;
      else if (!inside) {
        inside = 1;
        words++;
      }
    }
  printf("%d %d %d %s\n", lines, words, bytes, name);
}

int main(int argc, char *argv[]) {
  if (argc <= 1)
    wc(0, "");
  for (int i = 1; i < argc; i++) {
    int fd = open(argv[i], 0);
    if (fd < 0) {
      printf("wc: cannot open %s\n", argv[i]);
      exit(1);
    }
    wc(fd, argv[i]);
    close(fd);
  }
  exit(0);
}
