/* SPDX-License-Identifier: BSD-2-Clause */
/* grep [-EFcilnqv] PATTERN [FILE...]: the lines in which the regular expression is found (POSIX.1-2017). Status 0: there are some,
 * 1: none, 2: something went wrong. A line is cut in two after 4094 bytes. */
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool option[128];

static bool found(const regex_t *expression, const char *pattern, const char *line) {
  bool is = option['F'] ? strstr(line, pattern) != NULL : !regexec(expression, line, 0, NULL, 0);
  return is != option['v'];
}

static void show(const char *name, unsigned long number, const char *line) {
  if (name)
    printf("%s:", name);
  if (option['n'])
    printf("%lu:", number);
  printf("%s\n", line);
}

/* How many lines. */
static unsigned long search(FILE *file, const regex_t *expression, const char *pattern, const char *name) {
  static char line[4096];
  unsigned long count = 0;
  for (unsigned long number = 1; fgets(line, sizeof line, file); number++) {
    line[strcspn(line, "\n")] = 0;
    if (!found(expression, pattern, line))
      continue;
    count++;
    if (option['q'] || option['l'])
      break;
    if (!option['c'])
      show(name, number, line);
  }
  if (option['l'] && count)
    printf("%s\n", name ? name : "(standard input)");
  else if (option['c'])
    printf("%s%s%lu\n", name ? name : "", name ? ":" : "", count);
  return count;
}

static int search_all(char **names, const regex_t *expression, const char *pattern) {
  bool any = false, bad = false;
  if (!*names)
    return !search(stdin, expression, pattern, NULL);
  bool several = names[1];
  for (; *names; names++) {
    int fd = open(*names, O_RDONLY);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    if (!file) {
      fprintf(stderr, "grep: %s: %s\n", *names, strerror(errno));
      bad = true;
      continue;
    }
    any |= search(file, expression, pattern, several || option['l'] ? *names : NULL) > 0;
    fclose(file);
  }
  return bad ? 2 : !any;
}

int main(int argc, char **argv) {
  regex_t expression;
  int at = 1;
  for (; at < argc && *argv[at] == '-' && argv[at][1]; at++)
    for (const char *letter = argv[at] + 1; *letter; letter++)
      option[*letter & 127] = true;
  if (at == argc) {
    fprintf(stderr, "usage: grep [-EFcilnqv] PATTERN [FILE...]\n");
    return 2;
  }
  int error =
      regcomp(&expression, argv[at], (option['E'] ? REG_EXTENDED : 0) | (option['i'] ? REG_ICASE : 0) | REG_NOSUB);
  if (error && !option['F']) {
    fprintf(stderr, "grep: %s: no regular expression\n", argv[at]);
    return 2;
  }
  return search_all(argv + at + 1, &expression, argv[at]);
}
