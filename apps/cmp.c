/* SPDX-License-Identifier: BSD-2-Clause */
/* cmp [-s] FILE FILE: whether two files hold the same bytes, and if not, where the first differing one is. -: the input. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define TROUBLE 2

static FILE *file_open(const char *name) {
  FILE *file = strcmp(name, "-") ? fopen(name, "r") : stdin;
  if (!file)
    fprintf(stderr, "cmp: %s: %s\n", name, strerror(errno));
  return file;
}

static int compare(FILE *file[2], char **name, bool silent) {
  unsigned long byte = 1, line = 1;
  int c = getc(file[0]), d = getc(file[1]);
  for (; c == d && c != EOF; byte++) {
    line += c == '\n';
    c = getc(file[0]), d = getc(file[1]);
  }
  for (int i = 0; i < 2; i++)
    if (ferror(file[i])) {
      fprintf(stderr, "cmp: %s: %s\n", name[i], strerror(errno));
      return TROUBLE;
    }
  if (!silent && c != d && (c == EOF || d == EOF))
    fprintf(stderr, "cmp: EOF on %s\n", name[c == EOF ? 0 : 1]);
  else if (!silent && c != d)
    printf("%s %s differ: char %lu, line %lu\n", name[0], name[1], byte, line);
  return c != d;
}

int main(int argc, char **argv) {
  bool silent = argc > 1 && !strcmp(argv[1], "-s");
  char **name = argv + 1 + silent;
  if (argc != 3 + silent) {
    fprintf(stderr, "usage: cmp [-s] FILE FILE\n");
    return TROUBLE;
  }
  FILE *file[] = {file_open(name[0]), file_open(name[1])};
  return file[0] && file[1] ? compare(file, name, silent) : TROUBLE;
}
