/* SPDX-License-Identifier: BSD-2-Clause */
/* wc [-clw] [FILE...]: lines, words and bytes, or those of them that are asked for. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Asked for: the numbers with one space between, as POSIX has it, so that a script finds one of them alone. */
static void show(const char *asked, const unsigned long number[3], const char *name) {
  const char *space = "";
  for (unsigned i = 0; *asked && i < 3; i++)
    if (strchr(asked, "lwc"[i])) {
      printf("%s%lu", space, number[i]);
      space = " ";
    }
  if (!*asked)
    printf("%7lu %7lu %7lu %s\n", number[0], number[1], number[2], name);
  else
    printf("%s%s\n", *name ? " " : "", name);
}

static int count(int fd, const char *name, const char *asked) {
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
  show(asked, (unsigned long[]){lines, words, bytes}, name);
  return got < 0;
}

int main(int argc, char **argv) {
  const char *asked = argc > 1 && argv[1][0] == '-' ? argv[1] + 1 : "";
  if (argc > 1 && argv[1][0] == '-' && (!*asked || asked[strspn(asked, "clw")])) {
    fprintf(stderr, "wc: no option %s\nusage: wc [-clw] [FILE...]\n", argv[1]);
    return 2;
  }
  int first = *asked ? 2 : 1, status = argc > first ? 0 : count(0, "", asked);
  for (int i = first; i < argc; i++) {
    int fd = open(argv[i], O_RDONLY);
    if (fd < 0)
      fprintf(stderr, "wc: %s: %s\n", argv[i], strerror(errno));
    status |= fd < 0 || count(fd, argv[i], asked);
    close(fd);
  }
  return status;
}
