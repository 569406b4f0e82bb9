/* SPDX-License-Identifier: BSD-2-Clause */
/* Command lines taken apart, and what is left of each: compared with the same on the build machine. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static int flag;
static const struct option longs[] = {{"all", no_argument, NULL, 'a'},        {"block", required_argument, NULL, 'B'},
                                      {"blue", optional_argument, NULL, 'u'}, {"flag", no_argument, &flag, 7},
                                      {"flagged", no_argument, &flag, 8},     {0}};

typedef int parser(int argc, char *const argv[], const char *shorts, const struct option *longs, int *index);

static int plain(int argc, char *const argv[], const char *shorts, const struct option *l, int *index) {
  (void)l, (void)index;
  return getopt(argc, argv, shorts);
}

static void parse(parser *get, const char *shorts, const char *line) {
  char text[200], *argv[20] = {"program"};
  int argc = 1, c, index = -1;
  strcpy(text, line);
  for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
    argv[argc++] = word;
  printf("%s [%s]:", shorts, line);
  fflush(stdout);
  optind = 0;
  flag = optopt = 0;
  while ((c = get(argc, argv, shorts, longs, &index)) != -1 && c < 256) {
    printf(" %d%s%s", c, optarg ? "=" : "", optarg ? optarg : "");
    if (c == '?' || c == ':')
      printf("(%d)", optopt);
  }
  printf("; index %d, flag %d; left:", index, flag);
  while (optind < argc)
    printf(" %s", argv[optind++]);
  printf("\n");
}

static const char *const shorts[] = {"ab:c::", "+ab:c::", "-ab:c::", ":ab:c::"};
static const char *const lines[] = {"",          "-",     "x - -a y",  "-a -- -b",       "one -ab two three -c -cx",
                                    "-ba -a -b", "-x -a", "-a -b",     "x -abc -a",      "-a x y -b z -a w",
                                    "-: -;",     "--",    "x -- -a y", "-aa x -aab - -c"};
static const char *const long_lines[] = {"--all x --block=3 y --block 4 -a",
                                         "--bl",
                                         "--blo 1 --blu --blue=2 z",
                                         "--flag",
                                         "--flagg x",
                                         "--none --all=3",
                                         "--block",
                                         "-all -blue=1 -flag x -a -block 2",
                                         "-bl -none x",
                                         "x --all -- --all",
                                         "-ab 1 --fl"};

int main(void) {
  for (unsigned s = 0; s < sizeof shorts / sizeof *shorts; s++) {
    for (unsigned i = 0; i < sizeof lines / sizeof *lines; i++)
      parse(plain, shorts[s], lines[i]);
    for (unsigned i = 0; i < sizeof long_lines / sizeof *long_lines; i++) {
      parse(getopt_long, shorts[s], long_lines[i]);
      parse(getopt_long_only, shorts[s], long_lines[i]);
    }
  }
  return 0;
}
